//! What the documents show is parsed, what they list is there, and what is there is listed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use regex::Regex;
use strongroom::{cli::Cli, config, report::exit};

use crate::support::{root, source_files};

/// A fenced block: its language as written, its text, and the line that it begins at.
struct Block {
    file: PathBuf,
    line: usize,
    language: String,
    text: String,
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.file.strip_prefix(root()).unwrap().display(), self.line)
    }
}

/// Every document of the tree.
fn documents() -> Vec<PathBuf> {
    let mut files: Vec<_> = ["README.md", "CHANGELOG.md"].iter().map(|name| root().join(name)).collect();
    for directory in ["docs", "examples", "plugins", "wit", "tests"] {
        files.extend(source_files(&root().join(directory), "md"));
    }
    files.retain(|file| file.is_file());
    files
}

fn blocks() -> Vec<Block> {
    documents().into_iter().flat_map(|file| blocks_of(&file, &fs::read_to_string(&file).unwrap())).collect()
}

fn blocks_of(file: &Path, text: &str) -> Vec<Block> {
    let (mut all, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => all.extend(open.take()),
            (Some(language), None) => {
                let language = language.trim().to_owned();
                open = Some(Block { file: file.to_owned(), line: number + 1, language, text: String::new() });
            }
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block does not end", file.display());
    all
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn pipeline_problem(text: &str) -> Option<String> {
    let known = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    let problem = config::parse(Path::new("strongroom.toml"), text, &known).err();
    problem.map(|problems| problems.render(false)).or_else(|| schema_problem(text))
}

/// What the JSON Schema says of a pipeline that the program reads.
fn schema_problem(text: &str) -> Option<String> {
    let schema = jsonschema::draft202012::new(&config::json_schema::json_schema()).expect("it is a schema");
    let table: toml::Table = text.parse().expect("the program has read it");
    let error = schema.validate(&serde_json::to_value(table).expect("TOML is JSON")).err()?.to_string();
    Some(format!("`strongroom config schema` does not allow it: {error}"))
}

#[test]
fn every_pipeline_that_is_shown_is_one() {
    let (mut shown, mut wrong) = (0, Vec::new());
    for block in blocks() {
        let problem = match &block.language[..] {
            "toml" => pipeline_problem(&block.text),
            "toml,fragment" => block.text.parse::<toml::Table>().err().map(|error| error.to_string()),
            language if language.starts_with("toml") => Some(format!("what is {language:?}?")),
            _ => continue,
        };
        shown += 1;
        wrong.extend(problem.map(|problem| format!("{}: {problem}", block.place())));
    }
    for file in source_files(&root().join("examples"), "toml") {
        if file.file_name() != Some("Cargo.toml".as_ref()) {
            let problem = pipeline_problem(&fs::read_to_string(&file).unwrap());
            wrong.extend(problem.map(|problem| format!("{}: {problem}", file.display())));
        }
    }
    assert!(shown > 3, "the documents show {shown} pipelines");
    assert_none(&wrong);
}

/// Splits a line of shell as far as documents need it: quotes, and an end at `|`, `;`, `&`, `>`, `<` or `#`.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut begun) = (vec![String::new()], None, false);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => words.last_mut().expect("never empty").push(letter),
            (None, '\'' | '"') => (quote, begun) = (Some(letter), true),
            (None, ' ' | '\t') if begun => {
                words.push(String::new());
                begun = false;
            }
            (None, ' ' | '\t') => {}
            (None, '|' | ';' | '&' | '>' | '<') => break,
            (None, '#') if !begun => break,
            _ => {
                words.last_mut().expect("never empty").push(letter);
                begun = true;
            }
        }
    }
    if !begun {
        words.pop();
    }
    words
}

/// Lines that call strongroom, continuations joined; a prompt or `sudo` may stand before.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ ").trim_start_matches("sudo "));
    lines.filter(|line| line.starts_with("strongroom ")).map(str::to_owned).collect()
}

#[test]
fn every_command_that_is_shown_can_be_typed() {
    let (mut shown, mut wrong) = (0, Vec::new());
    for block in blocks().iter().filter(|block| ["sh", "console", "bash"].contains(&&block.language[..])) {
        for line in commands(&block.text) {
            shown += 1;
            // A user may put an own value where an ellipsis stands.
            let line = line.replace("sha256:…", &format!("sha256:{}", "0".repeat(64)));
            if let Err(error) = Cli::try_parse_from(words(&line)) {
                wrong.push(format!(
                    "{}: {line}: {}",
                    block.place(),
                    error.to_string().lines().next().unwrap_or_default()
                ));
            }
        }
    }
    assert!(shown > 5, "the documents show {shown} commands");
    assert_none(&wrong);
}

