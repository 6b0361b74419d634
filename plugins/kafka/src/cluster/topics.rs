//! Topics: what there are, how they are set, making and removing them.

use std::collections::BTreeMap;

use super::{
    Cluster,
    ask::{Again, To},
    brokers,
};
use crate::{
    Error, Fault, Result,
    api::{ALTER_CONFIGS, CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS, INCREMENTAL_ALTER_CONFIGS},
    connection::{Connection, refusal},
    wire::Reader,
};

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The brokers keep it for themselves (`__consumer_offsets`): never write to it.
    pub internal: bool,
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub index: i32,
    /// The broker that it is read from and written to; none while none is up.
    pub leader: Option<i32>,
    /// The brokers that keep it.
    pub replicas: Vec<i32>,
}

/// One setting of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `cleanup.policy` and the like.
    pub name: String,
    /// None where the broker does not tell it.
    pub value: Option<String>,
    /// Set on the topic itself, rather than on the broker or nowhere.
    pub overridden: bool,
    /// Where it comes from.
    pub source: Source,
    /// The broker tells it to nobody.
    pub sensitive: bool,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic.
    Topic,
    /// The broker, or all brokers.
    Broker,
    /// Kafka itself.
    Default,
    /// Something newer.
    Other,
}

impl Source {
    fn of(number: i8) -> Self {
        match number {
            1 => Self::Topic,
            2..=4 => Self::Broker,
            5 => Self::Default,
            _ => Self::Other,
        }
    }
}

/// How topics are called among the resources that have settings.
const TOPIC: i8 = 2;
/// What a change of a setting does (KIP-339).
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Reads a topic out of the cluster's metadata, with what is wrong with it.
pub(super) fn read(reader: &mut Reader, version: i16) -> Result<(Option<Fault>, Topic)> {
    let fault = Fault::of(reader.i16()?);
    let (name, internal) = (reader.text()?.to_owned(), reader.bool()?);
    let mut partitions = reader.list(|reader| partition(reader, version))?;
    partitions.sort_by_key(|partition| partition.index);
    if partitions.windows(2).any(|pair| pair[0].index == pair[1].index) {
        return Err(Error::corrupt(format!("the broker lists a partition of topic {name:?} twice")));
    }
    Ok((fault, Topic { name, internal, partitions }))
}

fn partition(reader: &mut Reader, version: i16) -> Result<Partition> {
    reader.i16()?;
    let (index, leader) = (reader.i32()?, reader.i32()?);
    if version >= 7 {
        reader.i32()?;
    }
    let replicas = reader.list(Reader::i32)?;
    // In step, and out of reach.
    reader.list(Reader::i32)?;
    reader.list(Reader::i32)?;
    Ok(Partition { index, leader: Some(leader).filter(|leader| *leader >= 0), replicas })
}

impl Cluster {
    /// Every topic that this user may see, in the order of their names, internal ones included.
    ///
    /// # Errors
    /// The broker's fault, or what kept it from answering.
    pub fn topics(&mut self) -> Result<Vec<Topic>> {
        self.ask(To::Any, Again::Harmless, "listing the topics", |connection, _| {
            let mut topics = Vec::new();
            for (fault, topic) in brokers::metadata(connection, None)?.topics {
                match fault {
                    // Its partitions say which of them.
                    None | Some(Fault::LeaderNotAvailable) => topics.push(topic),
                    Some(fault) => return Err(Error::of(fault, None).context(format!("topic {:?}", topic.name))),
                }
            }
            topics.sort_by(|left, right| left.name.cmp(&right.name));
            match topics.windows(2).find(|pair| pair[0].name == pair[1].name) {
                Some(pair) => Err(Error::corrupt(format!("the broker lists topic {:?} twice", pair[0].name))),
                None => Ok(topics),
            }
        })
    }

    /// How a topic is set: every setting, in the order of their names.
    ///
    /// # Errors
    /// The broker's fault, or what kept it from answering.
    pub fn configs(&mut self, topic: &str) -> Result<Vec<Setting>> {
        self.ask(To::Any, Again::Harmless, format_args!("reading the settings of topic {topic:?}"), |connection, _| {
            let mut settings = describe(connection, topic)?;
            settings.sort_by(|left, right| left.name.cmp(&right.name));
            Ok(settings)
        })
    }

