//! Removes what no snapshot needs. Whenever it is cut off nothing is lost: first new packs are written, then the new
//! index; then the old index goes, then the packs that are in none.
//!
//! `plan` decides, `repack` copies what is still needed out of packs that are to go, `list` writes the index.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
};

use self::{
    list::List,
    plan::{Plan, Uses},
    repack::repack,
};
use super::{
    amount, forest,
    index::{self, BlobLine, Index},
    lock::Lock,
    pack::BlobKind,
    snapshot::SnapshotFile,
    storage::{Kind, Name, UNTOUCHED},
    vault::Vault,
};
use crate::{
    digest::Digest,
    repository::{Error, Watch, workers},
};

mod list;
mod plan;
mod repack;

/// How much that nobody needs may stay, so that less must be copied: restic's `--max-unused`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxUnused {
    /// Hundredths of what the repository has afterwards.
    Percent(f64),
    /// Bytes.
    Bytes(u64),
    /// Any amount: only packs go of which nothing is needed, and trees are copied.
    Unlimited,
}

impl Default for MaxUnused {
    fn default() -> Self {
        Self::Percent(5.0)
    }
}

impl FromStr for MaxUnused {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = || amount::bytes(text).map(Self::Bytes);
        let parsed = match text {
            "unlimited" => Some(Self::Unlimited),
            _ => amount::percent(text).map(Self::Percent).or_else(bytes),
        };
        parsed.ok_or_else(|| format!("{text:?} is no amount: write 5%, 10G or unlimited"))
    }
}

impl MaxUnused {
    /// In bytes, where `used` bytes are needed.
    fn bytes(self, used: u64) -> u64 {
        match self {
            Self::Percent(percent) if percent < 100.0 => (used as f64 * percent / (100.0 - percent)) as u64,
            Self::Bytes(bytes) => bytes,
            Self::Percent(_) | Self::Unlimited => u64::MAX,
        }
    }
}

/// Packs, and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many packs.
    pub packs: u64,
    /// Of all of them.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.packs += 1;
        self.bytes += bytes;
    }
}

/// What was done, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Snapshots that there are.
    pub snapshots: u64,
    /// Packs that stay as they are.
    pub kept: Amount,
    /// Packs of which nothing is needed.
    pub removed: Amount,
    /// Packs that stand in no index file: runs that died left them. They go, too.
    pub unlisted: Amount,
    /// Packs that go after what is needed of them was copied.
    pub repacked: Amount,
    /// Bytes that are copied.
    pub copied_bytes: u64,
    /// Bytes that stay although nobody needs them.
    pub unused_bytes: u64,
    /// Files that writers that died had not written to their ends. They go, too.
    pub unfinished: u64,
}

impl Pruned {
    /// Bytes that the repository has less.
    pub fn freed_bytes(&self) -> u64 {
        (self.removed.bytes + self.unlisted.bytes + self.repacked.bytes).saturating_sub(self.copied_bytes)
    }
}

/// A snapshot file's name and its root.
type Roots = Vec<(Digest, Digest)>;

/// See the module.
pub(super) fn prune(vault: &Vault, max_unused: MaxUnused, dry_run: bool, watch: &dyn Watch) -> Result<Pruned, Error> {
    let lock = if dry_run { Lock::take_to_read(vault)? } else { Some(Lock::take(vault, true)?) };
    let roots = roots(vault)?;
    let found = packs(vault)?;
    let (index, uses, files) = load(vault, &found)?;
    watch.phase("walking trees", None);
    let index = mark(vault, index, &roots, watch)?;
    let mut plan = Plan::new(&index, uses, found, max_unused, roots.len() as u64);
    if !dry_run {
        let sweeping = format!("removing what dead writers left in {}", vault.storage.place().display());
        plan.pruned.unfinished = vault.storage.sweep(super::KINDS, UNTOUCHED).map_err(Error::io(sweeping))?;
    }
    let Some(lock) = lock.filter(|_| !dry_run && !plan.is_idle()) else { return Ok(plan.pruned) };
    let mut list = List::new(vault);
    watch.phase("copying blobs", Some(plan.pruned.copied_bytes));
    repack(vault, &index, &plan, &mut list, watch)?;
    drop(index);
    refuse_changes(vault, &roots)?;
    lock.check()?;
    let old = list.rewrite(&files, &plan)?;
    remove(vault, &lock, &old)?;
    let packs: Vec<Name> = plan.going().map(|id| Name::new(Kind::Pack, id)).collect();
    remove(vault, &lock, &packs)?;
    Ok(plan.pruned)
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("{why}; nothing was removed\nhelp: `strongroom check` names the snapshots that this hits"))
}

