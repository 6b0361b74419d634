//! Reads trees: what a snapshot holds, directory by directory, in byte order of whole paths.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    node::{Node, Tree},
    pack::BlobKind,
    reader::Reader,
};
use crate::{digest::Digest, name::RawPath, repository::Error};

/// Directories that are kept in memory.
const CACHED: usize = 64;

/// See the module.
pub(super) struct Trees {
    pub reader: Arc<Reader>,
    root: Digest,
    /// Read last, last.
    cache: Mutex<Vec<(Digest, Arc<Directory>)>>,
}

/// A tree that was read, and checked.
struct Directory {
    /// In byte order of their names.
    nodes: Vec<(Vec<u8>, Node)>,
    /// How they come in byte order of whole paths: what lies below `a` comes after `a-b`.
    order: Vec<Step>,
}

/// A node, or what lies below it.
#[derive(Clone, Copy)]
struct Step {
    node: u32,
    below: bool,
}

impl Directory {
    fn new(tree: Tree) -> Result<Self, String> {
        let mut nodes = Vec::with_capacity(tree.nodes.len());
        for node in tree.nodes {
            let name =
                node.raw_name().filter(|name| is_name(name)).ok_or_else(|| format!("{:?} is no name", node.name))?;
            nodes.push((name, node));
        }
        nodes.sort_by(|one, other| one.0.cmp(&other.0));
        if let Some(pair) = nodes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("it has {} twice", crate::name::text(&pair[0].0)));
        }
        let mut order = Vec::with_capacity(nodes.len());
        for (number, (_, node)) in nodes.iter().enumerate() {
            order.push(Step { node: number as u32, below: false });
            if node.subtree.is_some() {
                order.push(Step { node: number as u32, below: true });
            }
        }
        let directory = Self { nodes, order: Vec::new() };
        order.sort_by(|one, other| directory.key(*one).cmp(directory.key(*other)));
        Ok(Self { order, ..directory })
    }

    /// What a step is ordered by: the name; of what lies below, the name and a slash.
    fn key(&self, step: Step) -> impl Iterator<Item = u8> + '_ {
        let name = &self.nodes[step.node as usize].0;
        name.iter().copied().chain(step.below.then_some(b'/'))
    }

    fn find(&self, name: &[u8]) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|(known, _)| known[..].cmp(name)).ok()?;
        Some(&self.nodes[at].1)
    }

    /// The first step that is not wholly behind `after`, a path below this directory.
    fn start(&self, after: &[u8]) -> usize {
        let passed = self.order.partition_point(|step| self.key(*step).le(after.iter().copied()));
        let last = passed.checked_sub(1).map(|at| self.order[at]);
        // Of what lies below a directory, `after` may be somewhere in the middle.
        let inside = last.is_some_and(|step| step.below && self.key(step).zip(after).all(|(key, byte)| key == *byte));
        passed - usize::from(inside)
    }
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

impl Trees {
    pub(super) fn new(reader: Arc<Reader>, root: Digest) -> Self {
        Self { reader, root, cache: Mutex::default() }
    }

    fn directory(&self, id: &Digest) -> Result<Arc<Directory>, Error> {
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cache = lock();
        if let Some(at) = cache.iter().rposition(|(known, _)| known == id) {
            let found = cache.remove(at);
            cache.push(found.clone());
            return Ok(found.1);
        }
        drop(cache);
        let damaged = |why: String| Error::Damaged(format!("the tree {id}: {why}"));
        let json = self.reader.read(BlobKind::Tree, id)?;
        let tree = serde_json::from_slice(&json).map_err(|why| damaged(why.to_string()))?;
        let directory = Arc::new(Directory::new(tree).map_err(damaged)?);
        let mut cache = lock();
        if cache.len() >= CACHED {
            cache.remove(0);
        }
        cache.push((*id, directory.clone()));
        Ok(directory)
    }

    /// The node at `path`.
    pub(super) fn find(&self, path: &RawPath) -> Result<Option<Node>, Error> {
        let (mut tree, mut found) = (Some(self.root), None);
        for name in path.as_bytes().split(|byte| *byte == b'/') {
            let Some(id) = tree else { return Ok(None) };
            found = self.directory(&id)?.find(name).cloned();
            tree = found.as_ref().and_then(|node| node.subtree);
        }
        Ok(found)
    }

    /// Visits whatever lies at or below `prefix` and behind `after`, in byte order of whole paths, until `visit` says no.
    pub(super) fn walk(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Node) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.walk_in(&self.root, &mut Vec::new(), prefix, after, visit).map(drop)
    }

    fn walk_in(
        &self,
        id: &Digest,
        path: &mut Vec<u8>,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Node) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let directory = self.directory(id)?;
        let base = path.len();
        let start = after.and_then(|after| after.strip_prefix(&path[..])).map_or(0, |after| directory.start(after));
        for step in &directory.order[start..] {
            let (name, node) = &directory.nodes[step.node as usize];
            path.extend(name);
            let go_on = match (step.below, node.subtree.as_ref()) {
                (true, Some(subtree)) if leads_to(path, prefix) => {
                    path.push(b'/');
                    self.walk_in(subtree, path, prefix, after, visit)?
                }
                (false, _) if lies_in(path, prefix) => visit(path, node)?,
                _ => true,
            };
            path.truncate(base);
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether `path` is `prefix` or below it.
fn lies_in(path: &[u8], prefix: &[u8]) -> bool {
    prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Whether something below `path` may lie in `prefix`.
fn leads_to(path: &[u8], prefix: &[u8]) -> bool {
    lies_in(path, prefix) || lies_in(prefix, path)
}
