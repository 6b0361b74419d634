//! From the pipeline and what the plugins saw to the plan, and everything that stands in its way.

use std::collections::BTreeSet;

use jsonschema::PatternOptions;
use serde::Serialize;

use super::{
    Plan, Step, VERSION, grants,
    inspection::{Attributes, Description, Inspection, Need, Part},
    severity,
};
use crate::{
    config::{self, Config},
    diagnostic::{Finding, Severity},
    digest::Digest,
    name::RawPath,
};

/// Longest name of a part, in bytes: it is a directory in the snapshot.
const PART_NAME_BYTES_MAX: usize = 200;

/// What one step's plugin said.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The step.
    pub step: String,
    /// The component.
    pub digest: Digest,
    /// What it is.
    pub description: Description,
    /// What it saw.
    pub inspection: Inspection,
}

/// The plan, what stands beside it, and what stands in its way.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// What would happen.
    pub plan: Plan,
    /// What its hash does not cover.
    pub beside: Beside,
    /// Those of the findings that allow nothing to be written.
    pub blockers: Vec<Finding>,
}

/// What was seen, and decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Beside {
    /// One for each part, in the plan's order.
    pub estimates: Vec<Estimate>,
    /// What the plugins saw, by step.
    pub facts: Vec<Facts>,
    /// In the order of the steps, subjects begin with `STEP/`; then those about the pipeline itself.
    pub findings: Vec<Finding>,
    /// Grants that a plugin has not and would use.
    pub wants: Vec<Want>,
}

/// How large a part will probably be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Its step.
    pub step: String,
    /// Its name.
    pub part: String,
    /// Bytes that it will probably store.
    pub bytes: Option<u64>,
    /// For people.
    pub summary: String,
}

/// What a step's plugin saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The step.
    pub step: String,
    /// In the plugin's order.
    pub facts: Attributes,
}

/// A grant that a step's plugin would use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Want {
    /// The step.
    pub step: String,
    /// What it would use.
    pub need: Need,
    /// The lines that would grant it.
    pub toml: String,
}

/// Makes the plan. Pure: the same arguments give the same plan.
pub fn resolve(config: &Config, inspected: &[Inspected]) -> Resolution {
    let mut beside = Beside::default();
    let mut steps = Vec::new();
    for step in &config.steps {
        match inspected.iter().find(|inspected| inspected.step == step.name) {
            Some(inspected) => steps.push(resolve_step(config, step, inspected, &mut beside)),
            None => beside.findings.push(blocker("not-inspected", &step.name, "its plugin was not asked")),
        }
    }
    let plugins: Vec<_> = inspected.iter().map(|inspected| &inspected.description).collect();
    beside.findings.extend(severity::ignored(&config.severity, &plugins));
    let plan = Plan {
        version: VERSION,
        pipeline: config.name.clone(),
        repository: config.repository.url.to_string(),
        format: config.repository.format.word().to_owned(),
        compression: config.repository.compression,
        recipients: config.repository.recipients.clone(),
        copies: config.copies.iter().map(copy).collect(),
        order: config.order,
        parallel: config.parallel.map(std::num::NonZeroUsize::get),
        keep: (config.policy.forget == config::Forget::AfterComplete).then(|| config.policy.keep.clone()),
        steps,
    };
    let blockers = beside.findings.iter().filter(|finding| finding.severity == Severity::Blocker).cloned().collect();
    Resolution { plan, beside, blockers }
}

fn copy(repository: &config::Repository) -> super::Copy {
    super::Copy {
        name: repository.name.clone(),
        repository: repository.url.to_string(),
        format: repository.format.word().to_owned(),
        recipients: repository.recipients.clone(),
    }
}

