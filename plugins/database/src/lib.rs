//! What plugins of products with a database share: its URL, its dump, and the proof that the dump holds what was there.
//!
//! Where the database is comes first (`jdbc`), then what it is asked (`engine`, `catalogue`), then how a dump is read
//! back (`readback`, `rows`) and what an embedded database's files tell (`embedded`).

pub mod catalogue;
/// Databases that live in files.
pub mod embedded {
    pub mod format;
}
pub mod engine;
pub mod jdbc;
pub mod readback;
pub mod rows;
