//! When all topics are there: whether every group has its offsets, and what makes Nuxeo use the new prefix.

use strongroom_plugin::{Finding, Outcome, Result, archive};

use super::target::Target;
use crate::{
    broker::{Broker, Edge},
    inspect::{listed, part, records_part},
    store::{self, Index},
};

pub(super) fn restore(broker: &mut impl Broker, target: &Target) -> Result<Outcome> {
    let (mut expected, mut actual) = (0, 0);
    for (group, topics) in target.positions.groups.iter().filter(|(_, topics)| !topics.is_empty()) {
        let there = broker.committed(&target.rename(group)?)?;
        for (topic, partitions) in topics.iter().filter(|(topic, _)| target.fence.topics.contains_key(*topic)) {
            let own = there.get(&target.rename(topic)?);
            expected += partitions.len() as u64;
            let is_there = |partition: &&i32| own.is_some_and(|own| own.contains_key(partition));
            actual += partitions.keys().filter(is_there).count() as u64;
        }
    }
    let summary = format!("{actual} offsets of {} groups", target.positions.groups.len());
    let missing = missing(broker, target)?;
    let topics = target.fence.topics.len() as u64;
    let outcome = Outcome::new(summary).receipt("topics", topics, topics - missing.len() as u64).receipt(
        "offsets committed",
        expected,
        actual,
    );
    if missing.is_empty() {
        return Ok(outcome.finding(prefix(target)));
    }
    let message = format!(
        "these are not there with all that the snapshot has of them: {}. What an attempt before has restored under another \
         prefix is not restored again: set target-prefix back to that, and let it end",
        listed(&missing)
    );
    Ok(outcome.finding(Finding::warning("topics-missing", part::POSITIONS, message)))
}

/// Topics that are not there under their new names, or hold not as many records as the snapshot. Parts that an attempt
/// before has done are not begun again: whether all of it is under one prefix is seen here.
fn missing(broker: &mut impl Broker, target: &Target) -> Result<Vec<String>> {
    let shapes = broker.topics()?;
    let mut missing = Vec::new();
    for (topic, fenced) in &target.fence.topics {
        let new = target.rename(topic)?;
        let is_there = shapes.get(&new).is_some_and(|shape| shape.partitions.len() == fenced.partitions.len());
        if !is_there || !holds_all(broker, target, topic, &new)? {
            missing.push(new);
        }
    }
    Ok(missing)
}

/// Whether the new topic holds the snapshot's records; a replicated one has nothing to be compared with.
fn holds_all(broker: &mut impl Broker, target: &Target, topic: &str, new: &str) -> Result<bool> {
    if target.settings.replicate {
        return Ok(true);
    }
    let Some(fenced) = target.fence.topics.get(topic) else { return Ok(false) };
    let partitions: Vec<i32> = fenced.partitions.keys().copied().collect();
    // What retention takes meanwhile was there: the end says it.
    let ends = broker.offsets(new, &partitions, Edge::End)?;
    let part = match archive::exists(part::RECORDS, &store::index(topic, 0))? {
        true => part::RECORDS.to_owned(),
        false => records_part(topic),
    };
    for partition in partitions {
        let index: Index = store::read(&part, &store::index(topic, partition))?;
        if ends.get(&partition).copied().and_then(|end| u64::try_from(end).ok()) != Some(index.tally.kept) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What has to stand in nuxeo.conf.
fn prefix(target: &Target) -> Finding {
    let message = format!(
        "the restored Nuxeo has to be told of its streams before it starts: `kafka.topicPrefix={}` in nuxeo.conf, also \
         between the lines BEGIN and END of its generated block where that has the key; `kafka.bootstrap.servers` where \
         the brokers are others. The plugin nuxeo writes it where its setting topic-prefix says so",
        target.renaming.main()
    );
    Finding::info("prefix-to-set", part::POSITIONS, message)
}
