//! A snapshot that is being read.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    index::Index,
    lock::Lock,
    node::Node,
    pack::BlobKind,
    prove,
    reader::Reader,
    snapshot::{Label, SnapshotFile},
    trees::Trees,
    vault::Vault,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{Archive, Error, Item, Kind, Pieces, Print, Proof, Watch},
    snapshot::record::Record,
};

/// See the module.
pub(super) struct ResticSet {
    pub(super) trees: Trees,
    snapshot: SnapshotFile,
    _lock: Option<Lock>,
}

impl ResticSet {
    /// Opens what `snapshot` names; nobody may remove any of it meanwhile.
    pub(super) fn open(vault: Vault, snapshot: SnapshotFile) -> Result<Self, Error> {
        let lock = Lock::take_to_read(&vault)?;
        let index = Index::load(&vault)?;
        let trees = Trees::new(Arc::new(Reader::new(vault, index)), snapshot.tree);
        Ok(Self { trees, snapshot, _lock: lock })
    }

    /// Whether strongroom made it.
    pub(super) fn is_ours(&self) -> bool {
        Label::of(&self.snapshot.tags).is_some()
    }

    /// Whether its tags say what its record says.
    pub(super) fn is_labelled_as(&self, record: &Record) -> bool {
        Label::of(&self.snapshot.tags).is_some_and(|label| {
            label.snapshot == record.snapshot && label.pipeline == record.pipeline && label.state == record.state
        })
    }

    fn node(&self, path: &RawPath) -> Result<Node, Error> {
        let found = self.trees.find(path)?.filter(|node| !node.is_implied());
        found.ok_or_else(|| Error::NotFound(path.to_text()))
    }

    /// Visits items as [`Archive::items`] gives them, and what each holds.
    pub(super) fn walk(
        &self,
        prefix: &RawPath,
        after: Option<&RawPath>,
        visit: &mut dyn FnMut(Item, &Node) -> bool,
    ) -> Result<(), Error> {
        self.trees.walk(prefix.as_bytes(), after.map(RawPath::as_bytes), &mut |path, node| {
            if node.is_implied() {
                return Ok(true);
            }
            let path = RawPath::from_bytes(path)?;
            // Sockets, devices and the like: nothing of them can be brought back.
            Ok(item(path, node).is_none_or(|item| visit(item, node)))
        })
    }

    pub(super) fn content(&self, path: &RawPath, node: &Node, offset: u64) -> Result<Content, Error> {
        Content::new(path, node, offset, self.trees.reader.clone())
    }
}

fn item(path: RawPath, node: &Node) -> Option<Item> {
    let kind = node.kind()?;
    let size = if kind == Kind::File { node.size } else { 0 };
    Some(Item { path, kind, size, meta: node.meta() })
}

impl Archive for ResticSet {
    fn items(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        if count_max > 0 {
            self.walk(prefix, after, &mut |item, _| {
                items.push(item);
                items.len() < count_max
            })?;
        }
        Ok(items)
    }

    fn prints(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<(Item, Print)>, Error> {
        let mut prints = Vec::new();
        if count_max > 0 {
            self.walk(prefix, after, &mut |item, node| {
                prints.push((item, node.print()));
                prints.len() < count_max
            })?;
        }
        Ok(prints)
    }

    fn stat(&self, path: &RawPath) -> Result<Item, Error> {
        let node = self.node(path)?;
        item(path.clone(), &node).ok_or_else(|| Error::NotFound(format!("{path}, as a file, directory or link")))
    }

    fn open(&self, path: &RawPath, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        let node = self.node(path)?;
        if node.kind() != Some(Kind::File) {
            return Err(Error::Refused(format!("{path} is no file")));
        }
        Ok(Box::new(self.content(path, &node, offset)?))
    }

    fn readers(&self) -> usize {
        self.trees.reader.vault.readers()
    }

    fn pieces(&self, path: &RawPath) -> Result<Option<Pieces>, Error> {
        let node = self.node(path)?;
        let pieces = node.sha256().map(|sha256| Pieces {
            size: node.size,
            sha256,
            ids: node.content.clone().unwrap_or_default(),
        });
        Ok(pieces.filter(|_| node.kind() == Some(Kind::File)))
    }

    fn prove(&self, watch: &dyn Watch) -> Result<Proof, Error> {
        prove::prove(self, watch)
    }
}

/// A file's content: its blobs, each checked when it is opened.
pub(super) struct Content {
    path: RawPath,
    reader: Arc<Reader>,
    blobs: std::vec::IntoIter<Digest>,
    blob: Vec<u8>,
    at: usize,
    /// Bytes that are still to come.
    left: u64,
}

impl Content {
    fn new(path: &RawPath, node: &Node, offset: u64, reader: Arc<Reader>) -> Result<Self, Error> {
        let mut blobs = node.content.clone().unwrap_or_default().into_iter();
        let left = node.size.saturating_sub(offset);
        let mut skip = offset;
        while let Some(first) = blobs.as_slice().first() {
            let (_, blob) = reader.find(BlobKind::Data, first)?;
            if skip < blob.size() {
                break;
            }
            skip -= blob.size();
            blobs.next();
        }
        let mut content = Self { path: path.clone(), reader, blobs, blob: Vec::new(), at: 0, left };
        if left > 0 && skip > 0 {
            content.next_blob().map_err(|why| Error::Damaged(why.to_string()))?;
            content.at = usize::try_from(skip).unwrap_or(usize::MAX).min(content.blob.len());
        }
        Ok(content)
    }

    fn damaged(&self, why: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged: {why}", self.path))
    }

    /// Whether there was one.
    fn next_blob(&mut self) -> io::Result<bool> {
        let Some(id) = self.blobs.next() else { return Ok(false) };
        self.blob = self.reader.read(BlobKind::Data, &id).map_err(|why| match why {
            Error::Io { doing, cause } => io::Error::new(cause.kind(), format!("{doing}: {cause}")),
            why => self.damaged(&why.to_string()),
        })?;
        self.at = 0;
        Ok(true)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.at == self.blob.len() {
            if !self.next_blob()? {
                return if self.left == 0 { Ok(0) } else { Err(self.damaged("its blobs are fewer bytes than it had")) };
            }
        }
        let count = buffer.len().min(self.blob.len() - self.at);
        self.left =
            self.left.checked_sub(count as u64).ok_or_else(|| self.damaged("its blobs are more bytes than it had"))?;
        buffer[..count].copy_from_slice(&self.blob[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
