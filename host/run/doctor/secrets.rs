//! Secrets: each can be had. What it is is not looked at, and never shown.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

use super::{Check, answered};
use crate::{
    config::{Config, EnvValue, Step, http::Credential},
    diagnostic::causes,
    secret::Source,
};

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    for (about, source) in once_each(config) {
        let asked = source.clone();
        let found = answered(move || asked.resolve().map(|secret| secret.expose().is_empty())).await;
        checks.push(match found {
            Ok(Ok(false)) => judged(about, &source),
            Ok(Ok(true)) => Check::warning(about, format!("{source} is empty")),
            Ok(Err(error)) => Check::problem(about, causes(&error)),
            Err(why) => Check::problem(about, format!("{source}: {why}")),
        });
    }
    checks
}

/// Each source once, with the names of all that use it: a command may ask someone.
fn once_each(config: &Config) -> Vec<(String, Source)> {
    let mut uses: BTreeMap<String, (Vec<String>, Source)> = BTreeMap::new();
    for (name, source) in config.steps.iter().flat_map(of_step) {
        let known = uses.entry(format!("{source:?}")).or_insert_with(|| (Vec::new(), source.clone()));
        known.0.push(name);
    }
    uses.into_values().map(|(names, source)| (names.join(", "), source)).collect()
}

fn of_step(step: &Step) -> Vec<(String, &Source)> {
    let grants = &step.grants;
    let sql =
        grants.sql.iter().filter_map(|(name, grant)| Some((format!("sql.{name} password"), grant.password.as_ref()?)));
    let tools = grants.tools.iter().flat_map(|(name, tool)| {
        tool.env.iter().filter_map(move |(variable, value)| match value {
            EnvValue::Secret(source) | EnvValue::SecretFile(source) => {
                Some((format!("tools.{name} {variable}"), source))
            }
            EnvValue::Text(_) => None,
        })
    });
    let http = grants.http.iter().filter_map(|(name, grant)| {
        let source = match grant.credential.as_ref()? {
            Credential::Basic { password, .. } => password,
            Credential::Bearer(source) | Credential::Header { value: source, .. } => source,
        };
        Some((format!("http.{name} credential"), source))
    });
    let secrets = grants.secrets.iter().map(|(name, source)| (format!("secrets.{name}"), source));
    sql.chain(http)
        .chain(tools)
        .chain(secrets)
        .map(|(name, source)| (format!("{}/{name}", step.name), source))
        .collect()
}

/// A secret that can be had; that everybody can have it is worth a look.
fn judged(about: String, source: &Source) -> Check {
    if let Source::File(path) = source
        && std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    {
        return Check::warning(about, format!("{source} can be read by every user of this machine: chmod o-r"));
    }
    Check::ok(about, format!("{source} can be had"))
}
