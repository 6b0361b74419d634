//! Real brokers, through the granted service.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_kafka::{At, Builder, Cluster, Fault, Login, Options, Producer};
use strongroom_plugin::{Error, ErrorCode, Result, context, secrets};

use super::{Batches, Broker, Config, Edge, Fetched, Shape};
use crate::{
    describe::grant,
    settings::{Sasl, Settings},
    store::Committed,
};

/// How much a fetch may bring. It stays in the host.
const FETCH_BYTES: i32 = 8 << 20;

/// A cluster that is asked over the network.
pub struct Live {
    cluster: Cluster,
    producer: Option<Producer>,
}

/// Whether the plugin logs in: then an inspection, to which no secret is told, cannot look.
pub fn has_login(settings: &Settings) -> bool {
    settings.sasl != Sasl::None
}

/// Whether brokers are granted under that name.
pub fn is_granted(service: &str) -> bool {
    context::grants().find("tcp", service).is_some()
}

/// The brokers granted as `service`.
///
/// # Errors
/// `denied` where they or the password are not granted, or refuse it; `unavailable` where none answers.
pub fn connect(service: &str, settings: &Settings) -> Result<Live> {
    let cluster = Cluster::connect(service, login(service, settings)?, Options::default())?;
    Ok(Live { cluster, producer: None })
}

fn login(service: &str, settings: &Settings) -> Result<Login> {
    if !has_login(settings) {
        return Ok(Login::None);
    }
    let user = settings.user.clone().ok_or_else(|| Error::invalid("the setting sasl needs the setting user"))?;
    let name = if service == grant::SOURCE { grant::SOURCE_PASSWORD } else { grant::KAFKA };
    let password = secrets::reveal(name)?.trim_end_matches(['\r', '\n']).to_owned();
    Ok(match settings.sasl {
        Sasl::None => Login::None,
        Sasl::Plain => Login::Plain { user, password },
        Sasl::ScramSha256 => Login::ScramSha256 { user, password },
        Sasl::ScramSha512 => Login::ScramSha512 { user, password },
    })
}

impl Broker for Live {
    fn cluster(&self) -> String {
        self.cluster.id().to_owned()
    }

    fn brokers(&self) -> usize {
        self.cluster.brokers().len()
    }

    fn topics(&mut self) -> Result<BTreeMap<String, Shape>> {
        let topics = self.cluster.topics()?.into_iter().map(|topic| {
            let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or_default();
            let shape = Shape {
                internal: topic.internal,
                partitions: topic.partitions.iter().map(|partition| partition.index).collect(),
                replication: i16::try_from(replicas).unwrap_or(i16::MAX),
            };
            (topic.name, shape)
        });
        Ok(topics.collect())
    }

    fn configs(&mut self, topic: &str) -> Result<Vec<Config>> {
        let settings = self.cluster.configs(topic)?.into_iter();
        Ok(settings.map(|set| Config { name: set.name, value: set.value, own: set.overridden }).collect())
    }

    fn offsets(&mut self, topic: &str, partitions: &[i32], edge: Edge) -> Result<BTreeMap<i32, i64>> {
        let at = match edge {
            Edge::Start => At::Start,
            Edge::End => At::End,
        };
        let offsets = self.cluster.offsets(topic, partitions, at)?;
        let known = offsets.into_iter().map(|(partition, offset)| {
            let none = || Error::corrupt(format!("the broker does not say where {topic}-{partition} is"));
            Ok((partition, offset.ok_or_else(none)?))
        });
        known.collect()
    }

    fn groups(&mut self) -> Result<BTreeSet<String>> {
        Ok(self.cluster.groups()?.into_iter().map(|group| group.id).collect())
    }

    fn members(&mut self, group: &str) -> Result<usize> {
        Ok(self.cluster.group_members(group)?)
    }

    fn committed(&mut self, group: &str) -> Result<Committed> {
        let mut committed = Committed::new();
        for ((topic, partition), offset) in self.cluster.committed(group)? {
            committed.entry(topic).or_default().insert(partition, offset);
        }
        Ok(committed)
    }

    fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Fetched> {
        match self.cluster.fetch(topic, partition, offset, FETCH_BYTES) {
            Err(error) if error.is(Fault::OffsetOutOfRange) => Ok(Fetched::OutOfRange),
            Err(error) => Err(error.into()),
            Ok(fetched) => Ok(Fetched::Batches(Batches {
                high: fetched.high_watermark,
                stable: fetched.stable_end,
                aborted: fetched.aborted.iter().map(|open| (open.producer_id, open.first_offset)).collect(),
                bytes: fetched.bytes,
                records: fetched.records,
            })),
        }
    }

    fn create(
        &mut self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &BTreeMap<String, String>,
    ) -> Result<()> {
        let configs: Vec<_> = configs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(self.cluster.create_topic(topic, partitions, replication, &configs)?)
    }

    fn delete(&mut self, topic: &str) -> Result<()> {
        self.cluster.delete_topic(topic).map_err(|error| match error.is(Fault::UnknownTopicOrPartition) {
            true => Error::new(ErrorCode::NotFound, error.to_string()),
            false => error.into(),
        })
    }

    fn set_configs(&mut self, topic: &str, configs: &BTreeMap<String, Option<String>>) -> Result<()> {
        let configs: Vec<_> = configs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(self.cluster.set_configs(topic, &configs)?)
    }

    fn produce(&mut self, topic: &str, partition: i32, batch: Builder) -> Result<Option<i64>> {
        let mut producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.cluster.producer()?,
        };
        let before = producer.begin(&mut self.cluster, topic, partition, batch)?;
        // After an error a producer's numbers are not the broker's any more.
        self.producer = Some(producer);
        Ok(before)
    }

    fn produced(&mut self) -> Result<Option<i64>> {
        let Some(mut producer) = self.producer.take() else { return Ok(None) };
        let last = producer.settle(&mut self.cluster)?;
        self.producer = Some(producer);
        Ok(last)
    }

    fn commit(&mut self, group: &str, offsets: &[(String, i32, i64)]) -> Result<()> {
        Ok(self.cluster.commit(group, offsets)?)
    }
}
