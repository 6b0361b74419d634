//! The shape of `host/`: names are borrowed only from rooms to the left, and each dependency has one home.

use std::{collections::BTreeMap, fs, path::Path};

use regex::Regex;

use crate::support::{root, source_files};

/// The line of rooms. Those of one group are words that may use each other.
const ROOMS: &[&[&str]] = &[
    &["diagnostic", "digest", "name", "secret", "told"],
    &["config"],
    &["tls"],
    &["plan"],
    &["snapshot"],
    &["repository"],
    &["sandbox"],
    &["run"],
    &["report"],
    &["cli"],
    &["commands"],
    &["main"],
];

/// Where a dependency may be named: paths below `host/`. None: anywhere.
const HOMES: &[(&str, &[&str])] = &[
    // On the card.
    ("wasmtime", &["sandbox"]),
    ("wasmtime_wasi", &["sandbox"]),
    ("tokio", &["repository/storage", "sandbox", "run", "commands", "main"]),
    ("cap_std", &["repository", "sandbox", "run", "commands/restore"]),
    ("anyhow", &["report/error", "commands", "main"]),
    ("tracing", &["repository/storage/retried", "report/trace"]),
    ("toml", &["config"]),
    ("sha2", &["digest"]),
    ("zip", &["repository/zip"]),
    ("serde", &[]),
    // Around them.
    ("aes256ctr_poly1305aes", &["repository/restic/key"]),
    ("age", &["config/recipient", "repository/zip"]),
    ("annotate_snippets", &["diagnostic"]),
    ("base64", &["repository/restic", "repository/storage/s3", "sandbox/web"]),
    ("bytes", &["repository/storage", "sandbox"]),
    ("bytesize", &[]),
    ("cap_fs_ext", &["repository", "sandbox"]),
    ("chacha20poly1305", &["repository/veil"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["commands/completions"]),
    ("clap_mangen", &["commands/man"]),
    ("comfy_table", &["report"]),
    ("crc32c", &["digest"]),
    ("crc32fast", &["repository/zip"]),
    ("fastcdc", &["repository/restic/cut"]),
    ("flate2", &["repository/zip"]),
    ("futures_util", &["repository/storage", "sandbox"]),
    ("http_body_util", &["repository/storage/s3", "sandbox/web"]),
    ("humantime", &[]),
    ("hyper", &["repository/storage/s3", "sandbox/web"]),
    ("hyper_util", &["repository/storage/s3", "sandbox/web"]),
    ("ignore", &["repository"]),
    ("indicatif", &["report"]),
    ("jiff", &[]),
    ("jsonschema", &["plan"]),
    ("libc", &["sandbox/tool"]),
    ("md5", &["digest"]),
    ("mysql_async", &["sandbox/database"]),
    ("postcard", &["repository/catalog"]),
    ("rand", &["repository/restic", "repository/storage"]),
    ("russh_sftp", &["repository/storage/sftp"]),
    ("rustix", &[]),
    ("rustls", &["tls"]),
    ("rusty_s3", &["repository/storage/s3"]),
    ("scrypt", &["repository/restic/keys"]),
    ("serde_json", &[]),
    ("sha1", &["digest"]),
    ("strsim", &["config"]),
    ("tempfile", &[]),
    ("thiserror", &[]),
    ("tokio_postgres", &["sandbox/database"]),
    ("tokio_postgres_rustls", &["sandbox/database"]),
    ("tokio_rustls", &["repository/storage/s3", "sandbox"]),
    ("tokio_util", &["repository/storage/s3", "sandbox", "run", "commands"]),
    ("tracing_subscriber", &["report/trace"]),
    ("percent_encoding", &["config"]),
    ("url", &["config", "repository/storage/s3"]),
    ("wit_component", &["commands/plugin/build"]),
    ("zstd", &["repository/restic"]),
];

/// A source file of `host/`, without comments and tests.
struct Source {
    /// `run/backup.rs`
    path: String,
    /// `["run", "backup"]`
    module: Vec<String>,
    code: String,
}

fn sources() -> Vec<Source> {
    let comment = Regex::new(r"(?m)//.*$").unwrap();
    let host = root().join("host");
    let is_test = |path: &str| path.ends_with("/tests.rs") || path.ends_with("/testing.rs") || path.contains("/tests/");
    let paths = source_files(&host, "rs").into_iter();
    let all = paths.map(|file| (file.strip_prefix(&host).unwrap().to_str().unwrap().to_owned(), file));
    all.filter(|(path, _)| !is_test(path))
        .map(|(path, file)| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            Source { code: comment.replace_all(code, "").into_owned(), module, path }
        })
        .collect()
}

/// Splits `{a::b, c::{d, e}}` at its outermost commas.
fn branches(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(inner) = tree.strip_prefix('{').and_then(|tree| tree.strip_suffix('}')) else {
        return vec![tree.to_owned()];
    };
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in inner.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(letter);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn first_word(path: &str) -> String {
    path.trim().split("::").next().unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned()
}

/// The rooms that a file names: through `crate::`, or through enough `super::`.
fn named_rooms(source: &Source) -> Vec<String> {
    let paths = Regex::new(r"\b(crate|super)((?:::super)*)::(\{[^;]*\}|\w+)").unwrap();
    let mut rooms = Vec::new();
    for found in paths.captures_iter(&source.code) {
        let supers = usize::from(&found[1] == "super") + found[2].matches("super").count();
        let at_root = &found[1] == "crate" || supers >= source.module.len();
        if at_root {
            rooms.extend(branches(&found[3]).iter().map(|branch| first_word(branch)));
        }
    }
    rooms
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|group| group.contains(&room))
}