/// Every snapshot. One that cannot be read may need anything.
fn roots(vault: &Vault) -> Result<Roots, Error> {
    let mut roots = Roots::new();
    for found in vault.list(Kind::Snapshot)? {
        let file: SnapshotFile = vault.load(Kind::Snapshot, &found.name).map_err(damage)?;
        roots.extend(found.name.parse().ok().map(|name: Digest| (name, file.tree)));
    }
    roots.sort();
    Ok(roots)
}

/// Whoever writes without restic's locks may have ended a snapshot meanwhile; a storage may have listed one late.
fn refuse_changes(vault: &Vault, before: &Roots) -> Result<(), Error> {
    match roots(vault)? == *before {
        true => Ok(()),
        false => Err(Error::Busy(format!(
            "the snapshots of {} changed meanwhile; nothing was removed\nhelp: try again once nobody else writes there",
            vault.storage.place().display()
        ))),
    }
}

/// Every pack that is there, and its bytes.
fn packs(vault: &Vault) -> Result<HashMap<Digest, u64>, Error> {
    let found = vault.list(Kind::Pack)?;
    Ok(found.into_iter().filter_map(|found| Some((found.name.parse().ok()?, found.size))).collect())
}

/// The index of packs that are there, what each of them holds, and the names of the index files.
fn load(vault: &Vault, found: &HashMap<Digest, u64>) -> Result<(Index, Uses, Vec<String>), Error> {
    let (mut index, mut uses, mut files) = (Index::default(), Uses::default(), Vec::new());
    index::each(vault, &mut |name, file| {
        files.push(name.to_owned());
        for pack in file.map_err(damage)?.packs {
            if !found.contains_key(&pack.id) {
                uses.note_gone();
            } else if !index.has_pack(&pack.id) {
                uses.add(&pack);
                index.add(pack.id, pack.blobs.iter().map(BlobLine::blob));
            }
        }
        Ok(())
    })?;
    Ok((index, uses, files))
}

/// Marks every blob that a snapshot needs.
fn mark(vault: &Vault, index: Index, roots: &Roots, watch: &dyn Watch) -> Result<Index, Error> {
    let index = Mutex::new(index);
    let trees: Vec<Digest> = roots.iter().map(|(_, tree)| *tree).collect();
    let walked = forest::walk(vault, &index, &trees, watch, &|id, tree| {
        let tree = tree.map_err(damage)?;
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        for blob in tree.nodes.iter().flat_map(|node| node.content.iter().flatten()) {
            if index.mark(BlobKind::Data, blob).is_none() {
                return Err(refused(format!("the tree {id} needs the blob {blob}, which is in no pack")));
            }
        }
        Ok(())
    })?;
    // Of two copies one goes, and it must not be the one that is whole.
    if let Some(why) = walked.saved.into_iter().next() {
        return Err(damage(why));
    }
    Ok(index.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Damage, with what it means here.
fn damage(why: Error) -> Error {
    match why {
        Error::Damaged(why) => refused(why),
        why => why,
    }
}

/// Removes files while others believe in the lock.
fn remove(vault: &Vault, lock: &Lock, names: &[Name]) -> Result<(), Error> {
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let failed = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed))
            && failed().is_none()
        {
            if let Err(why) = lock.check().and_then(|()| vault.remove(name)) {
                failed().get_or_insert(why);
            }
        }
    };
    std::thread::scope(|scope| workers::start(scope, work))?;
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
