//! A scripted cluster: well-behaved where a test says nothing else.

use std::{cell::RefCell, rc::Rc};

use strongroom_plugin::testing::Host;

use crate::{
    api,
    wire::{Reader, Writer},
};

/// The topic that there is, with two partitions.
pub(super) const TOPIC: &str = "dam-audit";

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) broker: i32,
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) body: Vec<u8>,
    correlation: i32,
}

/// What comes back.
pub(super) enum Reply {
    /// The body of a right answer.
    Body(Vec<u8>),
    /// These bytes.
    Raw(Vec<u8>),
    /// The end of the connection.
    HangUp,
}

/// What the brokers heard, in order, and what they say.
pub(super) struct Brokers {
    pub(super) heard: Rc<RefCell<Vec<Asked>>>,
    _host: Host,
}

impl Brokers {
    /// Two brokers, 1 and 2, of which `answer` says what they say to a request, and which one of its kind it is (from 0);
    /// none: what good ones say.
    pub(super) fn new(answer: impl Fn(&Asked, usize) -> Option<Reply> + 'static) -> Self {
        let heard: Rc<RefCell<Vec<Asked>>> = Rc::default();
        let answer = Rc::new(answer);
        let host = [1, 2].into_iter().fold(Host::new(), |host, broker| {
            let (heard, answer) = (heard.clone(), answer.clone());
            host.service("kafka", &format!("kafka-{broker}:9092"), move |said| {
                let Some(asked) = take(said, broker) else { return Vec::new() };
                let before = heard.borrow().iter().filter(|other| other.key == asked.key).count();
                heard.borrow_mut().push(asked.clone());
                let reply = answer(&asked, before).unwrap_or_else(|| Reply::Body(good(&asked)));
                match reply {
                    Reply::Body(body) => framed(asked.correlation, &body),
                    Reply::Raw(bytes) => bytes,
                    Reply::HangUp => Vec::new(),
                }
            })
        });
        Self { heard, _host: host }
    }

    /// To a request of this kind, the bodies one after the other; the last one again and again.
    pub(super) fn answering(key: i16, bodies: Vec<Vec<u8>>) -> Self {
        Self::new(move |asked, before| {
            (asked.key == key).then(|| Reply::Body(bodies[before.min(bodies.len() - 1)].clone()))
        })
    }

    /// How many requests of a kind came.
    pub(super) fn count(&self, key: i16) -> usize {
        self.of(key).len()
    }

    /// The requests of a kind.
    pub(super) fn of(&self, key: i16) -> Vec<Asked> {
        self.heard.borrow().iter().filter(|asked| asked.key == key).cloned().collect()
    }
}

/// An answer, with its length and the number of its request.
pub(super) fn framed(correlation: i32, body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32 + 4).to_be_bytes()[..], &correlation.to_be_bytes(), body].concat()
}

/// The next whole request.
fn take(said: &mut Vec<u8>, broker: i32) -> Option<Asked> {
    let length = i32::from_be_bytes(*said.first_chunk()?) as usize;
    let frame: Vec<u8> = said.drain(..4 + length).skip(4).collect();
    let mut reader = Reader::new(&frame, false);
    let (key, version, correlation) = (reader.i16().unwrap(), reader.i16().unwrap(), reader.i32().unwrap());
    assert_eq!(reader.text().unwrap(), "strongroom");
    let body = reader.take(reader.left()).unwrap().to_vec();
    Some(Asked { broker, key, version, body, correlation })
}

/// What a good broker says.
pub(super) fn good(asked: &Asked) -> Vec<u8> {
    match asked.key {
        18 => versions(&[]),
        3 => metadata(&[1, 2]),
        10 => coordinator(1),
        other => panic!("the script says nothing of {other}"),
    }
}

fn bytes(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.into_bytes()
}

/// Every request in the newest version that the client knows, but for these.
pub(super) fn versions(others: &[(i16, i16, i16)]) -> Vec<u8> {
    let known = [
        &api::PRODUCE,
        &api::FETCH,
        &api::LIST_OFFSETS,
        &api::METADATA,
        &api::OFFSET_COMMIT,
        &api::OFFSET_FETCH,
        &api::FIND_COORDINATOR,
        &api::DESCRIBE_GROUPS,
        &api::LIST_GROUPS,
        &api::SASL_HANDSHAKE,
        &api::API_VERSIONS,
        &api::CREATE_TOPICS,
        &api::DELETE_TOPICS,
        &api::INIT_PRODUCER_ID,
        &api::DESCRIBE_CONFIGS,
        &api::SASL_AUTHENTICATE,
        &api::INCREMENTAL_ALTER_CONFIGS,
        &api::CONSUMER_GROUP_DESCRIBE,
    ];
    let known = known.map(|api| (api.key, api.oldest, api.newest));
    let kept = known.iter().filter(|(key, ..)| others.iter().all(|(other, ..)| other != key));
    let all: Vec<_> = kept.chain(others.iter().filter(|(_, oldest, _)| *oldest >= 0)).collect();
    bytes(|writer| {
        writer.i16(0).list(all.iter(), |writer, (key, oldest, newest)| {
            writer.i16(*key).i16(*oldest).i16(*newest);
        });
    })
}

