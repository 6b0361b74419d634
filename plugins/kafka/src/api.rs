//! The requests that this client makes, and the versions of each that it can write and read.
//!
//! The newest common version is taken. The oldest are those of Kafka 2.1, which every broker up to 4.x still speaks
//! (KIP-896 removed what is older); field by field they are at <https://kafka.apache.org/protocol#protocol_api_keys>.

use std::{collections::BTreeMap, fmt};

use strongroom_plugin::Error as Cause;

use crate::{Result, wire::Reader};

/// A kind of request.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) key: i16,
    pub(crate) oldest: i16,
    pub(crate) newest: i16,
    /// From this version on it is flexible (KIP-482).
    pub(crate) flexible_from: i16,
}

const NEVER: i16 = i16::MAX;

const fn api(name: &'static str, key: i16, oldest: i16, newest: i16) -> Api {
    Api { name, key, oldest, newest, flexible_from: NEVER }
}

/// From 7 on records may be packed with Zstandard (KIP-110).
pub(crate) const PRODUCE: Api = api("Produce", 0, 7, 8);
/// From 10 on records may be packed with Zstandard (KIP-110).
pub(crate) const FETCH: Api = api("Fetch", 1, 10, 11);
pub(crate) const LIST_OFFSETS: Api = api("ListOffsets", 2, 2, 5);
pub(crate) const METADATA: Api = api("Metadata", 3, 5, 7);
pub(crate) const OFFSET_COMMIT: Api = api("OffsetCommit", 8, 5, 6);
pub(crate) const OFFSET_FETCH: Api = api("OffsetFetch", 9, 3, 5);
pub(crate) const FIND_COORDINATOR: Api = api("FindCoordinator", 10, 1, 2);
pub(crate) const DESCRIBE_GROUPS: Api = api("DescribeGroups", 15, 1, 2);
/// From 4 on it says a group's state (KIP-518), from 5 on its kind (KIP-848).
pub(crate) const LIST_GROUPS: Api = Api { flexible_from: 3, ..api("ListGroups", 16, 2, 5) };
pub(crate) const SASL_HANDSHAKE: Api = api("SaslHandshake", 17, 1, 1);
pub(crate) const API_VERSIONS: Api = api("ApiVersions", 18, 0, 0);
pub(crate) const CREATE_TOPICS: Api = api("CreateTopics", 19, 3, 4);
pub(crate) const DELETE_TOPICS: Api = api("DeleteTopics", 20, 1, 3);
pub(crate) const INIT_PRODUCER_ID: Api = api("InitProducerId", 22, 0, 1);
pub(crate) const DESCRIBE_CONFIGS: Api = api("DescribeConfigs", 32, 1, 2);
/// Replaces all settings of a topic: only for brokers that do not know [`INCREMENTAL_ALTER_CONFIGS`].
pub(crate) const ALTER_CONFIGS: Api = api("AlterConfigs", 33, 0, 1);
pub(crate) const SASL_AUTHENTICATE: Api = api("SaslAuthenticate", 36, 0, 1);
/// Since Kafka 2.3 (KIP-339).
pub(crate) const INCREMENTAL_ALTER_CONFIGS: Api = api("IncrementalAlterConfigs", 44, 0, 0);
/// Since Kafka 3.7 (KIP-848).
pub(crate) const CONSUMER_GROUP_DESCRIBE: Api = Api { flexible_from: 0, ..api("ConsumerGroupDescribe", 69, 0, 1) };

impl Api {
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// What a broker says that it understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    /// Reads the answer to `ApiVersions`.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self> {
        let ranges = reader.list(|reader| Ok((reader.i16()?, (reader.i16()?, reader.i16()?))))?;
        Ok(Self(ranges.into_iter().collect()))
    }

    /// The newest version of `api` that both sides know.
    ///
    /// # Errors
    /// `unsupported` when there is none.
    pub(crate) fn common(&self, api: &Api) -> Result<i16> {
        let Some((oldest, newest)) = self.0.get(&api.key) else {
            let message = format!("the broker does not know {}: it is too old, or not a Kafka broker", api.name);
            return Err(Cause::unsupported(message).into());
        };
        let common = api.newest.min(*newest);
        match common >= api.oldest.max(*oldest) {
            true => Ok(common),
            false => Err(Cause::unsupported(format!(
                "the broker speaks {} {oldest} to {newest}, and this plugin {} to {}: brokers from 2.1 on are supported",
                api.name, api.oldest, api.newest
            ))
            .into()),
        }
    }

    pub(crate) fn knows(&self, api: &Api) -> bool {
        self.common(api).is_ok()
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [&PRODUCE, &FETCH, &LIST_OFFSETS, &METADATA, &OFFSET_FETCH].map(|api| match self.0.get(&api.key) {
            Some((oldest, newest)) => format!("{} {oldest}-{newest}", api.name),
            None => format!("{} not at all", api.name),
        });
        f.write_str(&shown.join(", "))
    }
}
