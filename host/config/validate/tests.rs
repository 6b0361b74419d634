//! Pipelines that are right, and files with many mistakes.

use std::time::Duration;

use super::*;
use crate::{
    config::{Access, EnvValue, Forget, Place},
    secret::Source,
};

mod elsewhere;
mod services;

pub(in crate::config) use elsewhere::{S3, SFTP};

pub(in crate::config) fn read(text: &str) -> Result<Config, Problems> {
    let env = |name: &str| (name == "STATE_DIRECTORY").then(|| "/state:/other".to_owned());
    parse(Path::new("/etc/strongroom/wiki.toml"), text, &env)
}

pub(in crate::config) const HEAD: &str =
    "[pipeline]\nname = \"wiki\"\n[repository.local]\nurl = \"sets\"\nformat = \"zip\"\n";

/// The problems of a step's lines, drawn.
fn drawn(step: &str) -> String {
    read(&format!("{HEAD}[step.wiki]\nplugin = \"p\"\n{step}")).unwrap_err().render(false)
}

/// Every key that a file may have, but for those of repositories elsewhere.
pub(in crate::config) const WHOLE: &str = r#"
[pipeline]
name = "wiki"
order = "strict"
parallel = 3
[pipeline.severity]
left-out = "info"

[repository.local]
url = "../sets"
format = "zip"
compression = "off"
recipients = ["age1c7ufaj9ap4fp323xm3kcr9m3a3m6dyfzftvw4s4q68jmyt765d5qk49zwt"]
identity = { file = "key.txt" }
[repository.offsite]
url = "../copies"
format = "restic"
copy-of = "local"
password = { file = "password" }

[policy]
forget = "after-complete"
[policy.keep]
last = 3
daily = "unlimited"
within-monthly = "1y6m"

[step.wiki]
plugin = "wiki"
after = ["dam"]
[step.wiki.config]
home-mode = "minimal"
list = [1, 2.5, true]
[step.wiki.grant.dirs.home]
path = "/var/wiki/"
access = "read"
[step.wiki.grant.sql.database]
url = "postgresql://backup@[::1]:5433/wiki?sslmode=verify-ca&sslrootcert=ca.pem"
password = { file = "secret" }
timeout = "90s"
[step.wiki.grant.tools.dump]
argv = ["/usr/bin/pg_dump", "--snapshot={snapshot:word}", "--host={sql.database.host}", "{f:path:home}", ""]
env = { PGPASSWORD = { secret = { env = "PW" } }, PGPASSFILE = "/x", KEY = { secret-file = { credential = "key" } } }
offline = true
ok-exit = [0, 3]
[step.wiki.grant.secrets]
license = { command = ["/bin/cat", "/x"] }
[step.wiki.grant.http.search]
url = "https://ES.example/base/"
methods = ["GET", "POST"]
paths = ["/wiki", "/_snapshot/"]
ca = "ca.pem"
certificate = "me.pem"
key = "/etc/me.key"
basic = { user = "backup", password = { env = "PW" } }
timeout = "2m"
[step.wiki.grant.http.bearer]
url = "https://h"
bearer = { file = "token" }
connect-timeout = "3s"
[step.wiki.grant.http.header]
url = "http://localhost:9200"
header = { name = "X-Api-Key", value = { credential = "key" } }
[step.wiki.grant.tcp.broker]
endpoints = ["broker-0.example:9093", "[2001:DB8::1]:9093"]
tls = { ca = "ca.pem", certificate = "me.pem", key = "/etc/me.key", server-name = "broker" }
connect-timeout = "3s"
idle = "30s"
[step.wiki.limits]
memory = "256 MiB"
part-time = "6h"
log-bytes = 4096
handles = 10

[step.dam]
plugin = "./dam.wasm"
"#;

