//! Checks a whole repository: whether everything that a snapshot needs is there and, where that is wanted, reads it.
//!
//! `sheet` is what the index says of each pack, `packs` reads packs, `hits` names the files that damage hits.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use self::{packs::Packs, sheet::Sheets};
use super::{
    forest,
    index::{self, BlobLine, ById, Index},
    keys,
    lock::Lock,
    node::{Node, Tree},
    pack::{Blob, BlobKind},
    snapshot::SnapshotFile,
    snapshot_id,
    storage::{Found, Kind, Name},
    trees,
    vault::Vault,
};
use crate::{
    diagnostic::causes,
    digest::Digest,
    repository::{Error, Watch, damage::Damage},
};

mod hits;
mod packs;
mod sheet;
mod subset;

pub use subset::Reading;

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Snapshots that could be read.
    pub snapshots: u64,
    /// Trees that they lead to.
    pub trees: u64,
    /// Packs that the index names.
    pub packs: u64,
    /// Packs that were read.
    pub packs_read: u64,
    /// Bytes of them.
    pub bytes_read: u64,
    /// What is wrong, the files that it hits among it. Empty: all is well.
    pub errors: Vec<String>,
    /// What is worth knowing and harms nothing.
    pub remarks: Vec<String>,
}

/// What cannot be read back.
#[derive(Default)]
struct Bad {
    /// Packs that are gone or of the wrong size, and the bytes that are there.
    packs: ById<u64>,
    /// Blobs, and the packs in which they are damaged.
    blobs: ById<Vec<Digest>>,
    /// Trees that cannot be read anywhere.
    trees: ById<()>,
}

impl Bad {
    fn add(&mut self, pack: &Digest, blob: &Blob) {
        self.blobs.entry(blob.id).or_default().push(*pack);
    }

    fn hits(&self, pack: &Digest, blob: &Blob) -> bool {
        let end = u64::from(blob.offset) + u64::from(blob.length);
        self.packs.get(pack).is_some_and(|there| end > *there)
            || self.blobs.get(&blob.id).is_some_and(|packs| packs.contains(pack))
    }
}

/// A snapshot that can be read: what people call it, and its root.
struct Root {
    id: String,
    tree: Digest,
}

/// See the module.
pub(super) fn check(vault: &Vault, reading: Reading, watch: &dyn Watch) -> Result<Checked, Error> {
    let _lock = Lock::take_to_read(vault)?;
    let errors = Damage::default();
    let mut checked = Checked::default();
    check_keys(vault, &errors)?;
    // In the order opposite to that of writing: what is seen first needs nothing that came later.
    let roots = snapshots(vault, &errors)?;
    let (index, sheets) = load(vault, &errors)?;
    let bad = Mutex::default();
    let packs = Packs { vault, sheets: &sheets, errors: &errors, bad: &bad, watch };
    let readable = packs.compare(vault.list(Kind::Pack)?, &mut checked.remarks);
    let chosen = reading.choose(readable);
    watch.phase("reading packs", Some(chosen.iter().map(|(_, size)| *size).sum()));
    (checked.packs_read, checked.bytes_read) = packs.read(chosen, &index)?;
    let bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    sheets.remark(&mut checked.remarks);
    watch.phase("walking trees", None);
    checked.trees = check_trees(vault, index, bad, &roots, &errors, watch)?;
    (checked.snapshots, checked.packs) = (roots.len() as u64, sheets.packs.len() as u64);
    checked.errors = errors.named();
    Ok(checked)
}

/// Whether everything is there that the snapshot with the root `tree` needs. Packs are not read, trees are. Returns what is
/// wrong.
pub(super) fn check_one(vault: &Vault, id: &str, tree: Digest, watch: &dyn Watch) -> Result<Vec<String>, Error> {
    // What is wrong with other snapshots is of no interest here.
    let (others, errors) = (Damage::default(), Damage::default());
    let (index, sheets) = load(vault, &others)?;
    let bad = Mutex::default();
    Packs { vault, sheets: &sheets, errors: &others, bad: &bad, watch }
        .compare(vault.list(Kind::Pack)?, &mut Vec::new());
    let bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    check_trees(vault, index, bad, &[Root { id: id.to_owned(), tree }], &errors, watch)?;
    Ok(errors.named())
}

