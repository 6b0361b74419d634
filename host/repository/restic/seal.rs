//! Ends a snapshot: record, sums, trees, index; the snapshot file, which makes all of it visible, last.

use std::{
    io::{self, Read},
    path::PathBuf,
};

use serde::Deserialize;

use super::{
    draft::{Blobs, ResticDraft},
    node::Node,
    pack::BlobKind,
    snapshot::{Label, SnapshotFile, Totals},
    storage::{Kind, Name},
    writer::Writer,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{
        Error, Pass,
        catalog::{Entry, Shape, Sorted, by_names},
        cataloged::Cataloged,
        host_name,
        lines::{RECORD, SUMS, own_meta, sum_line},
    },
    snapshot::state::State,
};

/// What a snapshot file repeats of the record.
#[derive(Deserialize)]
struct Sealed {
    state: State,
    plan: String,
    ended: String,
    totals: SealedTotals,
}

#[derive(Deserialize)]
struct SealedTotals {
    files: u64,
    bytes: u64,
}

/// See the module.
pub(super) fn seal(draft: &ResticDraft, record: &[u8]) -> Result<PathBuf, Error> {
    let sealed: Sealed = serde_json::from_slice(record)
        .map_err(|why| Error::Refused(format!("a record that cannot be read back is not sealed: {why}")))?;
    draft.health.check()?;
    add(draft, RECORD, &mut &record[..])?;
    add(draft, SUMS, &mut Sums::new(draft.catalog.sorted(Ord::cmp)?))?;
    let mut trees = Trees::new(&draft.writer);
    for entry in draft.catalog.sorted(by_names)? {
        trees.add(entry?.0)?;
    }
    let (tree, paths) = trees.finish()?;
    draft.writer.finish()?;
    // Whoever could not renew the lock does not know whether what it refers to is still there.
    draft.lock.check()?;
    let snapshot = snapshot(draft, &sealed, tree, paths);
    let id = draft.vault.save(Kind::Snapshot, &snapshot)?;
    Ok(draft.vault.path(&Name::new(Kind::Snapshot, id)))
}

fn add(draft: &ResticDraft, name: &str, content: &mut dyn Read) -> Result<(), Error> {
    let path = RawPath::from_bytes(name.as_bytes())?;
    draft.take(&path, content, &own_meta(), None, Pass::InStage).map(drop)
}

fn snapshot(draft: &ResticDraft, sealed: &Sealed, tree: Digest, paths: Vec<String>) -> SnapshotFile {
    let started = &draft.label;
    let label = Label {
        snapshot: started.id.clone(),
        pipeline: started.pipeline.clone(),
        state: sealed.state,
        plan: sealed.plan.clone(),
    };
    SnapshotFile {
        time: started.started.clone(),
        parent: draft.parent.as_ref().map(|parent| parent.id),
        tree,
        paths,
        hostname: host_name(),
        username: std::env::var("USER").unwrap_or_default(),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        tags: label.tags(),
        program_version: concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned(),
        summary: Some(Totals {
            backup_start: started.started.clone(),
            backup_end: sealed.ended.clone(),
            total_files_processed: sealed.totals.files,
            total_bytes_processed: sealed.totals.bytes,
            data_added_packed: draft.writer.new_bytes(),
        }),
    }
}

/// Trees, made from entries that come in the order of their names.
struct Trees<'a> {
    writer: &'a Writer,
    /// The directories that lead to the last entry; the root first.
    open: Vec<Open>,
}

/// A directory whose content is not complete yet.
struct Open {
    name: Vec<u8>,
    node: Option<Node>,
    /// Its tree's JSON so far: nodes are many, and this is the smallest form of them.
    json: Vec<u8>,
}

impl Open {
    fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), node: None, json: b"{\"nodes\":[".to_vec() }
    }

    fn push(&mut self, node: &Node) -> Result<(), Error> {
        if self.json.last() != Some(&b'[') {
            self.json.push(b',');
        }
        serde_json::to_writer(&mut self.json, node).map_err(|why| Error::io("writing a tree")(why.into()))
    }
}

impl<'a> Trees<'a> {
    fn new(writer: &'a Writer) -> Self {
        Self { writer, open: vec![Open::new(b"")] }
    }

    fn add(&mut self, entry: Entry<Blobs>) -> Result<(), Error> {
        let names: Vec<&[u8]> = entry.path.split(|byte| *byte == b'/').collect();
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let common = self.open[1..].iter().zip(above).take_while(|(open, name)| open.name == **name).count();
        self.close(common + 1)?;
        self.open.extend(above[common..].iter().map(|name| Open::new(name)));
        let mut node = Node::new(name, &entry.kind(), &entry.meta(), entry.identity().as_ref());
        if entry.shape == Shape::Directory {
            self.open.push(Open { node: Some(node), ..Open::new(name) });
            return Ok(());
        }
        if entry.shape == Shape::File {
            let blobs = entry.stored.iter().map(|blob| Digest::from_bytes(*blob)).collect();
            node.holds(entry.size, blobs, Digest::from_bytes(entry.sha256));
        }
        self.open.last_mut().map_or(Ok(()), |open| open.push(&node))
    }

    /// Ends directories until `count` are open.
    fn close(&mut self, count: usize) -> Result<(), Error> {
        while self.open.len() > count {
            let Some(open) = self.open.pop() else { return Ok(()) };
            let mut node = open.node.unwrap_or_else(|| Node::implied(&open.name));
            node.subtree = Some(save(self.writer, open.json)?);
            if let Some(above) = self.open.last_mut() {
                above.push(&node)?;
            }
        }
        Ok(())
    }

    /// Ends all; returns the root, and what it holds as absolute paths.
    fn finish(mut self) -> Result<(Digest, Vec<String>), Error> {
        self.close(1)?;
        let root = self.open.pop().map(|open| open.json).unwrap_or_default();
        Ok((save(self.writer, root)?, vec!["/".to_owned()]))
    }
}

fn save(writer: &Writer, mut json: Vec<u8>) -> Result<Digest, Error> {
    json.extend(b"]}\n");
    Ok(writer.save(BlobKind::Tree, &json)?.id)
}

/// `SHA256SUMS`, made from the catalog while it is read: a line for every file.
struct Sums<'a> {
    entries: Sorted<'a, Blobs>,
    line: Vec<u8>,
    at: usize,
}

impl<'a> Sums<'a> {
    fn new(entries: Sorted<'a, Blobs>) -> Self {
        Self { entries, line: Vec::new(), at: 0 }
    }
}

impl Read for Sums<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.line.len() {
            let Some(entry) = self.entries.next() else { return Ok(0) };
            let (entry, _) = entry.map_err(io::Error::other)?;
            if entry.shape == Shape::File {
                (self.line, self.at) = (sum_line(&Digest::from_bytes(entry.sha256), &entry.path), 0);
            }
        }
        let count = buffer.len().min(self.line.len() - self.at);
        buffer[..count].copy_from_slice(&self.line[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
