//! One topic after the other: made, filled, read back, its groups' offsets committed, and last given its settings. The
//! offsets are committed here, where they are known: what makes the product use them, `kafka.topicPrefix`, comes when
//! all topics are there.

use std::collections::BTreeMap;

use strongroom_kafka::{Header, Records};
use strongroom_plugin::{Context, Error, Finding, InputStream, Outcome, Part, Receipt, Result, archive, context, log};

use super::{
    configs,
    load::{Loaded, Loader},
    origin::{self, Came},
    target::Target,
    topics::Made,
};
use crate::{
    broker::{Broker, Edge},
    cut::{Cut, millis},
    hash::RecordHash,
    inspect::setting,
    keep::{Keeper, Tally},
    scan::{self, Range, Taker},
    settings::Late,
    store::{self, Fenced},
    translate::Marks,
};

pub(super) fn restore<B: Broker>(
    broker: &mut B,
    mut source: Option<&mut B>,
    part: &Part,
    target: &Target,
) -> Result<Outcome> {
    refuse(broker, target)?;
    let topics: Vec<&str> = match part.setting(setting::TOPIC) {
        Some(topic) => vec![topic],
        None => target.fence.topics.keys().map(String::as_str).collect(),
    };
    let own = topics.iter().map(|topic| target.rename(topic)).collect::<Result<_>>()?;
    let mut made = Made::undo(broker, &own)?;
    let mut done = Done::default();
    for topic in &topics {
        let fenced = target.fence.topics.get(*topic);
        let fenced = fenced.ok_or_else(|| Error::corrupt(format!("the snapshot's fence does not know {topic}")))?;
        let mut one = One { part: &part.name, topic, new: target.rename(topic)?, fenced, target };
        one.restore(broker, source.as_deref_mut(), &mut made, &mut done)
            .context(format!("restoring the topic {topic} as {}", one.new))?;
    }
    let summary = format!("{} topics, {} records, {} offsets", topics.len(), done.records, done.offsets);
    let mut outcome = Outcome::new(summary).findings(done.findings);
    outcome.receipts = done.receipts;
    Ok(outcome)
}

