//! The records of one topic, or of all of them: partition by partition up to the fence, and no newer than the cut.

use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Receipt, Result, log, snapshot};

use super::{capture::capture, note, noted};
use crate::{
    broker::{Broker, Edge},
    inspect::setting,
    scan::{self, Range, Scanned, Unread},
    settings::{Records, Settings},
    store::{self, Fence, Fenced, Index, Positions, Shape, VERSION},
};

pub(super) fn backup(broker: &mut impl Broker, part: &Part, settings: &Settings) -> Result<Outcome> {
    let fence: Fence = noted(note::FENCE)?;
    let topics: Vec<&str> = match part.setting(setting::TOPIC) {
        Some(topic) => vec![topic],
        None => fence.topics.keys().map(String::as_str).collect(),
    };
    let positions: Positions = match settings.records {
        Records::Pending => noted(note::POSITIONS)?,
        Records::All | Records::None => Positions::default(),
    };
    let mut done = Done::default();
    for topic in &topics {
        let fenced = fence.topics.get(*topic).ok_or_else(|| {
            Error::not_found(format!("the topic {topic} was there when the plan was made, and is gone"))
        })?;
        let partitions = match settings.records {
            Records::None => Vec::new(),
            _ => fenced.partitions.keys().copied().collect(),
        };
        for partition in partitions {
            log::progress("records", done.records, None);
            let from = first(settings.records, fenced, &positions, topic, partition);
            let to = fenced.partitions.get(&partition).map_or(from, |(_, end)| *end);
            let range = Range { topic, partition, from, to, compacted: fenced.compacted };
            let (index, scanned) = capture(broker, range, &fence.cut).context(format!("saving the topic {topic}"))?;
            done.partition(range, &index, &scanned);
        }
        if settings.records == Records::None {
            done.shape(broker, topic, fenced)?;
        }
        done.topic(topic, fenced);
    }
    Ok(done.outcome(topics.len()))
}

/// Where a partition's records begin that are stored.
fn first(records: Records, fenced: &Fenced, positions: &Positions, topic: &str, partition: i32) -> i64 {
    let (start, end) = fenced.partitions.get(&partition).copied().unwrap_or_default();
    let oldest = positions.of(topic, partition).map(|(_, offset)| offset).min();
    match (records, oldest) {
        (Records::Pending, Some(oldest)) => oldest.clamp(start, end),
        _ => start,
    }
}

#[derive(Default)]
struct Done {
    records: u64,
    bytes: u64,
    receipts: Vec<Receipt>,
    findings: Vec<Finding>,
}

impl Done {
    /// Expected is what the brokers' own offsets promise less what was seen and knowingly left out; actual is what the
    /// batches that were stored hold.
    fn partition(&mut self, range: Range, index: &Index, scanned: &Scanned) {
        let (name, tally) = (format!("{}-{}", range.topic, range.partition), &index.tally);
        self.records += tally.kept;
        self.bytes += index.bytes;
        self.receipts.push(Receipt {
            subject: format!("partition {name} records"),
            expected: tally.promised(range.from, range.to, range.compacted),
            actual: tally.kept,
        });
        for (from, to) in &scanned.gaps {
            let message = format!(
                "the brokers deleted offsets {from} up to {to} before they were read: lengthen the topic's retention"
            );
            self.findings.push(Finding::warning("retention-gap", &name, message));
        }
        self.findings.extend(scanned.unread.map(|(offset, why)| unread(&name, offset, range.to, why)));
        if index.longest > scan::BATCH_BYTES_DEFAULT {
            let message = format!(
                "a batch has {} bytes: to restore it, the step needs about six times as much memory, which its limits say",
                index.longest
            );
            self.findings.push(Finding::info("batch-long", &name, message));
        }
        if tally.holes > 0 && !range.compacted {
            let message = format!(
                "{} offsets hold nothing, and the topic's cleanup.policy is not compact: it was once, or the brokers have \
                 lost records",
                tally.holes
            );
            self.findings.push(Finding::warning("holes", &name, message));
        }
    }

    /// The topic can be replicated as long as it is there with all partitions.
    fn shape(&mut self, broker: &mut impl Broker, topic: &str, fenced: &Fenced) -> Result<()> {
        let partitions: Vec<i32> = fenced.partitions.keys().copied().collect();
        let there = broker.offsets(topic, &partitions, Edge::Start)?;
        let shape = Shape { version: VERSION, records: Records::None, partitions: there.keys().copied().collect() };
        snapshot::put_bytes(&store::shape(topic), store::to_json(&shape)?.as_bytes())?;
        self.receipts.push(Receipt {
            subject: format!("topic {topic} partitions"),
            expected: partitions.len() as u64,
            actual: there.len() as u64,
        });
        Ok(())
    }

    fn topic(&mut self, topic: &str, fenced: &Fenced) {
        if fenced.timestamp_type == "LogAppendTime" {
            let message = "its records have the time at which the broker took them; a restored topic keeps these times as \
                           those of the producers (CreateTime) until the restore is done";
            self.findings.push(Finding::info("log-append-time", topic, message));
        }
    }

    fn outcome(self, topics: usize) -> Outcome {
        let summary = format!("{topics} topics, {} records, {} bytes", self.records, self.bytes);
        let mut outcome = Outcome::new(summary).findings(self.findings);
        outcome.receipts = self.receipts;
        outcome
    }
}

fn unread(name: &str, offset: i64, fence: i64, why: Unread) -> Finding {
    let message = match why {
        Unread::Open => format!(
            "a transaction that began at or behind {offset} is still open: what lies between it and the fence at {fence} is \
             not stored"
        ),
        Unread::Lost => format!(
            "the partition ended at {fence} when the fence was taken, and offers nothing from {offset} on: the brokers \
             have lost records"
        ),
    };
    match why {
        Unread::Open => Finding::warning("transaction-open", name, message),
        Unread::Lost => Finding::warning("log-truncated", name, message),
    }
}
