//! Packs: many blobs in one file, and at its end a sealed list of them
//! (<https://restic.readthedocs.io/en/stable/100_references.html#pack-format>).

use std::{cell::RefCell, io};

use super::{
    key::{Key, OVERHEAD},
    storage::{Kind, Name, Storage},
};
use crate::digest::{Digest, Summing};

/// A pack is full once it has as many bytes; restic's default.
pub(super) const PACK_BYTES: usize = 16 << 20;
/// Blobs of one pack: the list of them must fit in what restic reads of one.
const BLOBS_MAX: usize = 10_000;
/// Bytes of a list of blobs: 16 MiB, restic's bound.
const HEADER_MAX: usize = 16 << 20;

/// What a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BlobKind {
    /// A piece of a file's content.
    Data,
    /// What a directory holds.
    Tree,
}

/// A blob in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub kind: BlobKind,
    /// SHA-256 of its content.
    pub id: Digest,
    /// Where it begins in the pack.
    pub offset: u32,
    /// Bytes that it takes there, sealed.
    pub length: u32,
    /// Bytes of its content, where it is packed with zstd.
    pub unpacked: Option<u32>,
}

impl Blob {
    /// Bytes of its content.
    pub(super) fn size(&self) -> u64 {
        self.unpacked.map_or(u64::from(self.length).saturating_sub(OVERHEAD as u64), u64::from)
    }
}

/// A pack that is being filled.
pub(super) struct Pack {
    kind: BlobKind,
    bytes: Vec<u8>,
    sum: Summing,
    blobs: Vec<Blob>,
}

/// A pack that is ready to be stored.
pub(super) struct Full {
    pub id: Digest,
    pub bytes: Vec<u8>,
    pub blobs: Vec<Blob>,
}

impl Pack {
    /// An empty one, in a buffer that may have been used before.
    pub(super) fn new(kind: BlobKind, mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { kind, bytes, sum: Summing::default(), blobs: Vec::new() }
    }

    /// Appends a blob; `zstd`: packs it, where that is wanted.
    pub(super) fn add(
        &mut self,
        key: &Key,
        id: Digest,
        content: &[u8],
        zstd: Option<&mut zstd::bulk::Compressor<'static>>,
    ) -> io::Result<Blob> {
        let start = Key::begin(&mut self.bytes);
        let body = self.bytes.len();
        let mut unpacked = None;
        if let Some(zstd) = zstd {
            self.bytes.resize(body + zstd::zstd_safe::compress_bound(content.len()), 0);
            let count = zstd.compress_to_buffer(content, &mut self.bytes[body..])?;
            self.bytes.truncate(body + count);
            unpacked = Some(content.len() as u32);
        } else {
            self.bytes.extend_from_slice(content);
        }
        key.seal(&mut self.bytes, start).map_err(io::Error::other)?;
        self.sum.update(&self.bytes[start..]);
        let length = (self.bytes.len() - start) as u32;
        let blob = Blob { kind: self.kind, id, offset: start as u32, length, unpacked };
        self.blobs.push(blob);
        Ok(blob)
    }

    /// Whether nothing more should go in.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= PACK_BYTES || self.blobs.len() >= BLOBS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// Appends the list of blobs.
    pub(super) fn finish(mut self, key: &Key) -> io::Result<Full> {
        let start = Key::begin(&mut self.bytes);
        for blob in &self.blobs {
            let data = u8::from(blob.kind == BlobKind::Tree);
            self.bytes.push(data | if blob.unpacked.is_some() { 2 } else { 0 });
            self.bytes.extend(blob.length.to_le_bytes());
            self.bytes.extend(blob.unpacked.iter().flat_map(|size| size.to_le_bytes()));
            self.bytes.extend(blob.id.as_bytes());
        }
        key.seal(&mut self.bytes, start).map_err(io::Error::other)?;
        let length = (self.bytes.len() - start) as u32;
        self.bytes.extend(length.to_le_bytes());
        self.sum.update(&self.bytes[start..]);
        Ok(Full { id: self.sum.finish(), bytes: self.bytes, blobs: self.blobs })
    }
}

/// Reads the list of blobs of the pack `id`, a file of `size` bytes.
pub(super) fn blobs(storage: &dyn Storage, key: &Key, id: &str, size: u64) -> io::Result<Vec<Blob>> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let name = Name::new(Kind::Pack, id);
    let end = size.checked_sub(4).ok_or_else(|| wrong("it is too short for a pack"))?;
    let mut length = [0; 4];
    storage.read_at(&name, end, &mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    let start = end.checked_sub(length as u64).filter(|_| (OVERHEAD..=HEADER_MAX).contains(&length));
    let start = start.ok_or_else(|| wrong("its list of blobs has an impossible length"))?;
    let mut header = vec![0; length];
    storage.read_at(&name, start, &mut header)?;
    let blobs =
        parse(key.open(&mut header).map_err(io::Error::other)?).ok_or_else(|| wrong("its list of blobs is none"))?;
    let used: u64 = blobs.iter().map(|blob| u64::from(blob.length)).sum();
    if used == start { Ok(blobs) } else { Err(wrong("its list of blobs is not of what is in it")) }
}

fn parse(mut header: &[u8]) -> Option<Vec<Blob>> {
    let (mut blobs, mut offset) = (Vec::new(), 0_u32);
    let take = |count: usize, header: &mut &[u8]| -> Option<Vec<u8>> {
        let (taken, rest) = header.split_at_checked(count)?;
        *header = rest;
        Some(taken.to_vec())
    };
    let number = |bytes: Vec<u8>| Some(u32::from_le_bytes(bytes.try_into().ok()?));
    while !header.is_empty() {
        let kind = take(1, &mut header)?[0];
        let length = number(take(4, &mut header)?)?;
        let unpacked = if kind & 2 != 0 { Some(number(take(4, &mut header)?)?) } else { None };
        let id = Digest::from_bytes(take(32, &mut header)?.try_into().ok()?);
        let kind = match kind & !2 {
            0 => BlobKind::Data,
            1 => BlobKind::Tree,
            _ => return None,
        };
        blobs.push(Blob { kind, id, offset, length, unpacked });
        offset = offset.checked_add(length)?;
    }
    Some(blobs)
}

/// Opens a blob: `sealed` is what the pack holds of it. Its content must be what its name says.
pub(super) fn open(key: &Key, blob: &Blob, sealed: &mut [u8]) -> io::Result<Vec<u8>> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let opened = key.open(sealed).map_err(|why| wrong(why.to_string()))?;
    let content = match blob.unpacked {
        Some(size) => unpack(opened, size as usize)?,
        None => opened.to_vec(),
    };
    match Digest::of(&content) == blob.id {
        true => Ok(content),
        false => Err(wrong("its content is not what its name says".into())),
    }
}

thread_local! {
    /// A state of zstd costs more to make than a small blob to unpack.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What zstd packed, of `size` bytes at most.
fn unpack(packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
    ZSTD.with_borrow_mut(|zstd| match zstd {
        Some(zstd) => zstd.decompress(packed, size),
        None => zstd.insert(zstd::bulk::Decompressor::new()?).decompress(packed, size),
    })
}
