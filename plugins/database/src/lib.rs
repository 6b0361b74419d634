//! What plugins of products with a database share: its URL, its dump, and the proof that the dump holds what was there.
//!
//! Where the database is comes first (`jdbc`), then what is granted of it (`needs`, `grants`, `located`), then what it
//! is asked (`engine`, `catalogue`) and how a dump is read back (`readback`, `rows`), then what is done: `dump`,
//! `restore`, `verify`, `embedded` for databases that are files, and `trees` for what lies beside them.

pub mod catalogue;
pub mod dump;
pub mod embedded;
pub mod engine;
pub mod findings;
pub mod grants;
pub mod jdbc;
pub mod located;
pub mod needs;
pub mod readback;
pub mod restore;
pub mod rows;
pub mod trees;
pub mod verify;
