//! Backs up granted directories as they are: what an operator adds beside a product.

mod one_by_one;

use serde::Deserialize;
use serde_json::json;
use strongroom_plugin::*;

#[derive(Default)]
struct Files;
plugin!(Files);

/// `[step.X.config]`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    #[serde(default)]
    includes: Vec<String>,
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default = "yes")]
    tolerate_changes: bool,
    #[serde(default)]
    one_by_one: bool,
}

const fn yes() -> bool {
    true
}

impl Config {
    fn options(&self) -> TreeOptions {
        let options = TreeOptions::default().including(&self.includes).excluding(&self.excludes);
        if self.tolerate_changes { options.tolerant() } else { options }
    }
}

fn schema() -> serde_json::Value {
    let patterns = json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    json!({
        "type": "object",
        "properties": {
            "includes": described(&patterns, "patterns as in .gitignore; none means everything"),
            "excludes": described(&patterns, "patterns as in .gitignore that are left out"),
            "tolerate-changes": {
                "type": "boolean", "default": true,
                "description": "report files that vanish or change while read instead of failing",
            },
            "one-by-one": {
                "type": "boolean", "default": false,
                "description": "let the plugin walk and hand over each regular file, without patterns, links and empty directories",
            },
        },
        "additionalProperties": false,
    })
}

fn described(schema: &serde_json::Value, description: &str) -> serde_json::Value {
    let mut schema = schema.clone();
    schema["description"] = description.into();
    schema
}

fn source() -> Need {
    Need::dirs("source").many().because("a directory to back up; a restore writes into the grant of the same name")
}

impl Plugin for Files {
    fn describe() -> Description {
        Description::new("files", "granted directories, as they are")
            .version(env!("CARGO_PKG_VERSION"))
            .config(&schema())
            .needs(source().suggest("path = \"/srv/data\"\naccess = \"read\"\n"))
            .finds(&["differs", "no-count", "no-target", "nothing-granted", "skipped", "target-not-empty"])
    }

    fn inspect(&self, purpose: Purpose) -> Result<Inspection> {
        match purpose {
            Purpose::Backup => Ok(sources()),
            Purpose::Restore => targets(),
        }
    }

    fn backup(&self, part: &Part, _: Pass) -> Result<Outcome> {
        let config: Config = context::config()?;
        let source = dirs::get(&part.name)?;
        if config.one_by_one {
            one_by_one::backup(part, &source)
        } else {
            tree::backup(part, &source, &config.options())
        }
    }
}

/// One part for each grant.
fn sources() -> Inspection {
    let parts = context::grants().dirs().map(|dir| part(&dir.name).summary(dir.display));
    let inspection = Inspection::of(parts);
    if !inspection.parts.is_empty() {
        return inspection;
    }
    inspection.want(source()).finding(Finding::blocker("nothing-granted", "", "no directory is granted to back up"))
}

/// One part for each that the snapshot has, and what speaks against restoring it.
fn targets() -> Result<Inspection> {
    let parts = archive::parts()?;
    let mut inspection = Inspection::of(parts.iter().map(|name| part(name)));
    for name in &parts {
        if context::grants().find("dirs", name).is_none() {
            let message = format!("the snapshot holds {name:?}, and no directory of that name is granted");
            let want = Need::dirs_write(name).because("where this part is restored");
            inspection = inspection.want(want).finding(Finding::blocker("no-target", name, message));
        } else if !context::overwrite() && !dirs::get(name)?.is_empty("")? {
            let message = "the target is not empty: only an interrupted restore goes on in it without --overwrite";
            inspection = inspection.finding(Finding::warning("target-not-empty", name, message));
        }
    }
    Ok(inspection)
}

fn part(name: &str) -> Part {
    Part::new(name, Stage::Files).uses(format!("dirs.{name}"))
}

#[cfg(test)]
mod tests;