#[test]
fn names_are_borrowed_only_from_rooms_to_the_left() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let own = &source.module[0];
        let place = rank(own).unwrap_or_else(|| panic!("{}: {own} is no room: add it to the line", source.path));
        for room in named_rooms(source) {
            let borrowed = rank(&room).unwrap_or_else(|| panic!("{}: `crate::{room}` is no room", source.path));
            if room != *own && (borrowed > place || (borrowed == place && place != 0)) {
                wrong.push(format!("{} names {room}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "rooms to the right are named:\n{}", wrong.join("\n"));
}

#[test]
fn the_test_of_the_line_sees_every_way_to_name_a_room() {
    let source = |path: &str, code: &str| Source {
        path: path.to_owned(),
        module: path.trim_end_matches(".rs").split('/').map(str::to_owned).collect(),
        code: code.to_owned(),
    };
    let nested = source("plan/hash.rs", "use crate::{run::{event::Event, part}, digest};\nuse super::super::report;");
    assert_eq!(named_rooms(&nested), ["run", "digest", "report"]);
    assert_eq!(named_rooms(&source("plan.rs", "fn x() -> super::config::Config")), ["config"]);
    assert_eq!(named_rooms(&source("plan/hash.rs", "use super::Plan; crate::run::now()")), ["run"]);
}

#[test]
fn each_dependency_is_named_at_home_only() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let homes: BTreeMap<_, _> = HOMES.iter().copied().collect();
    let uses = Regex::new(r"(?s)\buse (crate|super|self)::.*?;").unwrap();
    let sources: Vec<_> = sources()
        .into_iter()
        .map(|source| Source { code: uses.replace_all(&source.code, "").into_owned(), ..source })
        .collect();
    let mut wrong = Vec::new();
    for package in manifest["dependencies"].as_table().unwrap().keys() {
        let name = if package == "md-5" { "md5".to_owned() } else { package.replace('-', "_") };
        let home =
            homes.get(name.as_str()).unwrap_or_else(|| panic!("give the dependency {package} a home in this test"));
        let named = Regex::new(&format!(r"(?:^|[^:\w]){name}::|\buse {name};")).unwrap();
        let users: Vec<_> =
            sources.iter().filter(|source| named.is_match(&source.code)).map(|source| &source.path).collect();
        if users.is_empty() {
            wrong.push(format!("{package} is named nowhere: drop it"));
        }
        let away = users.into_iter().filter(|path| !home.is_empty() && !home.iter().any(|home| at_home(path, home)));
        wrong.extend(away.map(|path| format!("{package} is named in {path}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether `path` is the module `home` or below it.
fn at_home(path: &str, home: &str) -> bool {
    path.strip_prefix(home).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[test]
fn the_host_knows_no_product() {
    let products = Regex::new("(?i)confluence|nuxeo|kafka|elasticsearch|opensearch").unwrap();
    let mut wrong = Vec::new();
    for file in source_files(&root().join("host"), "") {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().enumerate().filter(|(_, line)| products.is_match(line));
        wrong.extend(lines.map(|(number, line)| format!("{}:{}: {line}", file.display(), number + 1)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is_for_and_stays_readable() {
    let mut wrong = Vec::new();
    for directory in ["host", "plugins", "examples", "tests"] {
        for file in source_files(&root().join(directory), "rs") {
            let text = fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            if !text.starts_with("//! ") {
                wrong.push(format!("{name} does not begin with `//!`"));
            }
            if text.lines().count() > 600 {
                wrong.push(format!("{name} has more than 600 lines"));
            }
            if file.file_name() == Some("mod.rs".as_ref()) {
                wrong.push(format!("{name}: a module stands beside its directory"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_to_do() {
    // Written in pieces, so that this file does not find itself.
    let marks =
        ["to", "unimple", "d"].iter().zip(["do!(", "mented!(", "bg!("]).map(|(head, tail)| format!("{head}{tail}"));
    let marks: Vec<_> = marks.chain([format!("#[{}", "ignore]"), format!("FIX{}", "ME")]).collect();
    let mut wrong = Vec::new();
    for file in ["host", "plugins", "examples", "tests"].iter().flat_map(|name| source_files(&root().join(name), "rs"))
    {
        let text = fs::read_to_string(&file).unwrap();
        wrong
            .extend(marks.iter().filter(|mark| text.contains(*mark)).map(|mark| format!("{}: {mark}", file.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "host",
        "wit",
        "plugins",
        "examples",
        "tests",
        "docs",
    ];
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // `target` is what a build leaves.
    let visible = entries.filter(|name| !name.starts_with('.') && name != "target");
    let strange: Vec<_> = visible.filter(|name| !known.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let missing: Vec<_> = known.iter().filter(|name| !Path::new(root()).join(name).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