/// Both brokers, and the topic with these leaders of its partitions.
pub(super) fn metadata(leaders: &[i32]) -> Vec<u8> {
    metadata_of(&[(1, "kafka-1"), (2, "kafka-2")], leaders)
}

/// Version 7.
pub(super) fn metadata_of(brokers: &[(i32, &str)], leaders: &[i32]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).list(brokers.iter(), |writer, (id, host)| {
            writer.i32(*id).text(host).i32(9092).null();
        });
        writer.text("cluster-1").i32(1);
        writer.count(1).i16(0).text(TOPIC).bool(false);
        writer.list(leaders.iter().enumerate(), |writer, (index, leader)| {
            // Its leader's epoch; its replicas, those in step, those out of reach.
            writer.i16(0).i32(index as i32).i32(*leader).i32(0).count(2).i32(1).i32(2).count(0).count(0);
        });
    })
}

pub(super) fn coordinator(broker: i32) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).i16(0).null().i32(broker).text("kafka").i32(9092);
    })
}

/// Version 5 of `ListOffsets`: partition, error, offset.
pub(super) fn offsets(topic: &str, found: &[(i32, i16, i64)]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).text(topic).list(found.iter(), |writer, (partition, code, offset)| {
            writer.i32(*partition).i16(*code).i64(-1).i64(*offset).i32(0);
        });
    })
}

/// Version 11 of `Fetch`.
pub(super) fn fetched(partition: i32, code: i16, aborted: &[(i64, i64)], records: &[u8]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).i16(0).i32(0).count(1).text(TOPIC).count(1).i32(partition).i16(code);
        writer.i64(100).i64(90).i64(3);
        writer.list(aborted.iter(), |writer, (producer, first)| {
            writer.i64(*producer).i64(*first);
        });
        writer.i32(-1).bytes(records);
    })
}

/// Version 8 of `Produce`.
pub(super) fn produced(partition: i32, code: i16, offset: i64) -> Vec<u8> {
    bytes(|writer| {
        writer.count(1).text(TOPIC).count(1).i32(partition).i16(code).i64(offset).i64(-1).i64(0).count(0).null();
        writer.i32(0);
    })
}

/// `CreateTopics`, with words.
pub(super) fn topic_made(topic: &str, code: i16, words: &str) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).text(topic).i16(code).text(words);
    })
}

/// `DeleteTopics`
pub(super) fn topic_deleted(topic: &str, code: i16) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).text(topic).i16(code);
    })
}

/// `DescribeConfigs`: name, value, where from, whether it is sensitive.
pub(super) fn configs(topic: &str, settings: &[(&str, &str, i8, bool)]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).i16(0).null().i8(2).text(topic);
        writer.list(settings.iter(), |writer, (name, value, source, sensitive)| {
            writer.text(name).text(value).bool(false).i8(*source).bool(*sensitive);
            writer.count(1).text("log.x").text("y").i8(5);
        });
    })
}

/// `IncrementalAlterConfigs`
pub(super) fn altered(topic: &str, code: i16) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).i16(code).null().i8(2).text(topic);
    })
}

/// Version 5 of `ListGroups`.
pub(super) fn groups(ids: &[&str]) -> Vec<u8> {
    bytes(|writer| {
        // The answer's own tagged fields come first.
        writer.flexible(true).tags().i32(0).i16(0);
        writer.list(ids.iter(), |writer, id| {
            writer.text(id).text("consumer").text("Stable").text("classic").tags();
        });
        writer.tags();
    })
}

/// `DescribeGroups`
pub(super) fn group(id: &str, code: i16, members: usize) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).i16(code).text(id).text("Stable").text("consumer").text("range");
        writer.list((0..members).map(|_| ()), |writer, ()| {
            writer.text("m").text("c").text("/h").bytes(b"x").bytes(b"");
        });
    })
}

/// `ConsumerGroupDescribe`, as far as it is read.
pub(super) fn consumer_group(id: &str, code: i16, members: usize) -> Vec<u8> {
    bytes(|writer| {
        writer.flexible(true).tags().i32(0).count(1).i16(code).null().text(id).text("Stable").i32(1).i32(1);
        writer.text("uniform").list((0..members).map(|_| ()), |writer, ()| {
            writer.text("m");
        });
    })
}

/// Version 5 of `OffsetFetch`.
pub(super) fn committed(code: i16, offsets: &[(i32, i64, i16)]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).text(TOPIC).list(offsets.iter(), |writer, (partition, offset, code)| {
            writer.i32(*partition).i64(*offset).i32(-1).text("note").i16(*code);
        });
        writer.i16(code);
    })
}

/// `OffsetCommit`
pub(super) fn commits(codes: &[(i32, i16)]) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).count(1).text(TOPIC).list(codes.iter(), |writer, (partition, code)| {
            writer.i32(*partition).i16(*code);
        });
    })
}

/// `InitProducerId`
pub(super) fn producer(code: i16, id: i64) -> Vec<u8> {
    bytes(|writer| {
        writer.i32(0).i16(code).i64(id).i16(0);
    })
}
