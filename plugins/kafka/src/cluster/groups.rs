//! Consumer groups: which there are, who is in them, how far they have come.

use std::collections::BTreeMap;

use super::{
    Cluster,
    ask::{Again, To},
};
use crate::{
    Error, Fault, Result,
    api::{CONSUMER_GROUP_DESCRIBE, DESCRIBE_GROUPS, LIST_GROUPS, OFFSET_COMMIT, OFFSET_FETCH},
    connection::{Connection, refusal},
    wire::Reader,
};

/// A group, as the list of a broker shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub id: String,
    /// `consumer` for what reads topics; empty where a group only ever had offsets committed.
    pub protocol_type: String,
    /// `Empty`, `Stable` and so on, where the broker says it (Kafka 2.6 and later).
    pub state: Option<String>,
    /// `classic`, `consumer`, `share`, `streams`, where the broker says it (Kafka 3.8 and later).
    pub kind: Option<String>,
}

/// What a partition of a topic is called in this module.
type Place = (String, i32);

impl Cluster {
    /// Every group that this user may see, in the order of their names. Each broker is asked for its own, and all must
    /// answer.
    ///
    /// # Errors
    /// The broker's fault, or what kept it from answering.
    pub fn groups(&mut self) -> Result<Vec<Group>> {
        // One that joined since would keep its groups to itself.
        self.refresh()?;
        let mut groups = BTreeMap::new();
        for broker in self.brokers.clone() {
            let doing = format!("listing the groups of broker {}", broker.id);
            let listed = self.ask(To::Broker(broker.id), Again::Harmless, doing, |connection, _| list(connection))?;
            groups.extend(listed.into_iter().map(|group| (group.id.clone(), group)));
        }
        Ok(groups.into_values().collect())
    }

    /// How many members a group has at this moment: consumers that joined it, by the classic protocol or that of
    /// KIP-848. None of a group that is not there.
    ///
    /// # Errors
    /// The broker's fault, or what kept it from answering.
    pub fn group_members(&mut self, group: &str) -> Result<usize> {
        let doing = format!("counting the members of group {group:?}");
        self.ask(To::Coordinator(group), Again::Harmless, doing, |connection, _| {
            let members = classic_members(connection, group)?;
            match members {
                0 if connection.versions().knows(&CONSUMER_GROUP_DESCRIBE) => consumer_members(connection, group),
                members => Ok(members),
            }
        })
    }

    /// Where a group goes on reading: of each partition that it has committed, the offset of its next record.
    ///
    /// # Errors
    /// The broker's fault for the group or any partition, or what kept it from answering.
    pub fn committed(&mut self, group: &str) -> Result<BTreeMap<(String, i32), i64>> {
        let doing = format!("reading what group {group:?} has committed");
        self.ask(To::Coordinator(group), Again::Harmless, doing, |connection, _| {
            // No topics: all of them.
            let answer = connection.ask(&OFFSET_FETCH, |writer, _| {
                writer.text(group).i32(-1);
            })?;
            answer.read(|reader, version| {
                reader.i32()?;
                let topics =
                    reader.list(|reader| Ok((reader.text()?.to_owned(), reader.list(|r| position(r, version))?)))?;
                refusal(reader.i16()?, None)?;
                let mut committed = BTreeMap::new();
                for (topic, positions) in topics {
                    for (partition, offset, code) in positions {
                        refusal(code, None).map_err(|error| error.context(format!("{topic:?} {partition}")))?;
                        committed.insert((topic.clone(), partition), offset);
                    }
                }
                committed.retain(|_, offset| *offset >= 0);
                Ok(committed)
            })
        })
    }

    /// Says for a group where it goes on reading: topic, partition, and the offset of its next record. Only a group without
    /// members can be spoken for; one that is not there is made.
    ///
    /// # Errors
    /// [`Fault::UnknownMemberId`] and others where the group has members; the broker's fault for any partition, or what
    /// kept it from answering.
    pub fn commit(&mut self, group: &str, offsets: &[(String, i32, i64)]) -> Result<()> {
        let doing = format!("committing {} offsets of group {group:?}", offsets.len());
        let mut topics: BTreeMap<&str, Vec<(i32, i64)>> = BTreeMap::new();
        for (topic, partition, offset) in offsets {
            topics.entry(topic).or_default().push((*partition, *offset));
        }
        self.ask(To::Coordinator(group), Again::Harmless, doing, |connection, _| commit(connection, group, &topics))
    }
}

fn list(connection: &mut Connection) -> Result<Vec<Group>> {
    let answer = connection.ask(&LIST_GROUPS, |writer, version| {
        // No filter of states, and none of kinds.
        (4..=version.min(5)).for_each(|_| {
            writer.count(0);
        });
        if version >= 3 {
            writer.tags();
        }
    })?;
    answer.read(|reader, version| {
        reader.i32()?;
        refusal(reader.i16()?, None)?;
        reader.list(|reader| {
            let (id, protocol_type) = (reader.text()?.to_owned(), reader.text()?.to_owned());
            let state = if version >= 4 { Some(reader.text()?.to_owned()) } else { None };
            let kind = if version >= 5 { Some(reader.text()?.to_owned()) } else { None };
            reader.tags()?;
            Ok(Group { id, protocol_type, state, kind })
        })
    })
}

