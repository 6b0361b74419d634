//! When all topics are there: whether every group has its offsets, and what makes Nuxeo use the new prefix.

use strongroom_plugin::{Finding, Outcome, Result};

use super::target::Target;
use crate::{broker::Broker, inspect::part};

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
    Ok(Outcome::new(summary).receipt("offsets committed", expected, actual).finding(prefix(target)))
}

/// What has to stand in nuxeo.conf.
fn prefix(target: &Target) -> Finding {
    let message = format!(
        "the restored Nuxeo has to be told of its streams before it starts: `kafka.topicPrefix={}` in nuxeo.conf, also \
         between the lines BEGIN and END of its generated block where that has the key; `kafka.bootstrap.servers` where \
         the brokers are others. The step that restores nuxeo.conf writes it when its settings say so",
        target.renaming.main()
    );
    Finding::info("prefix-to-set", part::POSITIONS, message)
}
