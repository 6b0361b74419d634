//! The newest snapshot of the same pipeline: what has not changed since need not be read again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    index::Index,
    pack::BlobKind,
    reader::Reader,
    snapshot::{Label, SnapshotFile},
    snapshot_id,
    storage::Kind,
    trees::Trees,
    vault::Vault,
    writer::Writer,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{Error, Identity, Meta, Pieces},
};

/// See the module.
pub(super) struct Parent {
    /// Of its snapshot file.
    pub id: Digest,
    /// What people call it.
    pub snapshot: String,
    trees: Trees,
    /// What changed before that cannot have changed again unseen: nanoseconds since 1970.
    settled_ns: i128,
}

/// How coarse a file system's clock may be: two changes within that may leave the same time.
const COARSE: SignedDuration = SignedDuration::from_secs(2);

impl Parent {
    /// Finds it. One that cannot be read is none: then everything is read.
    pub(super) fn find(vault: &Vault, index: &Index, pipeline: &str) -> Result<Option<Self>, Error> {
        let mut newest: Option<(String, Digest, SnapshotFile)> = None;
        for found in vault.list(Kind::Snapshot)? {
            let Ok(snapshot) = vault.load::<SnapshotFile>(Kind::Snapshot, &found.name) else { continue };
            let Ok(id) = found.name.parse() else { continue };
            let ours = Label::of(&snapshot.tags).is_some_and(|label| label.pipeline == pipeline);
            if ours && newest.as_ref().is_none_or(|(time, ..)| *time < snapshot.time) {
                newest = Some((snapshot.time.clone(), id, snapshot));
            }
        }
        let Some((_, id, snapshot)) = newest else { return Ok(None) };
        let Ok(began) = snapshot.time.parse::<Timestamp>() else { return Ok(None) };
        let settled_ns = began.saturating_sub(COARSE).map_or(i128::MIN, Timestamp::as_nanosecond);
        let reader = Arc::new(Reader::of_trees(vault.clone(), index));
        let name = snapshot_id(&id.to_string(), &snapshot);
        Ok(Some(Self { id, snapshot: name, trees: Trees::new(reader, snapshot.tree), settled_ns }))
    }

    /// What it holds of `path`, where the file looked as it looks now, had the same annotations, and all of its blobs are
    /// stored.
    pub(super) fn unchanged(
        &self,
        path: &RawPath,
        meta: &Meta,
        identity: &Identity,
        writer: &Writer,
    ) -> Result<Option<Pieces>, Error> {
        // It may have changed after it was read, within the same tick of the clock.
        if identity.changed_ns >= self.settled_ns {
            return Ok(None);
        }
        // Damage in the parent only means that the file is read.
        let Ok(Some(node)) = self.trees.find(path) else { return Ok(None) };
        let blobs = node.content.as_deref().unwrap_or_default();
        let Some(sha256) = node
            .sha256()
            .filter(|_| node.kind == "file" && node.looked(identity) && node.meta().attributes == meta.attributes)
        else {
            return Ok(None);
        };
        if !blobs.iter().all(|blob| writer.find(BlobKind::Data, blob).is_some()) {
            return Ok(None);
        }
        Ok(Some(Pieces { size: node.size, sha256, ids: blobs.to_vec() }))
    }
}
