//! Where partitions begin and end, and where they were at a time.

use std::collections::BTreeMap;

use super::{
    Cluster,
    ask::{Again, To},
};
use crate::{
    Error, Result,
    api::LIST_OFFSETS,
    connection::{Connection, refusal},
    wire::Reader,
};

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The first that is still there: retention and deletion move it.
    Start,
    /// The one that the next record gets, as far as all replicas have come (the high watermark).
    End,
    /// The same before the first transaction that is still open (the last stable offset).
    StableEnd,
    /// The first whose time is not before this, in milliseconds since 1970; none where all are before it. Times that
    /// producers set do not rise with offsets, so records before that time may follow.
    Time(i64),
}

impl At {
    fn timestamp(self) -> i64 {
        match self {
            Self::Start => -2,
            Self::End | Self::StableEnd => -1,
            Self::Time(milliseconds) => milliseconds.max(0),
        }
    }

    fn isolation(self) -> i8 {
        (self == Self::StableEnd).into()
    }
}

impl Cluster {
    /// An offset of each of these partitions; none where there is no such record.
    ///
    /// # Errors
    /// The broker's fault for any of them, or what kept it from answering.
    pub fn offsets(&mut self, topic: &str, partitions: &[i32], at: At) -> Result<BTreeMap<i32, Option<i64>>> {
        let mut left = partitions.to_vec();
        left.sort_unstable();
        left.dedup();
        let mut offsets = BTreeMap::new();
        while let Some(first) = left.first().copied() {
            let doing = format!("looking up {at:?} of topic {topic:?}");
            let found = self.ask(To::Leader(topic, first), Again::Harmless, doing, |connection, cluster| {
                list(connection, topic, &cluster.led_with(topic, first, &left), at)
            })?;
            left.retain(|partition| !found.contains_key(partition));
            offsets.extend(found);
        }
        Ok(offsets)
    }
}

/// Asks one broker. What it leaves out, or adds, makes the answer a lie.
fn list(connection: &mut Connection, topic: &str, partitions: &[i32], at: At) -> Result<BTreeMap<i32, Option<i64>>> {
    let answer = connection.ask(&LIST_OFFSETS, |writer, version| {
        // Not a replica; one topic.
        writer.i32(-1).i8(at.isolation()).count(1).text(topic);
        writer.list(partitions.iter(), |writer, partition| {
            writer.i32(*partition);
            if version >= 4 {
                writer.i32(-1);
            }
            writer.i64(at.timestamp());
        });
    })?;
    let answered = answer.read(|reader, version| {
        reader.i32()?;
        reader.list(|reader| Ok((reader.text()?.to_owned(), reader.list(|reader| partition(reader, version))?)))
    })?;
    let mut found = BTreeMap::new();
    for (name, offsets) in answered {
        for (partition, code, offset) in offsets {
            if name != topic || !partitions.contains(&partition) {
                return Err(Error::corrupt(format!(
                    "the broker answers for {name:?} {partition}, which was not asked for"
                )));
            }
            refusal(code, None).map_err(|error| error.context(format!("partition {partition}")))?;
            found.insert(partition, Some(offset).filter(|offset| *offset >= 0));
        }
    }
    match partitions.iter().find(|partition| !found.contains_key(partition)) {
        Some(partition) => Err(Error::corrupt(format!("the broker leaves out partition {partition}"))),
        None => Ok(found),
    }
}

fn partition(reader: &mut Reader, version: i16) -> Result<(i32, i16, i64)> {
    let (partition, code, _time, offset) = (reader.i32()?, reader.i16()?, reader.i64()?, reader.i64()?);
    if version >= 4 {
        reader.i32()?;
    }
    Ok((partition, code, offset))
}
