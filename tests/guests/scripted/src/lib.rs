//! Does what its configuration says, well-behaved or not: the tests' way to be any plugin.
//!
//! `parts` are what `inspect` returns; `script."backup.NAME"` (also `ahead.`, `restore.`, `verify.`, `inspect`, and `release.HOLD`) is the
//! list of acts that a call performs, in order.

mod acts;
mod frames;
mod hostile;
mod resumed;
mod web;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use strongroom_plugin::*;

#[derive(Default)]
pub struct Scripted;
plugin!(Scripted);

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Config {
    parts: Vec<Planned>,
    script: BTreeMap<String, Vec<acts::Act>>,
    findings: Vec<acts::Found>,
    /// So many parts more, of stage `files`.
    count: usize,
    /// What a backup of a part without a script does.
    every: Vec<acts::Act>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Planned {
    name: String,
    stage: String,
    #[serde(default)]
    ahead: bool,
    #[serde(default)]
    uses: Vec<String>,
    #[serde(default)]
    estimate: Option<u64>,
}

impl Planned {
    fn part(&self) -> Result<Part> {
        let stage = match self.stage.as_str() {
            "positions" => Stage::Positions,
            "database" => Stage::Database,
            "fence" => Stage::Fence,
            "records" => Stage::Records,
            "files" => Stage::Files,
            other => return Err(Error::invalid(format!("{other:?} is no stage"))),
        };
        let mut part = Part::new(&self.name, stage).summary("as scripted");
        part.ahead = self.ahead;
        part.uses.clone_from(&self.uses);
        part.bytes_estimate = self.estimate;
        Ok(part)
    }
}

fn perform(call: &str, part: &str) -> Result<Outcome> {
    let config: Config = context::config()?;
    let other = if call == "backup" { config.every.as_slice() } else { &[] };
    let acts = config.script.get(&format!("{call}.{part}")).map_or(other, Vec::as_slice);
    let mut stage = acts::Stage::default();
    acts.iter().try_for_each(|act| stage.perform(act))?;
    stage.end()
}

impl Plugin for Scripted {
    fn describe() -> Description {
        let many = |need: Need| need.many().optional().because("whatever the script uses");
        Description::new("scripted", "does what its configuration says")
            .version(env!("CARGO_PKG_VERSION"))
            .config(&json!({ "type": "object" }))
            .needs(many(Need::dirs("dir")))
            .needs(many(Need::tools("tool")))
            .needs(many(Need::sql("sql")))
            .needs(many(Need::http("http")))
            .needs(many(Need::tcp("tcp")))
            .needs(many(Need::secrets("secret")))
    }

    fn inspect(&self, _: Purpose) -> Result<Inspection> {
        let config: Config = context::config()?;
        perform("inspect", "")?;
        let more = (0..config.count).map(|number| Ok(Part::new(format!("p{number}"), Stage::Files)));
        let parts: Result<Vec<_>> = config.parts.iter().map(Planned::part).chain(more).collect();
        let mut inspection = Inspection::of(parts?);
        inspection.findings = config.findings.iter().map(acts::Found::finding).collect();
        Ok(inspection)
    }

    fn backup(&self, part: &Part, pass: Pass) -> Result<Outcome> {
        perform(if pass == Pass::Ahead { "ahead" } else { "backup" }, &part.name)
    }

    fn restore(&self, part: &Part) -> Result<Outcome> {
        perform("restore", &part.name)
    }

    fn verify(&self, part: &Part) -> Result<Outcome> {
        perform("verify", &part.name)
    }

    fn release(&self, hold: &str, data: &[u8]) -> Result<()> {
        log::info(format!("releasing {hold} with {:?}", String::from_utf8_lossy(data)));
        perform("release", hold).map(drop)
    }
}