#[test]
fn a_whole_pipeline_is_understood() {
    let config = read(WHOLE).unwrap();
    assert_eq!((config.order, config.parallel.map(NonZeroUsize::get)), (Order::Strict, Some(3)));
    assert_eq!(config.state, Path::new("/state"));
    assert_eq!(config.repository.url, Place::Directory("/etc/strongroom/../sets".into()));
    assert_eq!(config.severity["left-out"], Severity::Info);
    assert_eq!(config.steps.iter().map(|step| &step.name[..]).collect::<Vec<_>>(), ["wiki", "dam"]);
    assert_eq!(config.policy.forget, Forget::AfterComplete);
    assert_eq!(config.policy.keep.to_string(), "last 3, daily unlimited, within-monthly 1y6m");
    let step = config.step("wiki").unwrap();
    assert_eq!(step.config, serde_json::json!({"home-mode": "minimal", "list": [1, 2.5, true]}));
    assert_eq!(step.grants.dirs["home"].access, Access::Read);
    let sql = &step.grants.sql["database"];
    assert_eq!((&sql.host[..], sql.port, sql.timeout), ("::1", 5433, Some(Duration::from_secs(90))));
    assert_eq!(sql.ca.as_deref(), Some(Path::new("/etc/strongroom/ca.pem")));
    assert_eq!(sql.password, Some(Source::File("/etc/strongroom/secret".into())));
    let tool = &step.grants.tools["dump"];
    assert_eq!((tool.argv.len(), tool.offline, &tool.ok_exit[..]), (5, true, &[0, 3][..]));
    assert_eq!(tool.env["PGPASSWORD"], EnvValue::Secret(Source::Env("PW".to_owned())));
    assert_eq!(step.limits.memory_bytes, 256 << 20);
    assert_eq!((step.limits.log_bytes, step.limits.handles), (4096, 10));
    assert_eq!(config.step("dam").unwrap().limits, Limits::default());
    insta::assert_snapshot!(step.grants.lines().join("\n"), @r#"
    dirs.home /var/wiki, read
    sql.database postgresql://backup@[::1]:5433/wiki, sslmode verify-ca, authorities /etc/strongroom/ca.pem, password from file /etc/strongroom/secret, timeout 1m 30s
    http.bearer https://h, GET below /, bearer from file /etc/strongroom/token, timeout 1m, connect-timeout 3s
    http.header http://localhost:9200, GET below /, header X-Api-Key from credential key, timeout 1m, connect-timeout 10s
    http.search https://es.example/base, GET POST below /wiki /_snapshot/, authorities /etc/strongroom/ca.pem, certificate /etc/strongroom/me.pem with key /etc/me.key, user backup with password from environment variable PW, timeout 2m, connect-timeout 10s
    tcp.broker broker-0.example:9093 [2001:db8::1]:9093, TLS, authorities /etc/strongroom/ca.pem, certificate /etc/strongroom/me.pem, key /etc/me.key, server-name broker, connect-timeout 3s, idle 30s
    tools.dump /usr/bin/pg_dump --snapshot={snapshot:word} --host={sql.database.host} {f:path:home} "", KEY as a file from credential key, PGPASSFILE=/x, PGPASSWORD from environment variable PW, offline, ok-exit [0, 3]
    secrets.license command /bin/cat /x
    "#);
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let text = r#"
[pipelin]
name = "wiki"

[repository.local]
url = "rest://bucket/x"
format = "restic"
[repository.second]

[step.Wiki]
pluign = "wiki"
after = ["dam", "nobody"]
[step.Wiki.grant.dirs.home]
path = 3
access = "all"
[step.Wiki.grant.tools.dump]
argv = ["pg_dump", "--x={y}", "--host={sql.database.host}", "{z:path:hom}"]
[step.Wiki.limits]
memory = "lots"
part-time = "6"
handles = 0

[step.dam]
plugin = "dam"
after = ["Wiki"]
"#;
    insta::assert_snapshot!(read(text).unwrap_err().render(false), @r#"
    error: unknown key `pipelin` in the file
     --> /etc/strongroom/wiki.toml:2:2
      |
    2 | [pipelin]
      |  ^^^^^^^
      |
      = help: did you mean `pipeline`?

    error: a repository of format restic needs a `password`
     --> /etc/strongroom/wiki.toml:5:13
      |
    5 | [repository.local]
      |             ^^^^^
      |
      = help: write password = { file = "/etc/strongroom/password" }

    error: repositories at rest:// are not known
     --> /etc/strongroom/wiki.toml:6:7
      |
    6 | url = "rest://bucket/x"
      |       ^^^^^^^^^^^^^^^^^
      |
      = help: write the path of a directory, sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET/PREFIX

    error: [repository.second] lacks `url`
     --> /etc/strongroom/wiki.toml:8:13
      |
    8 | [repository.second]
      |             ^^^^^^
      |
      = help: add url = "/srv/backup"

    error: [repository.second] lacks `format`
     --> /etc/strongroom/wiki.toml:8:13
      |
    8 | [repository.second]
      |             ^^^^^^
      |
      = help: add format = "zip" or "restic"

    error: a second repository, "second"
     --> /etc/strongroom/wiki.toml:8:13
      |
    8 | [repository.second]
      |             ^^^^^^
      |
      = help: a backup is written to one: write copy-of = "local" in all others

    error: "Wiki" is no name
      --> /etc/strongroom/wiki.toml:10:7
       |
    10 | [step.Wiki]
       |       ^^^^
       |
       = help: lower-case letters, digits, - and _, beginning with a letter or digit, at most 63

    error: unknown key `pluign` in [step.Wiki]
      --> /etc/strongroom/wiki.toml:11:1
       |
    11 | pluign = "wiki"
       | ^^^^^^
       |
       = help: did you mean `plugin`?

    error: `after` names "nobody", which is no step
      --> /etc/strongroom/wiki.toml:12:17
       |
    12 | after = ["dam", "nobody"]
       |                 ^^^^^^^^
       |
       = help: steps are Wiki, dam

    error: `step.Wiki.grant.dirs.home.path` is an integer, expected a string
      --> /etc/strongroom/wiki.toml:14:8
       |
    14 | path = 3
       |        ^

    error: "all" is no value of `step.Wiki.grant.dirs.home.access`
      --> /etc/strongroom/wiki.toml:15:10
       |
    15 | access = "all"
       |          ^^^^^
       |
       = help: write "read" or "write"

    error: a tool's program must be an absolute path without parameters
      --> /etc/strongroom/wiki.toml:17:9
       |
    17 | argv = ["pg_dump", "--x={y}", "--host={sql.database.host}", "{z:path:hom}"]
       |         ^^^^^^^^^
       |
       = help: write for example "/usr/bin/pg_dump"

    error: {y} has no type
      --> /etc/strongroom/wiki.toml:17:25
       |
    17 | argv = ["pg_dump", "--x={y}", "--host={sql.database.host}", "{z:path:hom}"]
       |                         ^^^
       |
       = help: write {name:word}, {name:identifier}, {name:number}, {name:path:DIR}, {sql.NAME.FIELD}, or {{ and }} for braces

    error: the template names sql.database, which is not granted
      --> /etc/strongroom/wiki.toml:17:44
       |
    17 | argv = ["pg_dump", "--x={y}", "--host={sql.database.host}", "{z:path:hom}"]
       |                                            ^^^^^^^^
       |
       = help: grant it with [….grant.sql.database], or name one that is granted

    error: the template names dirs.hom, which is not granted
      --> /etc/strongroom/wiki.toml:17:70
       |
    17 | argv = ["pg_dump", "--x={y}", "--host={sql.database.host}", "{z:path:hom}"]
       |                                                                      ^^^
       |
       = help: did you mean "home"?

    error: `step.Wiki.limits.memory` is no size
      --> /etc/strongroom/wiki.toml:19:10
       |
    19 | memory = "lots"
       |          ^^^^^^
       |
       = help: write a number and a unit, like "256 MiB"

    error: `step.Wiki.limits.part-time` is no duration: time unit needed, for example 6sec or 6ms
      --> /etc/strongroom/wiki.toml:20:13
       |
    20 | part-time = "6"
       |             ^^^
       |
       = help: write a number and a unit, like "90s", "15m" or "6h"

    error: `step.Wiki.limits.handles` must lie between 1 and 1000000
      --> /etc/strongroom/wiki.toml:21:11
       |
    21 | handles = 0
       |           ^

    error: step "dam" would come after itself
      --> /etc/strongroom/wiki.toml:25:10
       |
    25 | after = ["Wiki"]
       |          ^^^^^^
       |
       = help: take "Wiki" out of its `after`
    "#);
}

#[test]
fn a_literal_secret_is_refused_and_never_shown() {
    let drawn = drawn(
        r#"[step.wiki.grant.sql.a]
url = "postgresql://me:hunter2@h/d"
password = "hunter2"
[step.wiki.grant.sql.b]
url = "postgresql://me@h/d"
passwrod = "hunter2"
password = { value = "hunter2" }
[step.wiki.grant.tools.t]
argv = ["/bin/true"]
env = { PGPASSWORD = "hunter2", TOKEN_FILE = "/x" }
[step.wiki.grant.secrets]
api = "hunter2"
other = ["hunter2"]
"#,
    );
    assert!(!drawn.contains("hunter2"), "{drawn}");
    insta::assert_snapshot!(drawn, @r#"
    error: a database's URL holds a password
     --> /etc/strongroom/wiki.toml:9:7
      |
    9 | url = [secret]
      |       ^^^^^^^^
      |
      = help: take it out and add password = { file = "/path/of/a/file" } to the grant

    error: `step.wiki.grant.sql.a.password`: secrets are never written literally
      --> /etc/strongroom/wiki.toml:10:12
       |
    10 | password = [secret]
       |            ^^^^^^^^
       |
       = help: write { file = "/path" }, { env = "NAME" }, { command = ["/path", …] } or { credential = "NAME" }

    error: unknown key `passwrod` in [step.wiki.grant.sql.b]
      --> /etc/strongroom/wiki.toml:13:1
       |
    13 | passwrod = [secret]
       | ^^^^^^^^
       |
       = help: did you mean `password`?

    error: unknown key `value` in [step.wiki.grant.sql.b.password]
      --> /etc/strongroom/wiki.toml:14:14
       |
    14 | password = { value = [secret] }
       |              ^^^^^
       |
       = help: known here: file, env, command, credential

    error: `step.wiki.grant.tools.t.env.PGPASSWORD`: secrets are never written literally
      --> /etc/strongroom/wiki.toml:17:22
       |
    17 | env = { PGPASSWORD = [secret], TOKEN_FILE = "/x" }
       |                      ^^^^^^^^
       |
       = help: write { secret = { file = "/path" } }, or secret-file for the path of one

    error: `step.wiki.grant.secrets.api`: secrets are never written literally
      --> /etc/strongroom/wiki.toml:19:7
       |
    19 | api = [secret]
       |       ^^^^^^^^
       |
       = help: write { file = "/path" }, { env = "NAME" }, { command = ["/path", …] } or { credential = "NAME" }

    error: `step.wiki.grant.secrets.other`: secrets are never written literally
      --> /etc/strongroom/wiki.toml:20:9
       |
    20 | other = [secret]
       |         ^^^^^^^^
       |
       = help: write { file = "/path" }, { env = "NAME" }, { command = ["/path", …] } or { credential = "NAME" }
    "#);
}

#[test]
fn a_file_that_is_no_toml_shows_where_and_keeps_secrets() {
    let text = "[pipeline]\nname = \"a\"\nname = \"b\"\n[step.a.grant.sql.b]\npassword = hunter2\n";
    let problems = read(text).unwrap_err();
    assert!(problems.problems.len() >= 2);
    let drawn = problems.render(false);
    assert!(drawn.contains("wiki.toml:3") && drawn.contains("wiki.toml:5"), "{drawn}");
    assert!(!drawn.contains("hunter2"), "{drawn}");
}

#[test]
fn steps_that_come_after_each_other_are_refused() {
    let text = "[step.a]\nplugin=\"p\"\nafter=[\"b\"]\n[step.b]\nplugin=\"p\"\nafter=[\"c\"]\n[step.c]\nplugin=\"p\"\nafter=[\"a\"]\n";
    let problems = read(&format!("{HEAD}{text}")).unwrap_err();
    assert_eq!(problems.problems.len(), 1);
    assert!(problems.problems[0].message.contains("step \"c\" would come after itself"));
    assert!(drawn("after = [\"wiki\"]\n").contains("would come after itself"));
}

#[test]
fn an_empty_file_says_what_belongs_into_it() {
    let problems = read("").unwrap_err();
    let help: Vec<_> = problems.problems.iter().filter_map(|problem| problem.help.clone()).collect();
    assert_eq!(help.len(), 3);
    assert!(help.iter().any(|help| help.contains("[step.NAME]")));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = load(Path::new("/nowhere/strongroom.toml")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/strongroom.toml"));
    assert!(matches!(load(Path::new("/dev/zero")), Err(LoadError::Unreadable { .. })));
}

#[test]
fn no_single_wrong_value_is_accepted_or_goes_unexplained() {
    // Every value of a right file, replaced by ones of another type: a problem each time, and never a panic.
    for (start, _) in WHOLE.match_indices(" = ") {
        let value = start + 3;
        let end = value + WHOLE[value..].find('\n').unwrap();
        for wrong in ["[]", "-1", "{ x = 1979-05-27 }", "\"\""] {
            let text = format!("{}{wrong}{}", &WHOLE[..value], &WHOLE[end..]);
            match read(&text) {
                Err(problems) => assert!(!problems.problems.is_empty() && !problems.render(true).is_empty(), "{text}"),
                // Nothing is wrong with an empty list of steps, or with what only the plugin can judge.
                Ok(_) => assert!(
                    wrong == "[]" && text.contains("after = []") || WHOLE[..value].contains("config]"),
                    "{text}"
                ),
            }
        }
    }
}

const LITERAL: &str = r#"[step.wiki.grant.sql.a]
url = "postgresql://me:hunter2@h/d"
password = "hunter2"
[step.wiki.grant.tools.t]
argv = ["/bin/true"]
env = { PGPASSWORD = "hunter2" }
[step.wiki.grant.secrets]
api = "hunter2"
[step.wiki.limits]
handles = 3
"#;

#[test]
fn no_slip_of_a_finger_shows_a_secret_or_goes_unexplained() {
    let text = format!("{HEAD}[step.wiki]\nplugin = \"p\"\n{LITERAL}");
    for at in 0..text.len() {
        for slip in ["", "\"", "=", "\n", "]", "x"] {
            let text = format!("{}{slip}{}", &text[..at], &text[at + 1..]);
            let problems = read(&text).unwrap_err();
            let drawn = problems.render(false);
            assert!(!problems.problems.is_empty(), "{text}");
            assert!(!drawn.contains("hunt") && !drawn.contains("ter2"), "{slip:?} at {at}\n{drawn}");
        }
    }
}

#[test]
fn an_unknown_kind_of_grant_is_named_wherever_it_is_written() {
    for step in
        ["[step.wiki.grant.dir.home]\npath = \"/x\"\n", "grant.dir.home.path = \"/x\"\n", "grant = { dir = 3 }\n"]
    {
        let drawn = drawn(step);
        assert!(drawn.contains("unknown key `dir` in [step.wiki.grant]") && drawn.contains("wiki.toml:8"), "{drawn}");
        assert!(
            drawn.contains("did you mean `dirs`?") && drawn.contains("dir.home") != drawn.contains("[secret]"),
            "{drawn}"
        );
    }
}

#[test]
fn rules_that_mean_nothing_are_refused_at_the_door() {
    let problems =
        |lines: &str| read(&format!("{HEAD}[step.wiki]\nplugin = \"p\"\n{lines}")).unwrap_err().render(false);
    for (lines, said) in [
        ("[policy]\nforget = \"after-complete\"", "no rule says which are kept"),
        ("[policy]\nforget = \"after-complete\"\nkeep = { daily = 0 }", "no rule says which are kept"),
        ("[policy]\nforget = \"always\"", "\"when-asked\" or \"after-complete\""),
        ("[policy.keep]\ndayly = 7", "did you mean `daily`?"),
        ("[policy.keep]\ndaily = -1", "must lie between 0 and 1000000"),
        ("[policy.keep]\ndaily = \"seven\"", "or `unlimited`"),
        ("[policy.keep]\nwithin = \"3w\"", "is no period"),
        ("[policy.keep]\nwithin = 30", "is an integer, expected a string"),
    ] {
        let drawn = problems(lines);
        assert!(drawn.contains(said), "{lines}: {drawn}");
    }
    assert!(read(&format!("{HEAD}[policy.keep]\ndaily = 0\n[step.wiki]\nplugin = \"p\"")).is_ok());
}

/// Made by `age-keygen`; nobody has its secret key.
const RECIPIENT: &str = "age1c7ufaj9ap4fp323xm3kcr9m3a3m6dyfzftvw4s4q68jmyt765d5qk49zwt";
const SECRET_KEY: &str = "AGE-SECRET-KEY-1NOTREALLYONEBUTITMUSTNOTBESHOWN";

#[test]
fn one_repository_is_written_to_and_all_others_are_copies_of_it() {
    let copy =
        |name: &str, of: &str| format!("[repository.{name}]\nurl = \"{name}\"\nformat = \"zip\"\ncopy-of = \"{of}\"\n");
    let step = "[step.wiki]\nplugin = \"wiki\"\n";
    let config = read(&format!("{HEAD}{}{}{step}", copy("a", "local"), copy("b", "local"))).unwrap();
    assert_eq!(config.repository.name, "local");
    assert_eq!(config.copies.iter().map(|copy| copy.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let said = |text: &str| read(text).unwrap_err().render(false);
    let chained = said(&format!("{HEAD}{}{}", copy("a", "local"), copy("b", "a")));
    assert!(chained.contains("`copy-of` names \"a\", which is not where backups are written to"), "{chained}");
    let circle = said(&HEAD.replace("format = \"zip\"", "format = \"zip\"\ncopy-of = \"local\""));
    assert!(circle.contains("every repository is a copy"), "{circle}");
    let same = said(&format!("{HEAD}{}", copy("a", "local").replace("url = \"a\"", "url = \"sets\"")));
    assert!(same.contains("is where backups are written to"), "{same}");
}

#[test]
fn a_copy_that_must_open_encrypted_sets_needs_what_opens_them() {
    let recipients = format!("recipients = [\"{RECIPIENT}\"]\n");
    let zip = |url: &str, more: &str| format!("url = \"{url}\"\nformat = \"zip\"\n{more}");
    let restic = |url: &str| format!("url = \"{url}\"\nformat = \"restic\"\npassword = {{ env = \"P\" }}\n");
    let read = |first: &str, copy: &str| {
        let head = HEAD.replace("url = \"sets\"\nformat = \"zip\"\n", first);
        assert!(head.contains(first), "{head}");
        read(&format!("{head}[repository.a]\ncopy-of = \"local\"\n{copy}[step.wiki]\nplugin = \"wiki\"\n"))
    };
    let (clear, closed, sftp) = (zip("sets", ""), zip("sets", &recipients), "sftp:nas:sets");
    let open = |url: &str| zip(url, &format!("{recipients}identity = {{ credential = \"key\" }}\n"));
    for (first, copy) in [
        (&closed, zip("a", "")),
        (&closed, zip(sftp, "")),
        (&closed, zip("a", &recipients)),
        (&clear, zip(sftp, &recipients)),
        (&restic("r"), zip(sftp, &recipients)),
        (&clear, open("a")),
        (&open("sets"), restic("r")),
    ] {
        read(first, &copy).unwrap();
    }
    for (first, copy, closed) in [
        (&closed, restic("r"), "local"),
        (&clear, zip("a", &recipients), "a"),
        (&restic("r"), zip("a", &recipients), "a"),
    ] {
        let drawn = read(first, &copy).unwrap_err().render(false);
        let words = format!("copies cannot be made without an `identity`: the sets of {closed} are encrypted");
        assert!(drawn.contains(&words), "{drawn}");
    }
}

#[test]
fn a_repository_names_whom_it_encrypts_to_and_what_opens_it() {
    let lines =
        format!("recipients = [\"{RECIPIENT}\"]\nidentity = {{ credential = \"key\" }}\n[step.wiki]\nplugin = \"p\"\n");
    let repository = read(&format!("{HEAD}{lines}")).unwrap().repository;
    assert_eq!(repository.recipients.iter().map(ToString::to_string).collect::<Vec<_>>(), [RECIPIENT]);
    assert_eq!(repository.identity, Some(Source::Credential("key".into())));
}

#[test]
fn a_wrong_recipient_is_named_and_a_secret_key_is_not_shown() {
    let problems =
        |lines: &str| read(&format!("{HEAD}{lines}\n[step.wiki]\nplugin = \"p\"\n")).unwrap_err().render(false);
    let flipped = RECIPIENT.replace('q', "p");
    for lines in [format!("recipients = [\"{flipped}\"]"), format!("recipients = [\"{SECRET_KEY}\"]")] {
        let drawn = problems(&lines);
        assert!(drawn.contains("is no age recipient") && !drawn.contains(SECRET_KEY), "{drawn}");
    }
    assert!(problems("recipients = []").contains("must name 1 to 64"));
    assert!(problems(&format!("recipients = \"{RECIPIENT}\"")).contains("expected a list"));
    let drawn = problems(&format!("identity = \"{SECRET_KEY}\""));
    assert!(!drawn.contains(SECRET_KEY) && drawn.contains("identity"), "{drawn}");
}
