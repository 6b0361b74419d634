//! What must be known of an instance, as far as its files alone tell.

use strongroom_plugin::Finding;

use super::part;
use crate::{
    conf::{
        chain::Origin,
        effective::{Client, Database, Engine, OverflowStore},
    },
    instance::Instance,
};

pub(super) fn findings(instance: &Instance) -> Vec<Finding> {
    let all = [version(instance), environment(instance), defaults(instance), encrypted(instance), redis(instance)];
    let mut findings: Vec<Finding> = all.into_iter().flatten().collect();
    findings.extend(streams(instance));
    findings
}

/// Several decisions depend on it; without it the more careful one is taken.
fn version(instance: &Instance) -> Option<Finding> {
    let message = "no file says which version of Nuxeo runs, so that the careful choice is made where it matters: set version in the step's config";
    instance.effective.version.is_none().then(|| Finding::info("version-unknown", "nuxeo", message))
}

fn environment(instance: &Instance) -> Option<Finding> {
    let unset: Vec<&str> = instance.effective.chain.unset.iter().map(String::as_str).collect();
    let message = format!(
        "the configuration refers to variables of the environment that are taken for unset: {}: set environment in the step's config where Nuxeo is started with them",
        unset.join(", ")
    );
    (!unset.is_empty()).then(|| Finding::warning("unset-environment", part::CONFIGURATION, message))
}

/// Nuxeo's own advice for production: a database server, and a data directory that is set.
fn defaults(instance: &Instance) -> Option<Finding> {
    let effective = &instance.effective;
    let embedded = |one: &Database| matches!(one, Database::Sql(sql) if sql.engine == Engine::H2 && !sql.incidental);
    let data = effective.chain.get("nuxeo.data.dir").is_none_or(|setting| match &setting.origin {
        Origin::File { own, .. } => !own,
        Origin::Product | Origin::Start => true,
    });
    let search = effective.search.enabled && effective.search.client == Client::Embedded;
    let uses = [
        (effective.databases.iter().any(embedded), "the embedded database"),
        (data, "the default data directory"),
        (search, "the embedded search engine"),
    ];
    let uses: Vec<&str> = uses.into_iter().filter(|(uses, _)| *uses).map(|(_, what)| what).collect();
    let message = format!("it runs with {}, which Nuxeo advises against in production", uses.join(", "));
    (!uses.is_empty()).then(|| Finding::warning("defaults-in-use", "nuxeo", message))
}

fn encrypted(instance: &Instance) -> Option<Finding> {
    let encrypted = &instance.effective.encrypted;
    let keys = if encrypted.keys.is_empty() { "a default key".to_owned() } else { encrypted.keys.join(", ") };
    let message = format!(
        "these values are encrypted and can only be read with {keys}, which the part configuration holds: {}",
        encrypted.values.join(", ")
    );
    (!encrypted.values.is_empty()).then(|| Finding::info("encrypted-values", part::CONFIGURATION, message))
}

fn redis(instance: &Instance) -> Option<Finding> {
    let address = instance.effective.redis.as_ref()?;
    let message =
        format!("work that waits is in Redis at {address}, which is not captured: save its RDB file beside this set");
    Some(Finding::warning("redis-elsewhere", "redis", message))
}

fn streams(instance: &Instance) -> Vec<Finding> {
    let (kafka, overflow) = (&instance.effective.kafka, &instance.effective.overflow);
    let mut findings = Vec::new();
    if kafka.enabled {
        let servers: Vec<String> = kafka.servers.iter().map(ToString::to_string).collect();
        let message = format!(
            "work that waits is in Kafka at {}, topics {}*: capture it by a step with plugin nuxeo-streams and this one in its after",
            servers.join(", "),
            kafka.prefixes().collect::<Vec<_>>().join("* and ")
        );
        findings.push(Finding::info("streams-elsewhere", "streams", message));
    }
    if overflow.enabled && (kafka.enabled || instance.effective.chronicle.is_some()) {
        let place = match &overflow.store {
            OverflowStore::Transient => "the transient stores",
            OverflowStore::KeyValue => "the database",
            OverflowStore::Other(_) => "a store that is not known",
        };
        let message = format!(
            "records that are too large for a stream wait in {place} for {}: restored later than that, a set has lost them",
            overflow.ttl
        );
        findings.push(Finding::info("records-overflow", "streams", message));
    }
    findings
}
