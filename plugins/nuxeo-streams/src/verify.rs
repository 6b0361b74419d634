//! Checks the parts of a snapshot with nothing but the snapshot: every batch by its checksum, every record by the
//! index, every index by the fence.

use strongroom_kafka::Records;
use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Result, archive};

use crate::{
    inspect::part,
    restore, schemas,
    settings::Records as Wanted,
    store::{self, FENCE, Fence, Index, POSITIONS, Positions},
};

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    match part.name.as_str() {
        part::POSITIONS => {
            let positions: Positions = store::read(part::POSITIONS, POSITIONS)?;
            let groups = positions.groups.len() as u64;
            Ok(Outcome::new(format!("{groups} groups")).receipt("groups", groups, groups))
        }
        part::FENCE => fence(),
        part::SCHEMAS => schemas::verify(),
        name => records(name),
    }
}

/// Every topic of the fence has a part, or there is one for all.
fn fence() -> Result<Outcome> {
    let fence: Fence = store::read(part::FENCE, FENCE)?;
    let parts = archive::parts()?;
    let has =
        |topic: &str| parts.iter().any(|part| *part == part::RECORDS || *part == crate::inspect::records_part(topic));
    let kept = fence.topics.keys().filter(|topic| has(topic)).count() as u64;
    let topics = fence.topics.len() as u64;
    Ok(Outcome::new(format!("{topics} topics")).receipt("topics with records", topics, kept))
}

fn records(name: &str) -> Result<Outcome> {
    let fence: Fence = store::read(part::FENCE, FENCE)?;
    let mut outcome = Outcome::new("");
    let mut total = 0;
    let own = |topic: &str| name == part::RECORDS || crate::inspect::records_part(topic) == name;
    for (topic, fenced) in fence.topics.iter().filter(|(topic, _)| own(topic)) {
        for partition in fenced.partitions.keys() {
            if fence.records == Wanted::None {
                continue;
            }
            let (expected, actual) = partition_records(name, topic, *partition, &fence, &mut outcome)?;
            total += actual;
            outcome = outcome.receipt(format!("partition {topic}-{partition} records"), expected, actual);
        }
        outcome = outcome.receipt(
            format!("topic {topic} partitions"),
            fenced.partitions.len() as u64,
            partitions(name, topic, &fence)?,
        );
    }
    outcome.summary = format!("{total} records");
    Ok(outcome)
}

/// Partitions of a topic that are in the snapshot; where no records were wanted, its shape stands for all.
fn partitions(name: &str, topic: &str, fence: &Fence) -> Result<u64> {
    let Some(fenced) = fence.topics.get(topic) else { return Ok(0) };
    let mut there = 0;
    for partition in fenced.partitions.keys() {
        let path = match fence.records {
            Wanted::None => store::shape(topic),
            _ => store::index(topic, *partition),
        };
        there += u64::from(archive::exists(name, &path)?);
    }
    Ok(there)
}

/// What the index counts, and what the batches hold.
fn partition_records(
    name: &str,
    topic: &str,
    partition: i32,
    fence: &Fence,
    outcome: &mut Outcome,
) -> Result<(u64, u64)> {
    let index: Index = store::read(name, &store::index(topic, partition))?;
    let stream = archive::open(name, &store::batches(topic, partition))?;
    let mut seen = Seen { next: index.from, ..Seen::default() };
    let read = restore::batches(&stream, |batch| seen.batch(batch, &index, fence.cut.at));
    let damage = match read.context(format!("reading {topic}-{partition}")) {
        Ok(batches) if batches != index.batches => {
            Some(format!("{batches} batches, and the index counts {}", index.batches))
        }
        Ok(_) => None,
        Err(error) => Some(error.message),
    };
    let fenced = fence.topics.get(topic).and_then(|fenced| fenced.partitions.get(&partition));
    let apart = fenced.is_none_or(|(start, end)| index.fence != *end || index.from < *start);
    let apart = apart.then(|| "the index and the fence do not say the same of where it begins and ends".to_owned());
    for message in damage.into_iter().chain(apart) {
        outcome.findings.push(Finding::blocker("batches-damaged", format!("{topic}-{partition}"), message));
    }
    Ok((index.tally.kept, seen.records))
}

#[derive(Default)]
struct Seen {
    records: u64,
    next: i64,
}

impl Seen {
    fn batch(&mut self, batch: &[u8], index: &Index, cut: i64) -> Result<()> {
        let mut records = Records::of(batch)?;
        while let Some(record) = records.next_record()? {
            let wrong = |why: &str| Error::corrupt(format!("the record at offset {} {why}", record.offset));
            if record.offset < self.next {
                return Err(wrong("comes behind a later one"));
            }
            if record.offset >= index.fence {
                return Err(wrong("lies behind the fence"));
            }
            if record.timestamp > cut {
                return Err(wrong("is newer than the cut"));
            }
            self.next = record.offset + 1;
            self.records += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
