//! A Kafka client for plugins: it speaks the protocol over a `tcp` service that the operator granted.
//!
//! [`Cluster`] asks and tells: metadata, offsets, groups, topics, records. [`batch`] and [`record`] read and make what
//! Kafka stores. `wire` is how values are written, `api` which requests are known, `connection` one conversation with one
//! broker, `login` how it begins where the broker asks who is there.
//!
//! The wire format is <https://kafka.apache.org/protocol>; a statement that stands elsewhere names its source (a KIP).

pub mod batch;
pub mod cluster;
pub mod codec;
mod api;
mod connection;
mod error;
mod login;
pub mod record;
mod wire;

pub use self::{
    batch::Header,
    cluster::{
        At, Broker, Cluster, Fetched, Group, Isolation, Options, Partition, Piece, Producer, Setting, Source, Topic,
        Transaction,
    },
    codec::Codec,
    error::{Error, Fault, Result},
    login::Login,
    record::{Builder, Record, Records},
};
