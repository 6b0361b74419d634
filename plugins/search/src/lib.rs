//! A client of Elasticsearch and OpenSearch for plugins: whole indices out and in, proved by count and hash.
//!
//! [`Client`] asks and tells, and knows which [`Engine`] it speaks to. [`index`] is what an index is made of, [`view`] all
//! its documents as of one moment, [`export`] those in a snapshot, [`objects`] and [`store`] how they lie there, [`import`]
//! the way back, [`repository`] what the engine itself can save, [`place`] how an index gets its name, [`check`] and [`hash`] what proves that both are the same.
//! What plugins do with them is in [`save`], [`verify`] and [`restore`], by the [`way`] that [`Reach`] leaves; [`made`] is what they undo.
//!
//! What engines answer is described at <https://www.elastic.co/guide/en/elasticsearch/reference/7.17/rest-apis.html> and
//! <https://docs.opensearch.org/2.19/api-reference/>; a statement that stands elsewhere names its source.

pub mod bulk;
pub mod check;
pub mod client;
pub mod document;
pub mod engine;
pub mod export;
pub mod findings;
pub mod hash;
pub mod import;
pub mod index;
pub mod json;
pub mod kept;
pub mod made;
pub mod objects;
pub mod page;
pub mod place;
pub mod reach;
pub mod reference;
pub mod repository;
pub mod restore;
pub mod save;
pub mod size;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod verify;
pub mod view;
pub mod way;

pub use self::{
    client::Client,
    document::Document,
    engine::{Engine, Product, Version},
    hash::Tally,
    index::Index,
    reach::Reach,
    view::View,
};
