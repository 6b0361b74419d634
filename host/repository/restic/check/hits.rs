//! Names the files of which snapshots damage hits, up to a bound.

use super::{Bad, Root, judge};
use crate::{
    diagnostic::causes,
    digest::Digest,
    name,
    repository::{
        Error, Watch,
        damage::Damage,
        restic::{
            index::{ById, Index},
            node::Tree,
            pack::BlobKind,
            reader,
            vault::Vault,
        },
    },
};

/// Files and directories that are named. Looking for more of them would take as long as there are snapshots.
const NAMED_MAX: usize = 500;

struct Hits<'a> {
    vault: &'a Vault,
    index: &'a Index,
    bad: &'a Bad,
    errors: &'a Damage,
    watch: &'a dyn Watch,
    /// Trees below which nothing is hit.
    clean: ById<()>,
    left: usize,
}

/// See the module.
///
/// # Errors
/// [`Error::Canceled`] when the watch said so.
pub(super) fn name(
    vault: &Vault,
    index: &Index,
    bad: &Bad,
    roots: &[Root],
    errors: &Damage,
    watch: &dyn Watch,
) -> Result<(), Error> {
    let clean = ById::default();
    let mut hits = Hits { vault, index, bad, errors, watch, clean, left: NAMED_MAX };
    for root in roots {
        hits.walk(&root.id, &root.tree, &mut Vec::new())?;
    }
    if hits.left == 0 {
        errors.name(format!("these are {NAMED_MAX} of the files that are hit: others were not looked for"));
    }
    Ok(())
}

impl Hits<'_> {
    fn name(&mut self, snapshot: &str, path: &[u8], why: &str) {
        if self.left > 0 {
            self.left -= 1;
            let path = if path.is_empty() { "/".to_owned() } else { name::text(path) };
            self.errors.name(format!("snapshot {snapshot}, {path}: {why}"));
        }
    }

    /// Whether nothing is hit at or below a tree.
    fn walk(&mut self, snapshot: &str, id: &Digest, path: &mut Vec<u8>) -> Result<bool, Error> {
        if self.watch.stopped() {
            return Err(Error::Canceled);
        }
        if self.left == 0 || self.clean.contains_key(id) {
            return Ok(true);
        }
        let tree = match self.read(id) {
            Ok(tree) => tree,
            Err(why) => {
                self.name(snapshot, path, &format!("what is in this directory is lost: {why}"));
                return Ok(false);
            }
        };
        let mut clean = true;
        let base = path.len();
        for node in &tree.nodes {
            path.extend((base > 0).then_some(b'/'));
            path.extend(node.raw_name().unwrap_or_else(|| node.name.clone().into_bytes()));
            if let Some(why) = judge(node, self.index, self.bad) {
                self.name(snapshot, path, &why);
                clean = false;
            }
            if let Some(subtree) = &node.subtree {
                clean &= self.walk(snapshot, subtree, path)?;
            }
            path.truncate(base);
        }
        if clean && self.left > 0 {
            self.clean.insert(*id, ());
        }
        Ok(clean)
    }

    fn read(&self, id: &Digest) -> Result<Tree, String> {
        let unreadable = || format!("the tree {id} cannot be read");
        if self.bad.trees.contains_key(id) {
            return Err(unreadable());
        }
        let copies = self.index.copies(BlobKind::Tree, id);
        let (json, _) = reader::fetch_any(self.vault, copies).map_err(|why| causes(&why))?;
        serde_json::from_slice(&json).map_err(|_| unreadable())
    }
}
