//! A snapshot that is being written.

use std::{
    fs::{self, DirBuilder},
    io::Read,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    index::{BlobLine, Index, PackLine},
    intake::Intake,
    lock::Lock,
    pack::{self, BlobKind},
    parent::Parent,
    seal,
    storage::Kind as Stores,
    vault::Vault,
    writer::Writer,
};
use crate::{
    config::Compression,
    digest::Digest,
    name::RawPath,
    repository::{
        Error, Identity, Meta, Pass, Pieces, Stored,
        catalog::{Catalog, Entry, Shape},
        cataloged::Cataloged,
        health::Health,
    },
};

/// What the catalog keeps of an entry's content: its blobs.
pub(super) type Blobs = Vec<[u8; 32]>;

/// See the module.
pub(super) struct ResticDraft {
    pub(super) vault: Vault,
    pub(super) label: Started,
    pub(super) catalog: Catalog<Blobs>,
    pub(super) writer: Arc<Writer>,
    pub(super) health: Arc<Health>,
    pub(super) lock: Lock,
    pub(super) parent: Option<Parent>,
    intake: Intake,
    scratch: Scratch,
}

/// What a draft is called.
pub(super) struct Started {
    pub id: String,
    pub pipeline: String,
    /// RFC 3339.
    pub started: String,
}

/// A directory of this machine's own, gone with the draft.
struct Scratch(PathBuf);

impl Scratch {
    fn new(spill: &Path, label: &Started) -> Result<Self, Error> {
        let path = spill.join(scratch_name(&label.pipeline, &label.id));
        let making = format!("making {}", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(Error::io(making))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names of scratch directories; `is_scratch` knows them again.
fn scratch_name(pipeline: &str, id: &str) -> String {
    format!(".{pipeline}-{id}.restic.scratch")
}

/// Whether a draft of `pipeline` left `name` behind.
pub(super) fn is_scratch(name: &str, pipeline: &str) -> bool {
    let own = || {
        let rest = name.strip_prefix('.')?.strip_prefix(pipeline)?.strip_prefix('-')?;
        Some(rest.strip_suffix(".restic.scratch")?.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    own() == Some(true)
}

impl ResticDraft {
    /// Begins a snapshot. `spill`: where this machine may keep what it must remember until the end.
    pub(super) fn begin(
        vault: Vault,
        label: Started,
        spill: &Path,
        compression: Compression,
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        let scratch = Scratch::new(spill, &label)?;
        let lock = Lock::take(&vault, false)?;
        let catalog = Catalog::new(&scratch.0, true, Arc::clone(&health))?;
        let mut index = Index::load(&vault)?;
        let parent = Parent::find(&vault, &index, &label.pipeline)?;
        let orphans = orphans(&vault, &mut index)?;
        let writer = Writer::new(vault.clone(), index, orphans, compression, Arc::clone(&health))?;
        let writer = Arc::new(writer);
        let intake = Intake::new(Arc::clone(&writer), vault.polynomial);
        Ok(Self { vault, label, catalog, writer, health, lock, parent, intake, scratch })
    }
}

impl ResticDraft {
    /// Notes a file whose pieces are all stored.
    fn hold(
        &self,
        path: &RawPath,
        meta: &Meta,
        pieces: &Pieces,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        let claim = self.catalog.claim(path, Shape::File, pass)?;
        let mut entry = Entry::<Blobs>::bare(path, Shape::File, meta);
        entry.seen_as(identity);
        (entry.size, entry.sha256) = (pieces.size, *pieces.sha256.as_bytes());
        entry.stored = pieces.ids.iter().map(|id| *id.as_bytes()).collect();
        claim.commit(&entry)?;
        Ok(Stored { size: pieces.size, sha256: pieces.sha256, new_bytes: 0, tail: Vec::new() })
    }
}

/// Packs that no index file knows: a run that died stored them. What is in them need not be stored again.
fn orphans(vault: &Vault, index: &mut Index) -> Result<Vec<PackLine>, Error> {
    let mut orphans = Vec::new();
    for found in vault.list(Stores::Pack)? {
        let Ok(id) = found.name.parse::<Digest>() else { continue };
        if index.has_pack(&id) {
            continue;
        }
        // One that cannot be read stays for `prune`: nothing refers to it.
        if let Ok(blobs) = pack::blobs(&*vault.storage, &vault.key, &found.name, found.size) {
            index.add(id, blobs.iter().copied());
            orphans.push(PackLine { id, blobs: blobs.iter().map(BlobLine::new).collect() });
        }
    }
    Ok(orphans)
}

impl Cataloged for ResticDraft {
    type Facts = Blobs;

    fn catalog(&self) -> &Catalog<Blobs> {
        &self.catalog
    }

    fn spill(&self) -> &Path {
        &self.scratch.0
    }

    fn take(
        &self,
        path: &RawPath,
        content: &mut dyn Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        let claim = self.catalog.claim(path, Shape::File, pass)?;
        let taken = self.intake.take(path, content)?;
        let mut entry = Entry::<Blobs>::bare(path, Shape::File, meta);
        entry.seen_as(identity);
        (entry.size, entry.sha256) = (taken.stored.size, *taken.stored.sha256.as_bytes());
        entry.stored = taken.blobs.iter().map(|blob| *blob.as_bytes()).collect();
        claim.commit(&entry)?;
        Ok(taken.stored)
    }

    fn has_past(&self) -> bool {
        self.parent.is_some()
    }

    fn take_unchanged(
        &self,
        path: &RawPath,
        meta: &Meta,
        identity: &Identity,
        pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        let Some(parent) = &self.parent else { return Ok(None) };
        let Some(known) = parent.unchanged(path, meta, identity, &self.writer)? else { return Ok(None) };
        self.hold(path, meta, &known, Some(*identity), pass).map(Some)
    }

    fn take_pieces(&self, path: &RawPath, meta: &Meta, pieces: &Pieces, pass: Pass) -> Result<Option<Stored>, Error> {
        let size = |id: &Digest| self.writer.find(BlobKind::Data, id).map(|(_, blob)| blob.size());
        let sizes: Option<Vec<u64>> = pieces.ids.iter().map(size).collect();
        match sizes.map(|sizes| sizes.iter().sum::<u64>()) {
            Some(size) if size == pieces.size => self.hold(path, meta, pieces, None, pass).map(Some),
            _ => Ok(None),
        }
    }

    fn take_plain(&self, path: &RawPath, shape: Shape, target: &[u8], meta: &Meta, pass: Pass) -> Result<(), Error> {
        let claim = self.catalog.claim(path, shape, pass)?;
        let mut entry = Entry::<Blobs>::bare(path, shape, meta);
        (entry.size, entry.target) = (target.len() as u64, target.to_vec());
        claim.commit(&entry)
    }

    fn before(&self) -> Option<String> {
        self.parent.as_ref().map(|parent| parent.snapshot.clone())
    }

    fn finish(&self, record: &[u8]) -> Result<PathBuf, Error> {
        seal::seal(self, record)
    }
}
