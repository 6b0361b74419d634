//! The JSON Schema of the pipeline file, made from the lists of keys that `validate` reads by: neither can know a key
//! that the other does not.

use serde_json::{Map, Value, json};

use super::{Limits, keep::COUNT_MAX, schema};
use crate::diagnostic::Severity;

/// The schema (JSON Schema, draft 2020-12). What `validate` says beyond it depends on more than one value: names of
/// other steps and grants, the pieces of a URL or a template, ranges of times and sizes.
pub fn json_schema() -> Value {
    let mut whole = table("the pipeline file", schema::FILE, &["pipeline", "repository", "step"], of_file);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "strongroom pipeline",
    });
    if let (Some(whole), Value::Object(mut head)) = (whole.as_object_mut(), head) {
        head.append(whole);
        return Value::Object(head);
    }
    whole
}

/// A table with these keys and no others. A key that nobody described here may hold anything.
fn table(about: &str, keys: &[&str], required: &[&str], of: fn(&str) -> Option<Value>) -> Value {
    let properties: Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), of(key).unwrap_or(json!({})))).collect();
    json!({
        "description": about, "type": "object", "additionalProperties": false, "required": required,
        "properties": properties,
    })
}

/// A table whose keys are names that the operator chooses.
fn named(about: &str, value: Value) -> Value {
    let pattern = format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", schema::NAME_BYTES_MAX - 1);
    json!({
        "description": about, "type": "object", "propertyNames": { "pattern": pattern }, "additionalProperties": value,
    })
}

fn text(about: &str) -> Value {
    json!({ "description": about, "type": "string", "minLength": 1 })
}

fn word(about: &str, words: &[&str]) -> Value {
    json!({ "description": about, "enum": words })
}