/// Members by the classic protocol; to it a group of the other kind is dead.
fn classic_members(connection: &mut Connection, group: &str) -> Result<usize> {
    let answer = connection.ask(&DESCRIBE_GROUPS, |writer, _| {
        writer.count(1).text(group);
    })?;
    let described = answer.read(|reader, _| {
        reader.i32()?;
        reader.list(|reader| {
            let (code, id) = (reader.i16()?, reader.text()?);
            // State, protocol type, protocol.
            reader.text()?;
            reader.text()?;
            reader.text()?;
            let members = reader.list(|reader| {
                reader.text()?;
                reader.text()?;
                reader.text()?;
                reader.bytes()?;
                reader.bytes()?;
                Ok(())
            })?;
            Ok((id.to_owned(), code, members.len()))
        })
    })?;
    members_of(group, described.into_iter().next())
}

/// Members by the protocol of KIP-848.
fn consumer_members(connection: &mut Connection, group: &str) -> Result<usize> {
    let answer = connection.ask(&CONSUMER_GROUP_DESCRIBE, |writer, _| {
        writer.count(1).text(group).bool(false).tags();
    })?;
    // Members are the last of what is described that matters here.
    let described = answer.read_part(|reader, _| {
        reader.i32()?;
        if reader.count()? == 0 {
            return Ok(None);
        }
        let (code, _words, id) = (reader.i16()?, reader.nullable_text()?, reader.text()?.to_owned());
        // State, the epochs of group and assignment, the assignor.
        reader.text()?;
        reader.i32()?;
        reader.i32()?;
        reader.text()?;
        Ok(Some((id, code, reader.count()?)))
    })?;
    members_of(group, described)
}

fn members_of(group: &str, described: Option<(String, i16, usize)>) -> Result<usize> {
    match described {
        Some((id, code, members)) if id == group => match refusal(code, None) {
            Ok(()) => Ok(members),
            // A broker may list the request of KIP-848 and still have no such groups (3.7 to 3.9).
            Err(error) if error.is(Fault::GroupIdNotFound) || error.is(Fault::UnsupportedVersion) => Ok(0),
            Err(error) => Err(error),
        },
        _ => Err(Error::corrupt("the broker answers for another group")),
    }
}

fn position(reader: &mut Reader, version: i16) -> Result<(i32, i64, i16)> {
    let (partition, offset) = (reader.i32()?, reader.i64()?);
    if version >= 5 {
        reader.i32()?;
    }
    // What the consumer noted beside it.
    reader.nullable_text()?;
    Ok((partition, offset, reader.i16()?))
}

fn commit(connection: &mut Connection, group: &str, topics: &BTreeMap<&str, Vec<(i32, i64)>>) -> Result<()> {
    let answer = connection.ask(&OFFSET_COMMIT, |writer, version| {
        // Of no generation and no member.
        writer.text(group).i32(-1).text("");
        writer.list(topics.iter(), |writer, (topic, offsets)| {
            writer.text(topic).list(offsets.iter(), |writer, (partition, offset)| {
                writer.i32(*partition).i64(*offset);
                if version >= 6 {
                    writer.i32(-1);
                }
                writer.text("");
            });
        });
    })?;
    let answered: Vec<(String, Vec<(i32, i16)>)> = answer.read(|reader, _| {
        reader.i32()?;
        reader.list(|reader| Ok((reader.text()?.to_owned(), reader.list(|reader| Ok((reader.i32()?, reader.i16()?)))?)))
    })?;
    let answered: BTreeMap<Place, i16> = answered
        .into_iter()
        .flat_map(|(topic, codes)| codes.into_iter().map(move |(partition, code)| ((topic.clone(), partition), code)))
        .collect();
    for (topic, offsets) in topics {
        for (partition, _) in offsets {
            let code = answered.get(&((*topic).to_owned(), *partition)).copied();
            let code = code.ok_or_else(|| Error::corrupt(format!("the broker leaves out {topic:?} {partition}")))?;
            refusal(code, None).map_err(|error| taken(error).context(format!("{topic:?} {partition}")))?;
        }
    }
    Ok(())
}

/// What a group's members make of being spoken for.
fn taken(error: Error) -> Error {
    let active = [Fault::UnknownMemberId, Fault::IllegalGeneration, Fault::RebalanceInProgress, Fault::NonEmptyGroup];
    match active.into_iter().any(|fault| error.is(fault)) {
        true => error.context("the group has active members: stop its consumers"),
        false => error,
    }
}
