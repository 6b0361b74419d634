//! A Kafka client for plugins: it speaks the protocol over a `tcp` service that the operator granted.
//!
//! [`Cluster`] asks and tells: metadata, offsets, groups, topics, records. [`batch`] and [`record`] read and make what
//! Kafka stores. `wire` is how values are written, `api` which requests are known, `connection` one conversation with one
//! broker, `login` how it begins where the broker asks who is there.
//!
//! ```no_run
//! use strongroom_kafka::{At, Cluster, Fault, Login, Options, Records, Result};
//!
//! /// How many records there are in a partition, those of aborted transactions included.
//! fn count(topic: &str) -> Result<u64> {
//!     let mut cluster = Cluster::connect("kafka", Login::None, Options::default())?;
//!     let ends = cluster.offsets(topic, &[0], At::StableEnd)?;
//!     let (mut at, mut count) = (0, 0);
//!     while at < ends[&0].unwrap_or(0) {
//!         let mut fetched = match cluster.fetch(topic, 0, at, 1 << 20) {
//!             Err(error) if error.is(Fault::OffsetOutOfRange) => break,
//!             fetched => fetched?,
//!         };
//!         while let Some(piece) = fetched.next_piece()? {
//!             if piece.header.is_control() {
//!                 continue;
//!             }
//!             let batch = piece.bytes(8 << 20)?;
//!             let mut records = Records::of(&batch)?;
//!             while records.next_record()?.is_some() {
//!                 count += 1;
//!             }
//!         }
//!         at = fetched.position();
//!     }
//!     Ok(count)
//! }
//! ```
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
