//! Before any topic is made: whether the new prefix is free.

use std::collections::BTreeSet;

use strongroom_plugin::{Finding, Outcome, Result, context};

use super::target::Target;
use crate::{broker::Broker, inspect::part};

/// The note of the restore's record that says under which prefix the streams are.
pub const NOTE_PREFIX: &str = "kafka.topicPrefix";

pub(super) fn restore(broker: &mut impl Broker, target: &Target) -> Result<Outcome> {
    let (topics, groups) = (broker.topics()?.into_keys().collect(), broker.groups()?);
    let mut findings = target.names();
    findings.extend(target.conflicts(&broker.cluster(), &topics, &groups));
    findings.extend(running(broker, target, &groups)?);
    context::set_note(NOTE_PREFIX, target.renaming.main())?;
    let named = target.topics().len() as u64;
    let summary = format!("{named} topics under the prefix {:?}", target.renaming.main());
    let outcome = Outcome::new(summary).receipt("topics", target.fence.topics.len() as u64, named);
    Ok(outcome.findings(findings).fact("cluster", broker.cluster()))
}

/// The old instance shares database and files with the new one, unless it is stopped or elsewhere.
fn running(broker: &mut impl Broker, target: &Target, groups: &BTreeSet<String>) -> Result<Option<Finding>> {
    let mut active = Vec::new();
    for group in target.positions.groups.keys().filter(|group| groups.contains(*group)) {
        if broker.members(group)? > 0 {
            active.push(group.clone());
        }
    }
    if active.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "groups of the saved instance are active here ({}): if it shares database or files with the restored one, stop it",
        crate::inspect::listed(&active)
    );
    Ok(Some(Finding::warning("source-active", part::FENCE, message)))
}