fn resolve_step(config: &Config, step: &config::Step, inspected: &Inspected, beside: &mut Beside) -> Step {
    let Inspected { description, inspection, .. } = inspected;
    beside.findings.extend(findings(config, step, inspected));
    beside.wants.extend(inspection.wants.iter().map(|need| Want {
        step: step.name.clone(),
        need: need.clone(),
        toml: grants::toml(&step.name, need),
    }));
    if !inspection.facts.is_empty() {
        beside.facts.push(Facts { step: step.name.clone(), facts: inspection.facts.clone() });
    }
    let mut parts = inspection.parts.clone();
    parts.sort_by_key(|part| part.stage);
    beside.estimates.extend(parts.iter().map(|part| Estimate {
        step: step.name.clone(),
        part: part.name.clone(),
        bytes: part.bytes_estimate,
        summary: part.summary.clone(),
    }));
    Step {
        name: step.name.clone(),
        plugin: description.name.clone(),
        plugin_version: description.version.clone(),
        component: inspected.digest,
        after: step.after.clone(),
        config: step.config.clone(),
        grants: step.grants.clone(),
        limits: step.limits.clone(),
        parts,
    }
}

/// The plugin's findings with the severities that the operator wants, then the host's. A blocker of the host's is one
/// because the run could not go on: nobody can lower it.
fn findings(config: &Config, step: &config::Step, inspected: &Inspected) -> Vec<Finding> {
    let Inspected { description, inspection, .. } = inspected;
    let asked: Vec<&Need> = description.needs.iter().chain(&inspection.wants).collect();
    let uses: Vec<&str> = inspection.parts.iter().flat_map(|part| &part.uses).map(String::as_str).collect();
    let of_plugin = inspection.findings.iter().cloned().map(|mut finding| {
        finding.subject = match &finding.subject[..] {
            "" => step.name.clone(),
            subject => format!("{}/{subject}", step.name),
        };
        finding
    });
    let all = of_plugin.chain(grants::unused(step, &asked, &uses));
    let mut all: Vec<_> = all.map(|finding| severity::weighed(&config.severity, finding)).collect();
    all.extend(check_config(step, &description.config_schema));
    all.extend(grants::refusals(step, &description.needs));
    for finding in grants::refusals(step, &inspection.wants) {
        // What `describe` requires, `inspect` often wants as well.
        if !all.iter().any(|told| (&told.code, &told.subject) == (&finding.code, &finding.subject)) {
            all.push(finding);
        }
    }
    all.extend(check_parts(&step.name, &inspection.parts));
    all
}

fn blocker(code: &str, subject: &str, message: impl Into<String>) -> Finding {
    Finding::new(Severity::Blocker, code, subject, message)
}

/// Blockers `config` for what a step's configuration says against its plugin's JSON Schema; an empty schema allows
/// all. Values are not repeated: one may be a secret.
pub fn check_config(step: &config::Step, schema: &str) -> Vec<Finding> {
    if schema.trim().is_empty() {
        return Vec::new();
    }
    let subject = format!("{}/config", step.name);
    let unusable =
        |why: String| vec![blocker("config", &subject, format!("the plugin's JSON Schema is unusable: {why}"))];
    let schema: serde_json::Value = match serde_json::from_str(schema) {
        Ok(schema) => schema,
        Err(error) => return unusable(error.to_string()),
    };
    // The schema is the plugin's: its patterns run in linear time, and nothing is fetched.
    match jsonschema::options().with_pattern_options(PatternOptions::regex()).build(&schema) {
        Ok(validator) => validator
            .iter_errors(&step.config)
            .map(|error| {
                let at = format!("{subject}{}", error.instance_path().as_str());
                let message = format!("{}; change it in [step.{}.config]", error.masked(), step.name);
                blocker("config", &at, message)
            })
            .collect(),
        Err(error) => unusable(error.to_string()),
    }
}

fn check_parts(step: &str, parts: &[Part]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    if parts.is_empty() {
        wrong.push(blocker("no-parts", step, "the plugin found nothing to back up; see its other findings and facts"));
    }
    for part in parts {
        let subject = format!("{step}/{}", part.name);
        if !is_part_name(&part.name) {
            let message = "the plugin gave a part a name that is not a single name of a path";
            wrong.push(blocker("bad-part", &subject, message));
        } else if !seen.insert(&part.name) {
            wrong.push(blocker("bad-part", &subject, "the plugin gave two parts this name"));
        }
    }
    wrong
}

fn is_part_name(name: &str) -> bool {
    let path = RawPath::from_text(name);
    path.is_ok_and(|path| !path.is_root() && path.as_bytes().len() <= PART_NAME_BYTES_MAX)
        && !name.contains('/')
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests;
