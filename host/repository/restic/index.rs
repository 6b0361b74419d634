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

/// Further copies of one blob that are remembered.
const COPIES_MAX: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    /// Its number; `MARK` on top.
    pack: u32,
    offset: u32,
    length: u32,
    /// Bytes of content, plus one; 0: not packed.
    unpacked: u32,
}

/// A blob that is used. Packs are fewer.
const MARK: u32 = 1 << 31;

impl Spot {
    fn blob(self, kind: BlobKind, id: Digest) -> Blob {
        let Self { offset, length, .. } = self;
        Blob { kind, id, offset, length, unpacked: self.unpacked.checked_sub(1) }
    }

    fn pack(self) -> usize {
        (self.pack & !MARK) as usize
    }
}

/// Reads index files one after the other; `visit` gets the name of each, and what is in it.
///
/// # Errors
/// When they cannot be listed; what `visit` returns.
pub(super) fn each(
    vault: &Vault,
    visit: &mut dyn FnMut(&str, Result<IndexFile, Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    for found in vault.list(Kind::Index)? {
        match vault.load(Kind::Index, &found.name) {
            // Somebody has just written one that says the same, and removed this.
            Err(Error::NotFound(_)) => {}
            file => visit(&found.name, file)?,
        }
    }
    Ok(())
}

/// See the module. About 60 bytes a blob.
#[derive(Default)]
pub(super) struct Index {
    packs: Vec<Digest>,
    numbers: ById<u32>,
    data: ById<Spot>,
    trees: ById<Spot>,
    /// Where blobs stand once more, by kind: read where the first copy is damaged.
    others: [ById<Vec<Spot>>; 2],
}

impl Index {
    /// Reads all index files.
    pub(super) fn load(vault: &Vault) -> Result<Self, Error> {
        let mut index = Self::default();
        each(vault, &mut |_, file| {
            for pack in file?.packs {
                index.add(pack.id, pack.blobs.iter().map(BlobLine::blob));
            }
            Ok(())
        })?;
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
            let known = *self.of_mut(kind).entry(id).or_insert(spot);
            if (Spot { pack: known.pack & !MARK, ..known }) != spot {
                let others = self.others[kind as usize].entry(id).or_default();
                if others.len() < COPIES_MAX && !others.contains(&spot) {
                    others.push(spot);
                }
            }
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
        let others = [ById::default(), self.others[BlobKind::Tree as usize].clone()];
        Self { packs: self.packs.clone(), trees: self.trees.clone(), others, ..Self::default() }
    }

    /// Whether a blob is stored.
    pub(super) fn has(&self, kind: BlobKind, id: &Digest) -> bool {
        self.of(kind).contains_key(id)
    }

    /// Where a blob is.
    pub(super) fn find(&self, kind: BlobKind, id: &Digest) -> Option<(Digest, Blob)> {
        let spot = self.of(kind).get(id)?;
        Some((*self.packs.get(spot.pack())?, spot.blob(kind, *id)))
    }

    /// Everywhere a blob is, first where [`Self::find`] finds it.
    pub(super) fn copies(&self, kind: BlobKind, id: &Digest) -> impl Iterator<Item = (Digest, Blob)> + '_ {
        let (id, others) = (*id, self.others[kind as usize].get(id));
        let others = others.into_iter().flatten();
        let others = others.filter_map(move |spot| Some((*self.packs.get(spot.pack())?, spot.blob(kind, id))));
        self.find(kind, &id).into_iter().chain(others)
    }

    /// Where a blob is, if it is marked.
    pub(super) fn find_marked(&self, kind: BlobKind, id: &Digest) -> Option<(Digest, Blob)> {
        self.find(kind, id).filter(|_| self.of(kind).get(id).is_some_and(|spot| spot.pack & MARK != 0))
    }

    /// Marks a blob as used. Whether it was before; none: it is not stored.
    pub(super) fn mark(&mut self, kind: BlobKind, id: &Digest) -> Option<bool> {
        let spot = self.of_mut(kind).get_mut(id)?;
        let before = spot.pack & MARK != 0;
        spot.pack |= MARK;
        Some(before)
    }

    /// Visits every blob: the pack it is read from, and whether it is marked.
    pub(super) fn each_blob(&self, visit: &mut dyn FnMut(&Digest, Blob, bool)) {
        for kind in [BlobKind::Data, BlobKind::Tree] {
            for (id, spot) in self.of(kind) {
                if let Some(pack) = self.packs.get(spot.pack()) {
                    visit(pack, spot.blob(kind, *id), spot.pack & MARK != 0);
                }
            }
        }
    }

    /// Whether a pack is in it.
    pub(super) fn has_pack(&self, pack: &Digest) -> bool {
        self.numbers.contains_key(pack)
    }
}
