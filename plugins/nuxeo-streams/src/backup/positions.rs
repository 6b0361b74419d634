//! What the consumer groups have committed: older than the database, so that a restored group repeats rather than skips.

use std::collections::BTreeMap;

use strongroom_plugin::{Context, Outcome, Result, context, log, snapshot};

use super::note;
use crate::{
    broker::Broker,
    cut::millis,
    inspect, inventory,
    prefix::Prefixes,
    settings::Settings,
    store::{self, Committed, POSITIONS, Positions, VERSION},
};

pub(super) fn backup(broker: &mut impl Broker, settings: &Settings) -> Result<Outcome> {
    let prefixes = inspect::prefixes(settings)?;
    let taken = millis(context::now());
    let sorted = inventory::sort(&prefixes, &settings.skip_groups, broker.groups()?);
    let mut groups = BTreeMap::new();
    for group in &sorted.taken {
        log::progress("groups", groups.len() as u64, Some(sorted.taken.len() as u64));
        let committed = broker.committed(group).context(format!("asking what the group {group} has committed"))?;
        groups.insert(group.clone(), own(&prefixes, &settings.skip_topics, committed));
    }
    let positions = Positions { version: VERSION, taken, groups };
    let stored = store::to_json(&positions)?;
    snapshot::put_bytes(POSITIONS, stored.as_bytes())?;
    context::set_note(note::POSITIONS, &serde_json::to_string(&positions)?)?;
    let read: Positions = store::parse(&stored)?;
    let summary = format!("{} positions of {} groups", read.count(), read.groups.len());
    Ok(Outcome::new(summary).receipt("groups", sorted.taken.len() as u64, read.groups.len() as u64))
}

/// Of a group's offsets those of topics that are saved: a group may read another application's topics as well.
fn own(prefixes: &Prefixes, skip: &[String], committed: Committed) -> Committed {
    let sorted = inventory::sort(prefixes, skip, committed.keys());
    committed.into_iter().filter(|(topic, _)| sorted.taken.contains(topic)).collect()
}
