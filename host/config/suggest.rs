//! Writes TOML for the operator: a whole pipeline with comments, or the lines that would grant one thing.

use std::{collections::BTreeMap, fmt::Write};

use toml::de::{DeTable, DeValue};

use super::schema;

/// A grant that a plugin would use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    /// `dirs:read`, `dirs:write`, `tools`, `sql`, `http`, `tcp` or `secrets`.
    pub capability: String,
    /// The name that the plugin asks for.
    pub name: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Without it nothing can be done.
    pub required: bool,
    /// The grant's body as it is usually written.
    pub toml: String,
}

/// A commented pipeline that uses one plugin.
///
/// `plugin` is its name or path, `summary` a sentence about it, `config_schema` its JSON Schema (empty: none),
/// `wanted` what it asks for: required grants stand as they are suggested, others as comments. `given` holds what the
/// operator said already, by `dirs.install`: a path, a URL or the body of the grant.
pub fn new_pipeline(
    name: &str,
    plugin: &str,
    summary: &str,
    config_schema: &str,
    wanted: &[Suggested],
    given: &BTreeMap<String, String>,
) -> String {
    let step = step_name(plugin);
    let mut text = format!(
        "# {}\n# Check it with `strongroom config validate`, see what it would do with `strongroom plan`.\n\n\
         [pipeline]\nname = {}\n\n[repository.local]\n# a directory; relative paths begin at this file\n\
         url = \"repository\"\nformat = \"zip\"\n\n[step.{step}]\nplugin = {}\n",
        one_line(summary),
        quoted(name),
        quoted(plugin),
    );
    text.push_str(&config_comment(&step, config_schema));
    let mut seen = Vec::new();
    for suggested in wanted {
        let capability = kind(&suggested.capability);
        let key = format!("{capability}.{}", suggested.name);
        if seen.contains(&key) {
            continue;
        }
        let given = given.get(&key).map(|value| body(&suggested.capability, value));
        let live = suggested.required || given.is_some();
        let lines =
            grant_toml(&step, &suggested.capability, &suggested.name, given.as_deref().unwrap_or(&suggested.toml));
        let need = if suggested.required { "required" } else { "optional" };
        let _ = write!(text, "\n# {need}: {}\n", one_line(&suggested.reason));
        text.push_str(&if live { lines } else { commented(&lines) });
        seen.push(key);
    }
    for (key, value) in given.iter().filter(|(key, _)| !seen.contains(key)) {
        let (capability, name) = key.split_once('.').unwrap_or((key, ""));
        text.push('\n');
        text.push_str(&grant_toml(&step, capability, name, &body(capability, value)));
    }
    text
}

/// The step that [`new_pipeline`] makes of a plugin's name or path.
pub fn step_name(plugin: &str) -> String {
    let file = plugin.rsplit('/').next().unwrap_or(plugin);
    let stem = file.strip_suffix(".wasm").unwrap_or(file).to_ascii_lowercase();
    if schema::is_name(&stem) { stem } else { "main".to_owned() }
}

/// The lines that would grant a thing. A suggestion comes from a plugin: where it is not the body of exactly this
/// grant, all of it becomes comments, so that none can slip in another.
pub fn grant_toml(step: &str, capability: &str, name: &str, suggestion: &str) -> String {
    let capability = kind(capability);
    let suggestion = suggestion.trim_end();
    let suggestion = if suggestion.is_empty() { placeholder(capability) } else { suggestion };
    let lines = format!("[step.{step}.grant.{capability}.{name}]\n{suggestion}\n");
    if grants_only(&lines, &[step, "grant", capability, name]) { lines } else { commented(&lines) }
}

/// `dirs` of `dirs:read`.
fn kind(capability: &str) -> &str {
    capability.split(':').next().unwrap_or(capability)
}

fn placeholder(capability: &str) -> &'static str {
    match capability {
        "dirs" => "path = \"/path/of/a/directory\"\naccess = \"read\"",
        "sql" => "url = \"postgresql://USER@HOST:5432/DATABASE\"",
        "http" => "url = \"https://HOST:PORT\"",
        "tcp" => "endpoints = [\"HOST:PORT\"]",
        "tools" => "argv = [\"/path/of/a/program\"]",
        _ => "file = \"/path/of/a/file\"",
    }
}

/// Whether the TOML says nothing but what stands below `step.` and `path`.
fn grants_only(text: &str, path: &[&str]) -> bool {
    let Ok(tree) = DeTable::parse(text) else { return false };
    let mut table = tree.get_ref();
    for name in ["step"].iter().chain(path) {
        match table.iter().next() {
            Some((key, value)) if table.len() == 1 && key.get_ref() == name => match value.get_ref() {
                DeValue::Table(below) => table = below,
                _ => return false,
            },
            _ => return false,
        }
    }
    schema::is_name(path[path.len() - 1])
}

/// What the operator gave on the command line, as the body of a grant.
fn body(capability: &str, given: &str) -> String {
    let access = if capability.ends_with(":write") { "write" } else { "read" };
    match kind(capability) {
        "dirs" if !given.contains('=') => format!("path = {}\naccess = \"{access}\"", quoted(given)),
        "sql" if given.contains("://") && !given.contains("url =") => format!("url = {}", quoted(given)),
        "http" if given.contains("://") && !given.contains("url =") => format!("url = {}", quoted(given)),
        "tcp" if !given.contains('=') => endpoints(given),
        "secrets" if !given.contains('=') => format!("file = {}", quoted(given)),
        "tools" if !given.contains('=') => format!("argv = [{}]", quoted(given)),
        _ => given.to_owned(),
    }
}

