//! Which pack holds each blob: read from the repository's index files, added to while a snapshot is written
//! (<https://restic.readthedocs.io/en/stable/100_references.html#indexing>).

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use serde::{Deserialize, Serialize};

use super::{
    pack::{Blob, BlobKind},
    storage::Kind,
    vault::Vault,
};
use crate::{digest::Digest, repository::Error};

/// An index file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct IndexFile {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<Digest>,
    pub packs: Vec<PackLine>,
}

/// What an index file says of a pack.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackLine {
    pub id: Digest,
    pub blobs: Vec<BlobLine>,
}

/// What it says of a blob.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BlobLine {
    id: Digest,
    #[serde(rename = "type")]
    kind: BlobKind,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uncompressed_length: Option<u32>,
}

impl BlobLine {
    pub(super) fn new(blob: &Blob) -> Self {
        let Blob { kind, id, offset, length, unpacked } = *blob;
        Self { id, kind, offset, length, uncompressed_length: unpacked }
    }

    pub(super) fn blob(&self) -> Blob {
        // restic writes no zero here, some others do for "not packed".
        let unpacked = self.uncompressed_length.filter(|size| *size > 0);
        Blob { kind: self.kind, id: self.id, offset: self.offset, length: self.length, unpacked }
    }
}

/// Digests are random: eight bytes of them are a hash.
#[derive(Clone, Copy, Default)]
pub(super) struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.0 = u64::from_le_bytes(first);
    }

    fn write_usize(&mut self, _: usize) {}
}

/// A map from digests.
pub(super) type ById<T> = HashMap<Digest, T, BuildHasherDefault<First>>;

#[derive(Clone, Copy, Debug)]
struct Spot {
    pack: u32,
    offset: u32,
    length: u32,
    /// Bytes of content, plus one; 0: not packed.
    unpacked: u32,
}

/// See the module. About 60 bytes a blob.
#[derive(Default)]
pub(super) struct Index {
    packs: Vec<Digest>,
    numbers: ById<u32>,
    data: ById<Spot>,
    trees: ById<Spot>,
}

impl Index {
    /// Reads all index files.
    pub(super) fn load(vault: &Vault) -> Result<Self, Error> {
        let mut index = Self::default();
        for found in vault.list(Kind::Index)? {
            match vault.load::<IndexFile>(Kind::Index, &found.name) {
                Ok(file) => file.packs.iter().for_each(|pack| {
                    index.add(pack.id, pack.blobs.iter().map(BlobLine::blob));
                }),
                // Somebody has just written one that says the same, and removed this.
                Err(Error::NotFound(_)) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(index)
    }

    /// Adds a pack's blobs. What was known before stays where it was.
    pub(super) fn add(&mut self, pack: Digest, blobs: impl Iterator<Item = Blob>) {
        let next = self.packs.len() as u32;
        let number = *self.numbers.entry(pack).or_insert_with(|| {
            self.packs.push(pack);
            next
        });
        for blob in blobs {
            let Blob { kind, id, offset, length, unpacked } = blob;
            let spot =
                Spot { pack: number, offset, length, unpacked: unpacked.map_or(0, |size| size.saturating_add(1)) };
            self.of_mut(kind).entry(id).or_insert(spot);
        }
    }

    fn of(&self, kind: BlobKind) -> &ById<Spot> {
        match kind {
            BlobKind::Data => &self.data,
            BlobKind::Tree => &self.trees,
        }
    }

    fn of_mut(&mut self, kind: BlobKind) -> &mut ById<Spot> {
        match kind {
            BlobKind::Data => &mut self.data,
            BlobKind::Tree => &mut self.trees,
        }
    }

    /// A copy that knows only trees.
    pub(super) fn trees(&self) -> Self {
        Self { packs: self.packs.clone(), trees: self.trees.clone(), ..Self::default() }
    }

    /// Whether a blob is stored.
    pub(super) fn has(&self, kind: BlobKind, id: &Digest) -> bool {
        self.of(kind).contains_key(id)
    }

    /// Where a blob is.
    pub(super) fn find(&self, kind: BlobKind, id: &Digest) -> Option<(Digest, Blob)> {
        let spot = self.of(kind).get(id)?;
        let Spot { offset, length, .. } = *spot;
        let blob = Blob { kind, id: *id, offset, length, unpacked: spot.unpacked.checked_sub(1) };
        Some((*self.packs.get(spot.pack as usize)?, blob))
    }

    /// Whether a pack is in it.
    pub(super) fn has_pack(&self, pack: &Digest) -> bool {
        self.numbers.contains_key(pack)
    }
}
