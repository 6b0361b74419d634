//! What the index says of each pack, in a few bytes: how many blobs, how many bytes, and a sum over where each is.

use super::super::{
    index::{ById, PackLine},
    key::OVERHEAD,
    pack::Blob,
    vault::Vault,
};
use crate::{digest::Digest, repository::damage::Damage};

/// Of one pack. Two that are equal say the same, in whatever order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    blobs: u32,
    /// Bytes of the blobs, sealed.
    sealed: u64,
    /// Bytes of the list at the pack's end, opened.
    list: u64,
    /// Where the last blob ends.
    end: u64,
    sum: [u8; 32],
}

impl Sheet {
    /// Of these blobs.
    pub(super) fn of(blobs: impl Iterator<Item = Blob>) -> Self {
        let mut sheet = Self::default();
        blobs.for_each(|blob| sheet.add(&blob));
        sheet
    }

    fn add(&mut self, blob: &Blob) {
        let Blob { kind, id, offset, length, unpacked } = *blob;
        self.blobs = self.blobs.saturating_add(1);
        self.sealed = self.sealed.saturating_add(length.into());
        self.list += if unpacked.is_some() { 41 } else { 37 };
        self.end = self.end.max(u64::from(offset) + u64::from(length));
        let mut line = id.as_bytes().to_vec();
        line.push(kind as u8);
        let unpacked = unpacked.map_or(0, |size| u64::from(size) + 1);
        line.extend([u64::from(offset), u64::from(length), unpacked].iter().flat_map(|number| number.to_le_bytes()));
        self.sum.iter_mut().zip(Digest::of(&line).as_bytes()).for_each(|(to, from)| *to ^= from);
    }

    /// Bytes that such a pack has.
    pub(super) fn size(&self) -> u64 {
        self.sealed + self.list + OVERHEAD as u64 + 4
    }

    /// Blobs in it.
    pub(super) fn blobs(&self) -> u32 {
        self.blobs
    }
}

/// Of all packs.
#[derive(Default)]
pub(super) struct Sheets {
    pub packs: ById<Sheet>,
    /// Packs that stand in more than one index file.
    twice: u64,
}

impl Sheets {
    /// Adds what the index file `name` says of a pack.
    pub(super) fn add(&mut self, vault: &Vault, name: &str, line: &PackLine, errors: &Damage) {
        let sheet = Sheet::of(line.blobs.iter().map(|line| line.blob()));
        let place = || format!("{}, index {name}", super::pack_path(vault, &line.id));
        if sheet.end > sheet.sealed {
            errors.name(format!("{}: it says that a blob lies behind the last one", place()));
        }
        match self.packs.insert(line.id, sheet) {
            None => {}
            Some(before) if before == sheet => self.twice += 1,
            Some(_) => errors.name(format!("{}: another index file says that other blobs are in it", place())),
        }
    }

    /// Says what harms nothing.
    pub(super) fn remark(&self, remarks: &mut Vec<String>) {
        if self.twice > 0 {
            remarks.push(format!("{} packs stand in more than one index file; prune makes it one", self.twice));
        }
    }
}