/// `broker-0:9092,broker-1:9092`
fn endpoints(given: &str) -> String {
    let endpoints: Vec<_> = given.split(',').map(|endpoint| quoted(endpoint.trim())).collect();
    format!("endpoints = [{}]", endpoints.join(", "))
}

/// The plugin's own settings as comments, from the properties of its schema.
fn config_comment(step: &str, config_schema: &str) -> String {
    let schema: serde_json::Value = serde_json::from_str(config_schema).unwrap_or_default();
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return String::new();
    };
    let mut text = format!("\n# [step.{step}.config]\n");
    for (name, property) in properties {
        let example = [&property["default"], &property["enum"][0]].into_iter().find(|example| !example.is_null());
        let example = example.map_or_else(|| "…".to_owned(), ToString::to_string);
        let about = property["description"].as_str().map(|about| format!("  # {}", one_line(about)));
        let _ = writeln!(text, "# {} = {}{}", one_line(name), one_line(&example), about.unwrap_or_default());
    }
    text
}

fn commented(lines: &str) -> String {
    lines.lines().map(|line| format!("# {}\n", one_line(line))).collect()
}

/// Without anything that could end a comment or move a cursor.
fn one_line(text: &str) -> String {
    text.trim().replace(char::is_control, " ")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn suggested(capability: &str, name: &str, required: bool, toml: &str) -> Suggested {
        let (capability, name, toml) = (capability.to_owned(), name.to_owned(), toml.to_owned());
        Suggested { capability, name, reason: "it is\nneeded".to_owned(), required, toml }
    }

    #[test]
    fn a_new_pipeline_says_why_and_is_valid_as_it_stands() {
        let wanted = [
            suggested("dirs:read", "install", true, ""),
            suggested("dirs:read", "home", true, "path = \"/var/home\"\naccess = \"read\""),
            suggested("secrets", "license", false, "file = \"/etc/license\""),
            suggested("tools", "dump", false, "argv = [\"/usr/bin/dump\"]\nenv = { A = \"b\" }"),
        ];
        let given = BTreeMap::from([
            ("dirs.install".to_owned(), "/opt/app".to_owned()),
            ("http.search".to_owned(), "https://h:9200/es".to_owned()),
            ("sql.db".to_owned(), "postgresql://me@h/d".to_owned()),
            ("tcp.broker".to_owned(), "broker-0:9092, broker-1:9092".to_owned()),
        ]);
        let schema = r#"{"properties":{"mode":{"enum":["whole"],"description":"what to keep"}}}"#;
        let text = new_pipeline("site", "plugins/wiki.wasm", "Backs up wikis", schema, &wanted, &given);
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let config = parse("/etc/strongroom/site.toml".as_ref(), &text, &env).unwrap();
        assert_eq!(config.steps[0].grants.dirs.len(), 2);
        insta::assert_snapshot!(text, @r#"
        # Backs up wikis
        # Check it with `strongroom config validate`, see what it would do with `strongroom plan`.

        [pipeline]
        name = "site"

        [repository.local]
        # a directory; relative paths begin at this file
        url = "repository"
        format = "zip"

        [step.wiki]
        plugin = "plugins/wiki.wasm"

        # [step.wiki.config]
        # mode = "whole"  # what to keep

        # required: it is needed
        [step.wiki.grant.dirs.install]
        path = "/opt/app"
        access = "read"

        # required: it is needed
        [step.wiki.grant.dirs.home]
        path = "/var/home"
        access = "read"

        # optional: it is needed
        # [step.wiki.grant.secrets.license]
        # file = "/etc/license"

        # optional: it is needed
        # [step.wiki.grant.tools.dump]
        # argv = ["/usr/bin/dump"]
        # env = { A = "b" }

        [step.wiki.grant.http.search]
        url = "https://h:9200/es"

        [step.wiki.grant.sql.db]
        url = "postgresql://me@h/d"

        [step.wiki.grant.tcp.broker]
        endpoints = ["broker-0:9092", "broker-1:9092"]
        "#);
    }

    #[test]
    fn a_suggestion_cannot_grant_anything_else() {
        for body in [
            "path = \"/\"\n[step.wiki.grant.tools.sh]\nargv = [\"/bin/sh\"]",
            "path = \"/\"\n[[step.wiki.grant.dirs.x]]",
            "]",
            "path = \"a\"\n[pipeline]",
        ] {
            let text = grant_toml("wiki", "dirs:read", "home", body);
            assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
        }
        let text = grant_toml("wiki", "dirs:read", "a]\n[pipeline", "path = \"/\"");
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
        let text =
            grant_toml("wiki", "tools", "dump", "argv = [\n  \"/bin/dump\",\n]\n[step.wiki.grant.tools.dump.env]\n");
        assert!(text.starts_with("[step.wiki.grant.tools.dump]"), "{text}");
    }

    #[test]
    fn a_step_is_named_after_its_plugin() {
        assert_eq!(step_name("plugins/wiki.wasm"), "wiki");
        assert_eq!(step_name("Wiki"), "wiki");
        assert_eq!(step_name("/x/ä.wasm"), "main");
    }
}
