//! Ends a snapshot: record, sums, trees, index; the snapshot file, which makes all of it visible, last.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::PathBuf,
    thread::Builder,
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
    let (tree, paths) = sums_and_trees(draft)?;
    draft.writer.finish()?;
    // Whoever could not renew the lock does not know whether what it refers to is still there.
    draft.lock.check()?;
    let snapshot = snapshot(draft, &sealed, tree, paths);
    let id = draft.vault.save(Kind::Snapshot, &snapshot)?;
    Ok(draft.vault.path(&Name::new(Kind::Snapshot, id)))
}

/// Stores both at once; what is in the trees is in the sums, and the sums' own node comes to the root last.
fn sums_and_trees(draft: &ResticDraft) -> Result<(Digest, Vec<String>), Error> {
    let mut trees = Trees::new(&draft.writer);
    std::thread::scope(|scope| {
        let sums = || add(draft, SUMS, &mut Sums::new(draft.catalog.sorted(Ord::cmp)?));
        let adding = Builder::new().spawn_scoped(scope, sums).map_err(Error::io("starting a thread"))?;
        for entry in draft.catalog.sorted(by_names)? {
            let (entry, _) = entry?;
            if entry.path != SUMS.as_bytes() {
                trees.add(entry)?;
            }
        }
        let broken = |_| Error::io(format!("writing {SUMS}"))(io::Error::other("it broke off (a bug of strongroom)"));
        adding.join().map_err(broken)?
    })?;
    if let Some((sums, _)) = draft.catalog.find(&RawPath::from_bytes(SUMS.as_bytes())?)? {
        trees.add(sums)?;
    }
    trees.finish()
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

/// Trees, made from entries that come in the order of their names; only those of the root in any order.
struct Trees<'a> {
    writer: &'a Writer,
    /// JSON of the root's nodes, by name.
    root: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The directories that lead to the last entry, below the root.
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

    fn push(&mut self, node: &[u8]) {
        if self.json.last() != Some(&b'[') {
            self.json.push(b',');
        }
        self.json.extend(node);
    }
}

impl<'a> Trees<'a> {
    fn new(writer: &'a Writer) -> Self {
        Self { writer, root: BTreeMap::new(), open: Vec::new() }
    }

    fn add(&mut self, entry: Entry<Blobs>) -> Result<(), Error> {
        let names: Vec<&[u8]> = entry.path.split(|byte| *byte == b'/').collect();
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let common = self.open.iter().zip(above).take_while(|(open, name)| open.name == **name).count();
        self.close(common)?;
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
        self.push(name, &node)
    }

    /// Adds a node to the directory that was opened last.
    fn push(&mut self, name: &[u8], node: &Node) -> Result<(), Error> {
        let json = serde_json::to_vec(node).map_err(|why| Error::io("writing a tree")(why.into()))?;
        match self.open.last_mut() {
            Some(open) => open.push(&json),
            None => drop(self.root.insert(name.to_vec(), json)),
        }
        Ok(())
    }

    /// Ends directories until `count` are open.
    fn close(&mut self, count: usize) -> Result<(), Error> {
        while self.open.len() > count {
            let Some(open) = self.open.pop() else { return Ok(()) };
            let mut node = open.node.unwrap_or_else(|| Node::implied(&open.name));
            node.subtree = Some(save(self.writer, open.json)?);
            self.push(&open.name, &node)?;
        }
        Ok(())
    }

    /// Ends all; returns the root, and what it holds as absolute paths.
    fn finish(mut self) -> Result<(Digest, Vec<String>), Error> {
        self.close(0)?;
        let mut root = Open::new(b"");
        self.root.values().for_each(|node| root.push(node));
        Ok((save(self.writer, root.json)?, vec!["/".to_owned()]))
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