    /// Makes a topic. With a replication of -1 (from Kafka 2.4 on) the broker decides. Its partitions may take a moment to
    /// appear: requests for them are repeated.
    ///
    /// A lost answer is an error: the topic may have been made.
    ///
    /// # Errors
    /// [`Fault::TopicAlreadyExists`] and others of the broker, or what kept it from answering.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
        configs: &[(String, String)],
    ) -> Result<()> {
        let timeout = self.timeout_ms();
        self.ask(To::Controller, Again::Harmful, format_args!("creating topic {name:?}"), |connection, _| {
            let answer = connection.ask(&CREATE_TOPICS, |writer, _| {
                writer.count(1).text(name).i32(partitions).i16(replication).count(0);
                writer.list(configs.iter(), |writer, (name, value)| {
                    writer.text(name).text(value);
                });
                writer.i32(timeout).bool(false);
            })?;
            answer.read(|reader, _| one_topic(reader, name, true))
        })?;
        self.leaders.remove(name);
        Ok(())
    }

    /// Removes a topic with all its records.
    ///
    /// # Errors
    /// [`Fault::UnknownTopicOrPartition`] and others of the broker, or what kept it from answering.
    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        let timeout = self.timeout_ms();
        self.ask(To::Controller, Again::Harmful, format_args!("deleting topic {name:?}"), |connection, _| {
            let answer = connection.ask(&DELETE_TOPICS, |writer, _| {
                writer.count(1).text(name).i32(timeout);
            })?;
            answer.read(|reader, _| one_topic(reader, name, false)).map_err(Error::for_good)
        })?;
        self.leaders.remove(name);
        Ok(())
    }

    /// Changes these settings of a topic and no others; none sets one back to its default. Before Kafka 2.3 the topic's own
    /// settings are read and written back with the changes, so nobody else must change them at that moment.
    ///
    /// # Errors
    /// [`Fault::InvalidConfig`] and others of the broker, or what kept it from answering.
    pub fn set_configs(&mut self, topic: &str, configs: &[(String, Option<String>)]) -> Result<()> {
        self.ask(
            To::Controller,
            Again::Harmless,
            format_args!("changing the settings of topic {topic:?}"),
            |connection, _| {
                if !connection.versions().knows(&INCREMENTAL_ALTER_CONFIGS) {
                    return replace(connection, topic, configs);
                }
                let answer = connection.ask(&INCREMENTAL_ALTER_CONFIGS, |writer, _| {
                    writer.count(1).i8(TOPIC).text(topic);
                    writer.list(configs.iter(), |writer, (name, value)| {
                        match value {
                            Some(value) => writer.text(name).i8(SET).text(value),
                            None => writer.text(name).i8(DELETE).null(),
                        };
                    });
                    writer.bool(false);
                })?;
                answer.read(|reader, _| one_resource(reader, topic, |_| Ok(())))
            },
        )
    }

    /// How long a broker may take for what it cannot do at once: half of what the client waits.
    pub(super) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.options.request_timeout.as_millis() / 2).unwrap_or(i32::MAX)
    }
}

fn describe(connection: &mut Connection, topic: &str) -> Result<Vec<Setting>> {
    let answer = connection.ask(&DESCRIBE_CONFIGS, |writer, _| {
        writer.count(1).i8(TOPIC).text(topic).i32(-1).bool(false);
    })?;
    answer.read(|reader, _| one_resource(reader, topic, |reader| reader.list(setting)))
}

/// The only change that brokers before 2.3 know: all of a topic's settings at once.
fn replace(connection: &mut Connection, topic: &str, changes: &[(String, Option<String>)]) -> Result<()> {
    let own = describe(connection, topic)?.into_iter().filter(|setting| setting.overridden);
    let mut settings: BTreeMap<_, _> = own.map(|setting| (setting.name, setting.value)).collect();
    settings.extend(changes.iter().cloned());
    settings.retain(|_, value| value.is_some());
    let answer = connection.ask(&ALTER_CONFIGS, |writer, _| {
        writer.count(1).i8(TOPIC).text(topic);
        writer.list(settings.iter(), |writer, (name, value)| {
            writer.text(name).text(value.as_deref().unwrap_or_default());
        });
        writer.bool(false);
    })?;
    answer.read(|reader, _| one_resource(reader, topic, |_| Ok(())))
}

/// Reads what an answer says of the one topic that was asked for, behind the time that the broker throttled it.
fn one_topic(reader: &mut Reader, topic: &str, with_words: bool) -> Result<()> {
    reader.i32()?;
    let answers = reader.list(|reader| {
        let (name, code) = (reader.text()?, reader.i16()?);
        let words = if with_words { reader.nullable_text()? } else { None };
        Ok((name == topic, refusal(code, words)))
    })?;
    match answers.into_iter().next() {
        Some((true, answer)) => answer,
        _ => Err(another(topic)),
    }
}

/// The same of settings, which `rest` reads.
fn one_resource<'a, T>(reader: &mut Reader<'a>, topic: &str, rest: impl Fn(&mut Reader<'a>) -> Result<T>) -> Result<T> {
    reader.i32()?;
    let answers = reader.list(|reader| {
        let (code, words, kind, name) = (reader.i16()?, reader.nullable_text()?, reader.i8()?, reader.text()?);
        let rest = rest(reader)?;
        Ok((kind == TOPIC && name == topic, refusal(code, words).map(|()| rest)))
    })?;
    match answers.into_iter().next() {
        Some((true, answer)) => answer,
        _ => Err(another(topic)),
    }
}

fn another(topic: &str) -> Error {
    Error::corrupt(format!("the broker was asked for topic {topic:?}, and answers for another"))
}

fn setting(reader: &mut Reader) -> Result<Setting> {
    let (name, value) = (reader.text()?.to_owned(), reader.nullable_text()?.map(str::to_owned));
    reader.bool()?;
    let (source, sensitive) = (Source::of(reader.i8()?), reader.bool()?);
    // Where else it would come from, which was not asked for.
    reader.list(|reader| Ok((reader.text()?.len(), reader.nullable_text()?.is_some(), reader.i8()?)))?;
    Ok(Setting { name, value: value.filter(|_| !sensitive), overridden: source == Source::Topic, source, sensitive })
}