fn check_keys(vault: &Vault, errors: &Damage) -> Result<(), Error> {
    for Found { name, .. } in keys::list(&*vault.storage)? {
        if let Err(why) = keys::read(&*vault.storage, &name) {
            errors.name(causes(&why));
        }
    }
    Ok(())
}

fn snapshots(vault: &Vault, errors: &Damage) -> Result<Vec<Root>, Error> {
    let mut roots = Vec::new();
    for found in vault.list(Kind::Snapshot)? {
        match vault.load::<SnapshotFile>(Kind::Snapshot, &found.name) {
            Ok(file) => roots.push(Root { id: snapshot_id(&found.name, &file), tree: file.tree }),
            // Forgotten since it was listed.
            Err(Error::NotFound(_)) => {}
            Err(why) => errors.name(causes(&why)),
        }
    }
    Ok(roots)
}

/// The index, as far as it can be read, and what it says of each pack.
fn load(vault: &Vault, errors: &Damage) -> Result<(Index, Sheets), Error> {
    let (mut index, mut sheets) = (Index::default(), Sheets::default());
    index::each(vault, &mut |name, file| {
        match file {
            Ok(file) => {
                for pack in &file.packs {
                    sheets.add(vault, name, pack, errors);
                    index.add(pack.id, pack.blobs.iter().map(BlobLine::blob));
                }
            }
            Err(why) => errors.name(causes(&why)),
        }
        Ok(())
    })?;
    Ok((index, sheets))
}

/// Whether every tree can be read, and everything is there that trees name. Returns how many trees there are.
fn check_trees(
    vault: &Vault,
    index: Index,
    bad: Bad,
    roots: &[Root],
    errors: &Damage,
    watch: &dyn Watch,
) -> Result<u64, Error> {
    let (index, bad, hit) = (Mutex::new(index), Mutex::new(bad), AtomicBool::new(false));
    let ids: Vec<Digest> = roots.iter().map(|root| root.tree).collect();
    let walked = forest::walk(vault, &index, &ids, watch, &|id, tree| {
        let index = index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bad = bad.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = tree.and_then(|tree| judge_tree(id, tree, &index, &bad));
        match judged {
            Ok(true) => {}
            Ok(false) => hit.store(true, Ordering::Relaxed),
            Err(why) => {
                errors.name(causes(&why));
                bad.trees.insert(*id, ());
                hit.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    })?;
    walked.saved.iter().for_each(|why| errors.name(format!("{}; it was read from another pack", causes(why))));
    if hit.into_inner() {
        let index = index.into_inner().unwrap_or_else(PoisonError::into_inner);
        let bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
        hits::name(vault, &index, &bad, roots, errors, watch)?;
    }
    Ok(walked.trees)
}

/// Whether everything that a tree names is well.
fn judge_tree(id: &Digest, tree: Tree, index: &Index, bad: &Bad) -> Result<bool, Error> {
    let whole = tree.nodes.iter().all(|node| judge(node, index, bad).is_none());
    trees::judge(tree).map_err(|why| Error::Damaged(format!("the tree {id}: {why}")))?;
    Ok(whole)
}

/// What is wrong with what a tree says of one thing.
fn judge(node: &Node, index: &Index, bad: &Bad) -> Option<String> {
    if node.kind == "dir" {
        return node.subtree.is_none().then(|| "it is a directory without a tree".to_owned());
    }
    if node.kind != "file" {
        return None;
    }
    let mut size = 0_u64;
    for id in node.content.as_deref().unwrap_or_default() {
        let Some((_, blob)) = index.find(BlobKind::Data, id) else {
            return Some(format!("its blob {id} is in no pack"));
        };
        if index.copies(BlobKind::Data, id).all(|(pack, blob)| bad.hits(&pack, &blob)) {
            return Some(format!("its blob {id} is damaged"));
        }
        size = size.saturating_add(blob.size());
    }
    (size != node.size).then(|| format!("its blobs are {size} bytes, and it had {}", node.size))
}

/// What people call a pack.
fn pack_path(vault: &Vault, id: &Digest) -> String {
    vault.path(&Name::new(Kind::Pack, id)).display().to_string()
}