fn count(about: &str, range: std::ops::RangeInclusive<u64>) -> Value {
    json!({ "description": about, "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

fn size(about: &str) -> Value {
    json!({ "description": about, "type": ["integer", "string"], "minimum": 0, "minLength": 1 })
}

fn with(mut schema: Value, key: &str, value: Value) -> Value {
    schema[key] = value;
    schema
}

fn of_file(key: &str) -> Option<Value> {
    Some(match key {
        "pipeline" => table("what holds for all of it", schema::PIPELINE, &["name"], of_pipeline),
        "policy" => table("what is kept of older snapshots", schema::POLICY, &[], of_policy),
        "repository" => {
            let one = table("where snapshots go", schema::REPOSITORY, &["url", "format"], of_repository);
            with(named("one repository, by its name, and copies of it", one), "minProperties", json!(1))
        }
        "step" => {
            let one = table("one use of a plugin", schema::STEP, &["plugin"], of_step);
            with(named("the steps, by name", one), "minProperties", json!(1))
        }
        _ => return None,
    })
}

fn of_pipeline(key: &str) -> Option<Value> {
    let severities = [Severity::Info, Severity::Warning, Severity::Blocker].map(Severity::word);
    Some(match key {
        "name" => {
            let pattern = format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", schema::NAME_BYTES_MAX - 1);
            with(text("part of the names of its snapshots"), "pattern", json!(pattern))
        }
        "state" => text("directory for the lock, journals and checkpoints"),
        "order" => {
            let about = "whether a stage begins when the one before has settled, or when it has ended";
            with(word(about, &["settled", "strict"]), "default", json!("settled"))
        }
        "parallel" => count("parts of a stage that run side by side; default: the cores", 1..=1024),
        "severity" => json!({
            "description": "severities of findings, by code", "type": "object",
            "additionalProperties": { "enum": severities },
        }),
        _ => return None,
    })
}

fn of_repository(key: &str) -> Option<Value> {
    Some(match key {
        "url" => text("a directory, sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET/PREFIX"),
        "connections" => with(count("calls at once, off this machine", 1..=64), "default", json!(5)),
        "limit-upload" => size("bytes a second; default: no limit"),
        "limit-download" => size("bytes a second; default: no limit"),
        "timeout" => with(text("how long a call waits while nothing moves"), "default", json!("1m")),
        "retries" => with(count("how often a call that failed is tried again", 0..=20), "default", json!(5)),
        "ssh-config" => text("ssh's configuration; default: the user's and the system's"),
        "region" => with(text("the bucket's region"), "default", json!("us-east-1")),
        "ca" => text("PEM file of trusted authorities; default: the system's"),
        "access-key-id" => with(source(), "description", json!("default: AWS_ACCESS_KEY_ID")),
        "secret-access-key" => with(source(), "description", json!("default: AWS_SECRET_ACCESS_KEY")),
        "format" => word("how snapshots are kept there", &["zip", "restic"]),
        "copy-of" => text("the name of the repository whose snapshots are copied to this one"),
        "compression" => with(word("whether new snapshots are compressed", &["auto", "off"]), "default", json!("auto")),
        "recipients" => json!({
            "description": "age recipients that new sets are encrypted to", "type": "array", "minItems": 1,
            "items": { "type": "string", "pattern": "^age1" },
        }),
        "identity" => with(source(), "description", json!("opens encrypted sets: as age-keygen writes it")),
        "password" => with(source(), "description", json!("opens a repository of format restic")),
        _ => return None,
    })
}

fn of_policy(key: &str) -> Option<Value> {
    Some(match key {
        "forget" => {
            let about = "when snapshots that no rule keeps are removed";
            with(word(about, &["when-asked", "after-complete"]), "default", json!("when-asked"))
        }
        "keep" => table("which snapshots are kept", schema::KEEP, &[], of_keep),
        _ => return None,
    })
}

fn of_keep(key: &str) -> Option<Value> {
    if key.starts_with("within") {
        return Some(text("those of this long a time, such as \"1y5m7d2h\""));
    }
    let about = "the newest of so many hours, days, weeks, months or years, or of all: \"unlimited\"";
    Some(json!({
        "description": about,
        "anyOf": [{ "type": "integer", "minimum": 0, "maximum": COUNT_MAX }, { "const": "unlimited" }],
    }))
}

fn of_step(key: &str) -> Option<Value> {
    Some(match key {
        "plugin" => text("a plugin's name, or the path of a component"),
        "after" => json!({
            "description": "steps whose notes and instants it may read", "type": "array",
            "items": { "type": "string", "minLength": 1 },
        }),
        "config" => json!({ "description": "the plugin's own settings", "type": "object" }),
        "grant" => table("what it may reach", schema::GRANT, &[], of_grant),
        "limits" => table("what one call of the plugin may use up", schema::LIMITS, &[], of_limits),
        _ => return None,
    })
}

fn of_grant(key: &str) -> Option<Value> {
    Some(match key {
        "dirs" => named("directories", table("a directory", schema::DIR, &["path", "access"], of_dir)),
        "sql" => named("databases", table("a database", schema::SQL, &["url"], of_sql)),
        "http" => named("web services", table("a web service", schema::HTTP, &["url"], of_http)),
        "tcp" => named("services over TCP", table("a service", schema::TCP, &["endpoints"], of_tcp)),
        "tools" => named("native programs", table("a native program", schema::TOOL, &["argv"], of_tool)),
        "secrets" => named("secrets that the plugin itself may read", source()),
        _ => return None,
    })
}

fn of_dir(key: &str) -> Option<Value> {
    Some(match key {
        "path" => text("a directory"),
        "access" => word("what may be done below it", &["read", "write"]),
        _ => return None,
    })
}

fn of_sql(key: &str) -> Option<Value> {
    Some(match key {
        "url" => {
            let about = "such as postgresql://USER@HOST:5432/DATABASE; never with a password";
            with(text(about), "pattern", json!("^[a-z]+://"))
        }
        "password" => source(),
        "timeout" => text("how long a query may take until its first row, such as \"30s\""),
        _ => return None,
    })
}

fn of_http(key: &str) -> Option<Value> {
    Some(match key {
        "url" => with(text("such as https://HOST:PORT/PATH; never with a password"), "pattern", json!("^https?://")),
        "methods" => texts("what may be done; default: GET"),
        "paths" => texts("paths at or below which requests may go; default: all"),
        "ca" => text("PEM file of the authorities that are trusted; default: the system's"),
        "certificate" => text("PEM file of the client's certificate"),
        "key" => text("PEM file of its private key"),
        "basic" => table("a user and his password", schema::HTTP_BASIC, schema::HTTP_BASIC, of_credential),
        "bearer" => source(),
        "header" => table("another header", schema::HTTP_HEADER, schema::HTTP_HEADER, of_credential),
        "timeout" => text("how long to wait for the head of an answer, such as \"1m\""),
        "connect-timeout" => text("how long a connection may take, such as \"10s\""),
        _ => return None,
    })
}

fn of_credential(key: &str) -> Option<Value> {
    Some(match key {
        "user" => text("without a colon"),
        "name" => text("the header's name"),
        "password" | "value" => source(),
        _ => return None,
    })
}

fn of_tcp(key: &str) -> Option<Value> {
    Some(match key {
        "endpoints" => texts("what may be connected to, each as HOST:PORT"),
        "tls" => {
            let tls = table("what the connection is encrypted with", schema::TCP_TLS, &[], of_tls);
            json!({ "description": "whether the connection is encrypted, and how", "anyOf": [{ "type": "boolean" }, tls] })
        }
        "connect-timeout" => text("how long it may take until bytes can flow, such as \"10s\""),
        "idle" => text("how long a read or a write may move nothing, such as \"1m\""),
        _ => return None,
    })
}

fn of_tls(key: &str) -> Option<Value> {
    Some(match key {
        "server-name" => text("what the server's certificate must name; default: the endpoint's host"),
        key => return of_http(key).filter(|_| schema::TCP_TLS.contains(&key)),
    })
}

/// At least one text.
fn texts(about: &str) -> Value {
    json!({ "description": about, "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } })
}

fn of_tool(key: &str) -> Option<Value> {
    Some(match key {
        "argv" => json!({
            "description": "the program's absolute path, then its arguments; each of these may hold parameters",
            "type": "array", "items": { "type": "string" }, "minItems": 1,
            "prefixItems": [{ "type": "string", "pattern": "^/" }],
        }),
        "env" => {
            let secret = table("a secret's value, or the path of a file that holds it", schema::TOOL_ENV, &[], of_env);
            let secret = exactly_one(secret);
            json!({
                "description": "the whole environment", "type": "object", "propertyNames": { "pattern": "^[^=]+$" },
                "additionalProperties": { "anyOf": [{ "type": "string" }, secret] },
            })
        }
        "offline" => json!({
            "description": "it reads only what it is fed, so verify may use it", "type": "boolean", "default": false,
        }),
        "ok-exit" => json!({
            "description": "exit codes that mean success", "type": "array", "minItems": 1, "default": [0],
            "items": { "type": "integer", "minimum": 0, "maximum": 255 },
        }),
        "timeout" => text("how long to wait for its exit once its output has ended, such as \"10m\""),
        _ => return None,
    })
}

fn of_env(key: &str) -> Option<Value> {
    ["secret", "secret-file"].contains(&key).then(source)
}

/// Where a secret comes from.
fn source() -> Value {
    exactly_one(table("where the secret comes from, never the secret", schema::SOURCE, &[], of_source))
}

fn exactly_one(table: Value) -> Value {
    with(with(table, "minProperties", json!(1)), "maxProperties", json!(1))
}

fn of_source(key: &str) -> Option<Value> {
    Some(match key {
        "file" => text("a file's content"),
        "env" => text("a variable of strongroom's own environment"),
        "command" => json!({
            "description": "what the program prints", "type": "array", "minItems": 1,
            "items": { "type": "string", "minLength": 1 }, "prefixItems": [{ "type": "string", "pattern": "^/" }],
        }),
        "credential" => with(text("a file in $CREDENTIALS_DIRECTORY"), "pattern", json!("^[^/]+$")),
        _ => return None,
    })
}

fn of_limits(key: &str) -> Option<Value> {
    let default = Limits::default();
    let time = |about: &str, default: std::time::Duration| {
        with(text(about), "default", json!(humantime::format_duration(default).to_string()))
    };
    let bytes = |about: &str, default: u64| with(size(about), "default", json!(default));
    let number = |about: &str, default: u32| with(count(about, 1..=1_000_000), "default", json!(default));
    Some(match key {
        "memory" => bytes("memory of one instance, such as \"256 MiB\"", default.memory_bytes),
        "compute" => time("time that one call may compute", default.compute),
        "no-progress" => time("how long a host call that moves bytes may move none", default.no_progress),
        "part-time" => time("wall time of one part", default.part_time),
        "handles" => number("resources that the plugin may hold", default.handles),
        "open-streams" => number("streams among them", default.open_streams),
        "log-bytes" => bytes("what a part may log", default.log_bytes),
        "hostcall-fuel" => bytes("bytes that one host call may bring into the host", default.hostcall_fuel_bytes),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::validate::tests::{S3, SFTP, WHOLE, read};

    fn instance(text: &str) -> Value {
        serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
    }

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&json_schema()).expect("it is a schema")
    }

    #[test]
    fn it_is_a_schema_and_every_key_is_described() {
        assert!(jsonschema::draft202012::meta::is_valid(&json_schema()));
        fn described(at: &str, schema: &Value) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "describe `{at}.{key}` in config/json_schema.rs");
                described(&format!("{at}.{key}"), property);
                described(&format!("{at}.{key}.NAME"), &property["additionalProperties"]);
            }
        }
        described("", &json_schema());
    }

    #[test]
    fn what_it_accepts_and_refuses_validate_does_too() {
        let validator = validator();
        for text in [WHOLE, SFTP, S3] {
            assert!(validator.is_valid(&instance(text)), "{:?}", validator.validate(&instance(text)).err());
        }
        // A key that nobody knows, in each table of the file.
        let headers = WHOLE.match_indices('\n').filter(|(at, _)| WHOLE[at + 1..].starts_with('['));
        let mut tables = 0;
        for (at, _) in headers {
            let end = at + 1 + WHOLE[at + 1..].find('\n').unwrap();
            let header = &WHOLE[at + 1..end];
            if header.contains("config") || header.contains("severity") || header.ends_with("grant.secrets]") {
                continue;
            }
            let text = format!("{}\nzebra = true{}", &WHOLE[..end], &WHOLE[end..]);
            assert!(read(&text).is_err() && !validator.is_valid(&instance(&text)), "{header}");
            tables += 1;
        }
        assert!(tables >= 7, "{tables}");
    }

    #[test]
    fn what_validate_refuses_for_one_value_alone_it_refuses_too() {
        for (right, wrong) in [
            ("name = \"wiki\"", "name = \"Wiki\""),
            ("order = \"strict\"", "order = \"loose\""),
            ("parallel = 3", "parallel = 0"),
            ("left-out = \"info\"", "left-out = \"error\""),
            ("access = \"read\"", "access = \"all\""),
            ("{ file = \"secret\" }", "\"hunter2\""),
            ("{ file = \"secret\" }", "{ file = \"secret\", env = \"A\" }"),
            ("\"/usr/bin/pg_dump\"", "\"pg_dump\""),
            ("offline = true", "offline = \"yes\""),
            ("ok-exit = [0, 3]", "ok-exit = []"),
            ("handles = 10", "handles = 0"),
            ("[step.dam]", "[step.Dam]"),
            ("format = \"zip\"", "format = \"tar\""),
        ] {
            let text = WHOLE.replacen(right, wrong, 1);
            assert_ne!(text, WHOLE, "{right}");
            assert!(read(&text).is_err(), "{wrong}");
            assert!(!validator().is_valid(&instance(&text)), "{wrong}");
        }
    }
}
