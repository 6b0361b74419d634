//! Writing records, each once and in order.

use std::collections::BTreeMap;

use super::{
    Cluster,
    ask::{Again, To},
};
use crate::{
    Builder, Error, Header, Result,
    api::{INIT_PRODUCER_ID, PRODUCE},
    batch,
    connection::{Connection, refusal},
    record::Sequence,
};

/// One who writes, and how many records it has written where: the broker takes each batch once, however often a lost
/// answer has it sent (KIP-98). Use one for all that is written; after an error of [`Producer::send`] begin a new one.
#[derive(Debug)]
pub struct Producer {
    id: i64,
    epoch: i16,
    next: BTreeMap<(String, i32), i32>,
}

impl Producer {
    /// Writes the records of `builder` at the end of a partition. Returns the offset that the first one got.
    ///
    /// # Errors
    /// As [`Cluster::produce`].
    pub fn send(&mut self, cluster: &mut Cluster, topic: &str, partition: i32, builder: Builder) -> Result<i64> {
        let next = self.next.entry((topic.to_owned(), partition)).or_default();
        let count = builder.count();
        let batch =
            builder.finish(Some(Sequence { producer_id: self.id, producer_epoch: self.epoch, first: *next }))?;
        let offset = cluster.produce(topic, partition, &batch)?;
        // Behind the largest number comes 0.
        *next = ((i64::from(*next) + i64::from(count)) & i64::from(i32::MAX)) as i32;
        Ok(offset)
    }
}

impl Cluster {
    /// A new producer, with an id of its own.
    ///
    /// # Errors
    /// [`crate::Fault::ClusterAuthorizationFailed`] and others of the broker, or what kept it from answering.
    pub fn producer(&mut self) -> Result<Producer> {
        let timeout = self.timeout_ms();
        self.ask(To::Any, Again::Harmless, "asking for a producer id", |connection, _| {
            // In no transaction.
            let answer = connection.ask(&INIT_PRODUCER_ID, |writer, _| {
                writer.null().i32(timeout);
            })?;
            answer.read(|reader, _| {
                reader.i32()?;
                let (code, id, epoch) = (reader.i16()?, reader.i64()?, reader.i16()?);
                refusal(code, None)?;
                Ok(Producer { id, epoch, next: BTreeMap::new() })
            })
        })
    }

    /// Writes a batch at the end of a partition, on all replicas that are in step before it returns. Returns the offset
    /// that its first record got. One without a [`Sequence`] is not sent again after a lost answer: it may be there.
    ///
    /// # Errors
    /// `corrupt` when `batch` is no batch; [`crate::Fault::MessageTooLarge`] and others of the broker, or what kept it from
    /// answering.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> Result<i64> {
        let header = batch::check(batch)?;
        let again = if header.producer_id >= 0 { Again::Harmless } else { Again::Harmful };
        let timeout = self.timeout_ms();
        let doing = format!("writing {} records to {topic:?} {partition}", header.count);
        self.ask(To::Leader(topic, partition), again, doing, |connection, _| {
            produce(connection, topic, partition, batch, timeout).and_then(|offset| placed(&header, offset))
        })
    }
}

/// An offset that records cannot have is a lie.
fn placed(header: &Header, offset: i64) -> Result<i64> {
    let end = offset.checked_add(i64::from(header.last_offset_delta) + 1);
    match offset >= 0 && end.is_some() {
        true => Ok(offset),
        false => Err(Error::corrupt(format!("the broker says that the records are at offset {offset}"))),
    }
}

fn produce(connection: &mut Connection, topic: &str, partition: i32, batch: &[u8], timeout: i32) -> Result<i64> {
    let answer = connection.ask(&PRODUCE, |writer, _| {
        // In no transaction; acknowledged by all.
        writer.null().i16(-1).i32(timeout);
        writer.count(1).text(topic).count(1).i32(partition).bytes(batch);
    })?;
    let answers = answer.read(|reader, version| {
        let answers = reader.list(|reader| {
            let name = reader.text()?;
            let written = reader.list(|reader| {
                let (index, code, offset) = (reader.i32()?, reader.i16()?, reader.i64()?);
                // When it was appended, and where the log starts.
                reader.i64()?;
                reader.i64()?;
                let mut words = None;
                if version >= 8 {
                    reader.list(|reader| Ok((reader.i32()?, reader.nullable_text()?.is_some())))?;
                    words = reader.nullable_text()?;
                }
                Ok((name == topic && index == partition, refusal(code, words).map(|()| offset)))
            })?;
            Ok(written)
        })?;
        reader.i32()?;
        Ok(answers)
    })?;
    match answers.into_iter().flatten().next() {
        Some((true, written)) => written,
        _ => Err(Error::corrupt("the broker answers for another partition")),
    }
}
