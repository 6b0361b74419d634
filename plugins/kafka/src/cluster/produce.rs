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
    connection::{Answer, Connection, refusal},
    record::Sequence,
    wire::Writer,
};

/// A batch up to so many bytes is kept until its answer is waited for; a longer one would be, beside the next, too much
/// for a plugin's memory.
const BEGUN_BYTES_MAX: usize = 2 << 20;

/// One who writes, and how many records it has written where: the broker takes each batch once, however often a lost
/// answer has it sent (KIP-98). Use one for all that is written; after an error begin a new one.
pub struct Producer {
    id: i64,
    epoch: i16,
    next: BTreeMap<(String, i32), i32>,
    last: Option<Last>,
}

/// The last batch, until somebody asks for its offset.
enum Last {
    Begun(Begun),
    Written(i64),
}

/// A batch that may have been told to a broker, whose answer is not read yet.
struct Begun {
    topic: String,
    partition: i32,
    batch: Vec<u8>,
    told: Result<Told>,
}

/// Where the answer comes: the connection, to that endpoint, and the answer's version.
struct Told {
    endpoint: String,
    connection: Connection,
    version: i16,
}

impl Producer {
    /// Writes the records of `builder` at the end of a partition. Returns the offset that the first one got.
    ///
    /// # Errors
    /// As [`Cluster::produce`].
    pub fn send(&mut self, cluster: &mut Cluster, topic: &str, partition: i32, builder: Builder) -> Result<i64> {
        self.begin(cluster, topic, partition, builder)?;
        self.settle(cluster)?.ok_or_else(|| Error::corrupt("nothing was written"))
    }

    /// The same without waiting: the next batch can be made while the broker takes this one. Waits for the one before,
    /// so that what was begun is written in its order, and returns the offset of that one.
    ///
    /// # Errors
    /// As [`Cluster::produce`], of the batch before; of this one too where it is too long to be kept meanwhile.
    pub fn begin(
        &mut self,
        cluster: &mut Cluster,
        topic: &str,
        partition: i32,
        builder: Builder,
    ) -> Result<Option<i64>> {
        let next = self.next.entry((topic.to_owned(), partition)).or_default();
        let (first, count) = (*next, builder.count());
        // Behind the largest number comes 0.
        *next = ((i64::from(first) + i64::from(count)) & i64::from(i32::MAX)) as i32;
        let batch = builder.finish(Some(Sequence { producer_id: self.id, producer_epoch: self.epoch, first }))?;
        let before = self.settle(cluster)?;
        let told = cluster.tell(topic, partition, &batch);
        let begun = Begun { topic: topic.to_owned(), partition, batch, told };
        self.last = Some(match begun.batch.len() > BEGUN_BYTES_MAX {
            true => Last::Written(cluster.settle(begun)?),
            false => Last::Begun(begun),
        });
        Ok(before)
    }

    /// Waits for the batch that was begun last. Returns the offset that its first record got; none where nothing is
    /// waited for.
    ///
    /// # Errors
    /// As [`Cluster::produce`].
    pub fn settle(&mut self, cluster: &mut Cluster) -> Result<Option<i64>> {
        match self.last.take() {
            None => Ok(None),
            Some(Last::Written(offset)) => Ok(Some(offset)),
            Some(Last::Begun(begun)) => cluster.settle(begun).map(Some),
        }
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
                Ok(Producer { id, epoch, next: BTreeMap::new(), last: None })
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
        let doing = writing(&header, topic, partition);
        self.ask(To::Leader(topic, partition), again, doing, |connection, _| {
            let answer = connection.ask(&PRODUCE, |writer, _| write(writer, topic, partition, batch, timeout))?;
            read(&answer, topic, partition).and_then(|offset| placed(&header, offset))
        })
    }

    /// Sends a batch to the broker that leads its partition.
    fn tell(&mut self, topic: &str, partition: i32, batch: &[u8]) -> Result<Told> {
        let timeout = self.timeout_ms();
        let endpoint = self.endpoint(To::Leader(topic, partition))?;
        let mut connection = self.take(&endpoint)?;
        let version = connection.tell(&PRODUCE, |writer, _| write(writer, topic, partition, batch, timeout))?;
        Ok(Told { endpoint, connection, version })
    }

    /// Waits for the answer, and sends the batch again where that may help.
    fn settle(&mut self, begun: Begun) -> Result<i64> {
        let Begun { topic, partition, batch, told } = begun;
        let header = Header::parse(&batch)?;
        let answered = told.and_then(|Told { endpoint, mut connection, version }| {
            let answer = connection.answer(&PRODUCE, version);
            let offset = answer.and_then(|answer| read(&answer, &topic, partition));
            self.keep(&endpoint, connection, offset).and_then(|offset| placed(&header, offset))
        });
        match answered {
            Err(error) if error.may_pass(true) => {
                self.forget();
                self.produce(&topic, partition, &batch)
            }
            Err(error) => Err(error.context(writing(&header, &topic, partition))),
            Ok(offset) => Ok(offset),
        }
    }
}

fn writing(header: &Header, topic: &str, partition: i32) -> String {
    format!("writing {} records to {topic:?} {partition}", header.count)
}

/// An offset that records cannot have is a lie.
fn placed(header: &Header, offset: i64) -> Result<i64> {
    let end = offset.checked_add(i64::from(header.last_offset_delta) + 1);
    match offset >= 0 && end.is_some() {
        true => Ok(offset),
        false => Err(Error::corrupt(format!("the broker says that the records are at offset {offset}"))),
    }
}

fn write(writer: &mut Writer, topic: &str, partition: i32, batch: &[u8], timeout: i32) {
    // In no transaction; acknowledged by all.
    writer.null().i16(-1).i32(timeout);
    writer.count(1).text(topic).count(1).i32(partition).bytes(batch);
}

fn read(answer: &Answer, topic: &str, partition: i32) -> Result<i64> {
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
