//! The settings of a restored topic: some have to wait until its records are there.

use std::collections::BTreeMap;

use strongroom_plugin::{Finding, Result};

use crate::broker::Broker;

/// Settings that would change or delete records while they are loaded, and what they are meanwhile: brokers delete
/// segments by the largest time in them, and the times are old.
const FENCED: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("message.timestamp.type", "CreateTime"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
];

/// What is set from the beginning: the rest may refuse records that were taken once.
const AT_ONCE: &[&str] = &["max.message.bytes"];

/// About the brokers of the old cluster, not about the topic.
const OF_THE_CLUSTER: &[&str] = &["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// The settings of a topic that is being loaded.
pub fn while_loading(own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fenced = FENCED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let at_once = own.iter().filter(|(name, _)| AT_ONCE.contains(&name.as_str()));
    fenced.chain(at_once.map(|(name, value)| (name.clone(), value.clone()))).collect()
}

/// What is set when its records are there and proved, deletion last.
fn afterwards(own: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    let fenced = |name: &str| FENCED.iter().any(|(fenced, _)| *fenced == name);
    let set = |name: &str| !fenced(name) && !AT_ONCE.contains(&name) && !OF_THE_CLUSTER.contains(&name);
    let rest = own.iter().filter(|(name, _)| set(name)).map(|(name, value)| (name.clone(), Some(value.clone())));
    let last = FENCED.iter().map(|(name, _)| ((*name).to_owned(), own.get(*name).cloned()));
    rest.chain(last).collect()
}

/// Gives a topic the settings that it had. One that this cluster does not take is a finding: it may be of another
/// version.
///
/// # Errors
/// Where what was fenced cannot be set back.
pub fn settle(broker: &mut impl Broker, topic: &str, own: &BTreeMap<String, String>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, value) in afterwards(own) {
        let change = BTreeMap::from([(name.clone(), value.clone())]);
        if let Err(error) = broker.set_configs(topic, &change) {
            if value.is_none() {
                return Err(error);
            }
            let message = format!("the brokers do not take {name} = {}: {error}", value.unwrap_or_default());
            findings.push(Finding::warning("config-refused", topic, message));
        }
    }
    Ok(findings)
}

/// Whether retention takes records that are as old as `oldest`, by `now`; both in milliseconds since 1970.
pub fn retention(broker: &mut impl Broker, topic: &str, oldest: i64, now: i64) -> Result<Option<Finding>> {
    let configs = broker.configs(topic)?;
    let get = |name: &str| configs.iter().find(|config| config.name == name).and_then(|config| config.value.as_deref());
    let deletes = get("cleanup.policy").is_none_or(|policy| policy.split(',').any(|one| one.trim() == "delete"));
    let kept = get("retention.ms").and_then(|text| text.parse::<i64>().ok()).filter(|kept| *kept >= 0);
    let Some(kept) = kept.filter(|kept| deletes && oldest < now.saturating_sub(*kept)) else { return Ok(None) };
    let message = format!(
        "records are older than retention.ms = {kept}, and the brokers will delete them at their next check: raise it on \
         this topic where a group has still to read them"
    );
    Ok(Some(Finding::warning("retention-will-delete", topic, message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(configs: &[(&str, &str)]) -> BTreeMap<String, String> {
        configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn retention_and_compaction_wait_until_the_records_are_there() {
        let own =
            own(&[("retention.ms", "1000"), ("cleanup.policy", "compact"), ("max.message.bytes", "9"), ("a", "b")]);
        let loading = while_loading(&own);
        assert_eq!((loading["retention.ms"].as_str(), loading["cleanup.policy"].as_str()), ("-1", "delete"));
        assert_eq!((loading["max.message.bytes"].as_str(), loading.contains_key("a")), ("9", false));
        let after = afterwards(&own);
        let (first, last) = (after.first().unwrap(), after.last().unwrap());
        assert_eq!((first.0.as_str(), last.0.as_str(), last.1.as_deref()), ("a", "retention.ms", Some("1000")));
        // What was not the topic's own goes back to the brokers' default.
        assert!(after.contains(&("retention.bytes".to_owned(), None)));
    }

    #[test]
    fn what_belongs_to_the_old_clusters_brokers_is_not_copied() {
        let own = own(&[("leader.replication.throttled.replicas", "0:1")]);
        assert!(afterwards(&own).iter().all(|(name, _)| !name.contains("throttled")));
    }
}