/// What the part `fence` has said already, this part does not take on trust: parts go on when one has failed.
fn refuse(broker: &mut impl Broker, target: &Target) -> Result<()> {
    let (topics, groups) = (broker.topics()?.into_keys().collect(), broker.groups()?);
    let mut against = target.names();
    against.extend(target.conflicts(&broker.cluster(), &topics, &groups));
    match against.into_iter().next() {
        Some(finding) => Err(Error::invalid(format!("{} ({})", finding.message, finding.code))),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Done {
    records: u64,
    offsets: u64,
    receipts: Vec<Receipt>,
    findings: Vec<Finding>,
}

impl Done {
    fn receipt(&mut self, subject: String, expected: u64, actual: u64) {
        self.receipts.push(Receipt { subject, expected, actual });
    }
}

/// One topic.
struct One<'a> {
    part: &'a str,
    topic: &'a str,
    new: String,
    fenced: &'a Fenced,
    target: &'a Target,
}

/// Offsets to commit, by group.
type Commits = BTreeMap<String, Vec<(String, i32, i64)>>;

impl One<'_> {
    fn restore<B: Broker>(
        &mut self,
        broker: &mut B,
        mut source: Option<&mut B>,
        made: &mut Made,
        done: &mut Done,
    ) -> Result<()> {
        self.refuse_members(broker)?;
        let replication = self.replication(broker, done);
        made.make(broker, &self.new, self.fenced, replication)?;
        let (mut commits, mut oldest) = (Commits::new(), None::<i64>);
        for partition in self.fenced.partitions.keys() {
            log::progress("records", done.records, None);
            let (loaded, came) = self.load(broker, source.as_deref_mut(), *partition)?;
            self.prove(broker, *partition, &loaded, came, done)?;
            oldest = oldest.into_iter().chain(loaded.oldest).min();
            self.translate(*partition, &loaded, &mut commits)?;
        }
        self.commit(broker, &commits, done)?;
        done.findings.extend(configs::settle(broker, &self.new, &self.fenced.configs)?);
        if let Some(oldest) = oldest {
            done.findings.extend(configs::retention(broker, &self.new, oldest, millis(context::now()))?);
        }
        Ok(())
    }

    /// A running consumer would both read what is half there and keep its offsets from being committed.
    fn refuse_members(&self, broker: &mut impl Broker) -> Result<()> {
        for (group, topics) in &self.target.positions.groups {
            if !topics.contains_key(self.topic) {
                continue;
            }
            let new = self.target.rename(group)?;
            let members = broker.members(&new)?;
            if members > 0 {
                let message =
                    format!("the group {new} has {members} active members: stop the nodes that use the new prefix");
                return Err(Error::invalid(message));
            }
        }
        Ok(())
    }

    fn replication(&self, broker: &impl Broker, done: &mut Done) -> i16 {
        let brokers = i16::try_from(broker.brokers()).unwrap_or(i16::MAX).max(1);
        let was = self.fenced.replication.max(1);
        let wanted = self.target.settings.replication.unwrap_or(was).min(brokers);
        if wanted < was {
            let message = format!("{wanted} copies of each partition instead of {was}: there are {brokers} brokers");
            done.findings.push(Finding::info("replication-lowered", &self.new, message));
        }
        wanted
    }

    fn load<B: Broker>(&self, broker: &mut B, source: Option<&mut B>, partition: i32) -> Result<(Loaded, Came)> {
        let marks = Marks::new(self.target.positions.of(self.topic, partition).map(|(_, offset)| offset));
        let bytes_max = self.fenced.configs.get("max.message.bytes").and_then(|text| text.parse().ok());
        let hashed = self.target.settings.read_back;
        let mut loader = Loader::new(broker, (&self.new, partition), bytes_max, marks, hashed);
        let place = (self.topic, partition);
        let came = match source {
            None => origin::from_snapshot(self.part, place, &mut loader)?,
            Some(source) => origin::from_live(source, self.target, place, &mut loader)?,
        };
        Ok((loader.end()?, came))
    }

    /// The new partition holds what was put into it, from 0 on, and reads back as it was.
    fn prove(
        &self,
        broker: &mut impl Broker,
        partition: i32,
        loaded: &Loaded,
        came: Came,
        done: &mut Done,
    ) -> Result<()> {
        let name = format!("{}-{partition}", self.new);
        let edge = |broker: &mut _, edge| -> Result<i64> {
            let offsets = Broker::offsets(broker, &self.new, &[partition], edge)?;
            offsets.get(&partition).copied().ok_or_else(|| Error::corrupt(format!("nobody says where {name} is")))
        };
        let (start, end) = (edge(&mut *broker, Edge::Start)?, edge(&mut *broker, Edge::End)?);
        let there = u64::try_from(end.saturating_sub(start)).unwrap_or_default();
        if there != u64::try_from(loaded.records).unwrap_or_default() {
            let message =
                format!("{name} holds {there} records, and {} were written: somebody else uses it", loaded.records);
            return Err(Error::invalid(message));
        }
        done.records += there;
        done.receipt(format!("partition {name} records"), came.expected, there);
        done.findings.extend(came.findings);
        if let Some(wanted) = &loaded.hash {
            let (records, hash) = read_back(broker, &self.new, partition, loaded.records)?;
            done.receipt(
                format!("partition {name} read back"),
                u64::try_from(loaded.records).unwrap_or_default(),
                records,
            );
            if hash != *wanted {
                let message =
                    format!("{name} does not read back as it was written: its records' hash is {hash}, not {wanted}");
                return Err(Error::corrupt(message));
            }
        }
        Ok(())
    }

    fn translate(&self, partition: i32, loaded: &Loaded, commits: &mut Commits) -> Result<()> {
        for (group, offset) in self.target.positions.of(self.topic, partition) {
            let Some(new) = loaded.offsets.get(&offset) else { continue };
            let group = self.target.rename(group)?;
            commits.entry(group).or_default().push((self.new.clone(), partition, *new));
        }
        Ok(())
    }

    fn commit(&self, broker: &mut impl Broker, commits: &Commits, done: &mut Done) -> Result<()> {
        for (group, offsets) in commits {
            broker.commit(group, offsets).context(format!("committing what the group {group} has read"))?;
            let there = broker.committed(group)?;
            let own = there.get(&self.new);
            let kept =
                |(_, partition, offset): &&(String, i32, i64)| own.and_then(|own| own.get(partition)) == Some(offset);
            let kept = offsets.iter().filter(kept).count() as u64;
            done.offsets += kept;
            done.receipt(format!("group {group} offsets in {}", self.new), offsets.len() as u64, kept);
        }
        Ok(())
    }
}

/// Hashes what is read.
struct Reader(RecordHash);

impl Reader {
    fn batch(&mut self, batch: &[u8]) -> Result<()> {
        let mut records = Records::of(batch)?;
        while let Some(record) = records.next_record()? {
            self.0.add(record.timestamp, record.key, record.value, record.headers.iter().copied());
        }
        Ok(())
    }
}

impl Taker for Reader {
    fn whole(&mut self, headers: &[Header], batches: &[u8], stream: &InputStream) -> Result<()> {
        scan::each(headers, batches, stream, |batch| self.batch(batch))
    }

    fn long(&mut self, header: &Header, stream: &InputStream) -> Result<()> {
        self.batch(&scan::read_batch(header, stream)?)
    }

    fn straddling(&mut self, batch: &[u8], _: &mut Keeper, _: &mut Tally) -> Result<u64> {
        let header = Header::parse(batch)?;
        let message = format!("the batch at offset {} reaches behind what was written", header.base_offset);
        Err(Error::corrupt(message))
    }
}

fn read_back(broker: &mut impl Broker, topic: &str, partition: i32, records: i64) -> Result<(u64, String)> {
    let everything = Cut { at: i64::MAX, slack: 0, late: Late::Keep, from: None };
    let range = Range { topic, partition, from: 0, to: records, compacted: false };
    let mut reader = Reader(RecordHash::default());
    scan::scan(broker, range, Keeper::new(0, records, &everything), &mut reader).context("reading back")?;
    Ok(reader.0.end())
}

/// Whether the snapshot holds records of that topic in that part.
pub(super) fn has_records(part: &str, topic: &str, fenced: &Fenced) -> Result<bool> {
    for partition in fenced.partitions.keys() {
        if !archive::exists(part, &store::index(topic, *partition))? {
            return Ok(false);
        }
    }
    Ok(true)
}