#[test]
fn a_shown_command_is_split_as_a_shell_would() {
    assert_eq!(
        words("strongroom restore --include 'wiki/home/**' > log # said"),
        ["strongroom", "restore", "--include", "wiki/home/**"]
    );
    assert_eq!(commands("$ strongroom a \\\n  b\nother\n"), ["strongroom a    b"]);
}

/// The rows of the table below a heading of a manual.
fn rows(text: &str, header: &str) -> Vec<Vec<String>> {
    let table = text.split(&format!("{header}\n")).nth(1).unwrap_or_else(|| panic!("no table {header:?}"));
    let lines = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_manual_lists_the_exit_codes_and_no_others() {
    let manual = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let known: Vec<_> = exit::TABLE
        .iter()
        .map(|row| vec![row.code.to_string(), row.verbs.to_owned(), row.meaning.to_owned()])
        .collect();
    assert_eq!(rows(&manual, "| code | verb | meaning |"), known);
}

/// Codes of findings that the sources make.
fn made_codes() -> BTreeSet<(String, String)> {
    let made = Regex::new(
        r#"(?:Finding::(?:info|warning|blocker)\(|Finding::new\(\s*(?:Severity::)?\w+,|\b(?:blocker|warning|info)\()\s*"([a-z][a-z0-9-]+)""#,
    )
    .unwrap();
    let files = [
        "host",
        "plugins/files",
        "plugins/database",
        "plugins/confluence",
        "plugins/nuxeo",
        "plugins/nuxeo-streams",
        "plugins/elasticsearch-audit",
    ]
    .map(|name| source_files(&root().join(name), "rs"));
    let mut codes = BTreeSet::new();
    for file in files.concat() {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if !["tests", "fixture", "testing"].iter().any(|word| name.contains(word)) {
            codes.extend(made.captures_iter(text).map(|found| (found[1].to_owned(), name.clone())));
        }
    }
    codes
}

fn manuals_of_codes() -> String {
    let names = [
        "docs/operations.md",
        "docs/confluence.md",
        "docs/nuxeo.md",
        "docs/nuxeo-streams.md",
        "docs/elasticsearch-audit.md",
        "plugins/files/README.md",
        "plugins/confluence/README.md",
    ];
    names.iter().map(|name| fs::read_to_string(root().join(name)).unwrap_or_default()).collect()
}

#[test]
fn every_code_of_a_finding_is_documented() {
    let (made, manuals) = (made_codes(), manuals_of_codes());
    assert!(made.len() > 20, "the sources make these findings: {made:?}");
    let missing = made.iter().filter(|(code, _)| !manuals.contains(&format!("`{code}`")));
    assert_none(&missing.map(|(code, file)| format!("`{code}` of {file} is not documented")).collect::<Vec<_>>());
}

/// The texts of a list in a source file: what stands between `begin` and the next `]`.
fn list(file: &str, begin: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let list = text.split(begin).nth(1).unwrap_or_else(|| panic!("{file} has no {begin}")).split(']').next().unwrap();
    Regex::new(r#""([a-z0-9-]+)""#).unwrap().captures_iter(list).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_code_of_a_finding_can_be_given_a_severity() {
    let mut host = list("host/plan/severity.rs", "CODES: &[&str] = &[");
    host.extend(list("host/plan/severity.rs", "FIXED: &[&str] = &["));
    let lists = [
        ("host/", host),
        ("plugins/files/", list("plugins/files/src/lib.rs", ".finds(&[")),
        ("plugins/confluence/", list("plugins/confluence/src/findings.rs", "CODES: &[&str] = &[")),
        ("plugins/database/", list("plugins/database/src/findings.rs", "CODES: &[&str] = &[")),
        // Whoever uses that crate reports its codes.
        ("plugins/database/", list("plugins/confluence/src/findings.rs", "CODES: &[&str] = &[")),
        ("plugins/database/", list("plugins/nuxeo/src/findings.rs", "CODES: &[&str] = &[")),
        ("plugins/nuxeo/", list("plugins/nuxeo/src/findings.rs", "CODES: &[&str] = &[")),
        ("plugins/nuxeo-streams/", list("plugins/nuxeo-streams/src/findings.rs", "CODES: &[&str] = &[")),
        ("plugins/elasticsearch-audit/", list("plugins/elasticsearch-audit/src/findings.rs", "CODES: &[&str] = &[")),
    ];
    let made = made_codes();
    for (place, known) in lists {
        let made: BTreeSet<_> = made.iter().filter(|(_, file)| file.starts_with(place)).map(|(code, _)| code).collect();
        let missing: Vec<_> = made.into_iter().filter(|code| !known.contains(*code)).collect();
        assert!(
            missing.is_empty(),
            "list these codes of {place} where a pipeline's severities are checked: {missing:?}"
        );
    }
}

#[test]
fn every_code_that_is_documented_is_made() {
    let row = Regex::new(r"(?m)^\| `([a-z0-9-]+)` \| (?:info|warning|blocker)").unwrap();
    let manuals = manuals_of_codes();
    let sources: String = ["host", "plugins"]
        .iter()
        .flat_map(|name| source_files(&root().join(name), "rs"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let codes: Vec<_> = row.captures_iter(&manuals).map(|found| found[1].to_owned()).collect();
    assert!(codes.len() > 10, "{codes:?}");
    let strange = codes.iter().filter(|code| !sources.contains(&format!("\"{code}\"")));
    assert_none(&strange.map(|code| format!("`{code}` is documented and nobody makes it")).collect::<Vec<_>>());
}

/// All Rust of the tree.
fn sources() -> String {
    let directories = ["host", "plugins", "tests", "examples"].iter();
    let files = directories.flat_map(|name| source_files(&root().join(name), "rs"));
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The rows of the threat model's table of guests: their names, and the test.
fn hostile_guests() -> Vec<(Vec<String>, String)> {
    let text = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("Hostile guests")).unwrap();
    let code = Regex::new("`([^`]+)`").unwrap();
    let names = |cell: &str| code.captures_iter(cell).map(|name| name[1].to_owned()).collect::<Vec<_>>();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        (names(cells[0]), names(cells.last().unwrap()).pop().expect("a row names its test"))
    })
    .collect()
}

#[test]
fn every_hostile_guest_has_its_row_and_every_row_its_test() {
    let (rows, sources) = (hostile_guests(), sources());
    let named: BTreeSet<_> = rows.iter().flat_map(|(guests, _)| guests.clone()).collect();
    let words = Regex::new(r#"(?m)^        "([a-z-]+)" =>"#).unwrap();
    let acts = fs::read_to_string(root().join("tests/guests/scripted/src/hostile.rs")).unwrap();
    let mut there: BTreeSet<_> = words.captures_iter(&acts).map(|word| word[1].to_owned()).collect();
    let file_name = |file: PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
    there.extend(source_files(&root().join("tests/guests"), "wat").into_iter().map(file_name));
    // A frame around the others, and one that does nothing.
    ["frame.wat", "quiet.wat"].iter().for_each(|tame| assert!(there.remove(*tame)));
    assert_eq!(named, there);
    assert!(named.len() >= 40, "{} guests", named.len());
    let lost = rows.iter().filter(|(_, test)| !sources.contains(&format!("fn {}(", test.rsplit("::").next().unwrap())));
    assert_none(
        &lost.map(|(_, test)| format!("docs/threat-model.md names {test}, which is not there")).collect::<Vec<_>>(),
    );
}

#[test]
fn every_test_that_coverage_names_is_there() {
    let text = fs::read_to_string(root().join("docs/coverage.md")).unwrap();
    let word = Regex::new(r"`([A-Za-z0-9_:./-]+)`").unwrap();
    let sources = sources();
    let (mut named, mut wrong) = (0, Vec::new());
    for found in word.captures_iter(&text).map(|found| found[1].to_owned()) {
        let last = found.rsplit("::").next().unwrap_or_default();
        let exists = if found.contains('/') {
            let scenario = found.strip_prefix("scenarios/").map(|name| root().join("tests/scenarios").join(name));
            root().join(&found).exists() || scenario.is_some_and(|path| path.exists())
        } else if last.matches('_').count() >= 3 {
            sources.contains(&format!("fn {last}("))
        } else {
            continue;
        };
        named += 1;
        wrong.extend((!exists).then(|| format!("docs/coverage.md names {found}, which is not there")));
    }
    assert!(named > 20, "docs/coverage.md names {named} tests");
    assert_none(&wrong);
}

#[test]
fn every_script_is_well_formed() {
    let scripts: Vec<_> =
        ["examples", "tests", "plugins"].iter().flat_map(|name| source_files(&root().join(name), "sh")).collect();
    assert!(scripts.len() > 3, "{scripts:?}");
    for script in scripts {
        let output = Command::new("bash").arg("-n").arg(&script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)#\s]+)(?:#[^)]*)?\)").unwrap();
    let mut wrong = Vec::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for target in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            let away = target.contains("://") || target.starts_with("mailto:");
            if !away && !file.parent().unwrap().join(&target).exists() {
                wrong.push(format!("{}: {target}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_commands_to_begin_with_are_files_that_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    for name in ["examples/confluence/demo.sh", "examples/nuxeo/demo.sh", "tests/run.sh"] {
        let readme = fs::read_to_string(root().join("README.md")).unwrap();
        assert!(readme.contains(name), "README.md does not name {name}");
        let mode = fs::metadata(root().join(name)).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "{name} is not executable");
    }
}
