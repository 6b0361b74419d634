//! Writes the index anew: what stays of old index files, and new packs.

use super::plan::Plan;
use crate::{
    digest::Digest,
    repository::{
        Error,
        restic::{
            index::{ById, IndexFile, PackLine},
            storage::{Kind, Name},
            vault::Vault,
            writer::INDEX_BLOBS,
        },
    },
};

/// Index files on their way: one is written as soon as it is full.
pub(super) struct List<'a> {
    vault: &'a Vault,
    pending: IndexFile,
    blobs: usize,
}

impl<'a> List<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self { vault, pending: IndexFile::default(), blobs: 0 }
    }

    /// Adds a pack.
    pub(super) fn add(&mut self, pack: PackLine) -> Result<(), Error> {
        self.blobs += pack.blobs.len();
        self.pending.packs.push(pack);
        if self.blobs >= INDEX_BLOBS { self.save() } else { Ok(()) }
    }

    fn save(&mut self) -> Result<(), Error> {
        self.blobs = 0;
        self.vault.save(Kind::Index, &std::mem::take(&mut self.pending)).map(drop)
    }

    /// Writes again what stays of those of `files` that are not full, or name a pack that goes. Returns these: once all
    /// is written they are not needed any more.
    pub(super) fn rewrite(mut self, files: &[String], plan: &Plan) -> Result<Vec<Name>, Error> {
        let (mut old, mut listed) = (Vec::new(), ById::<()>::default());
        for name in files {
            let file: IndexFile = self.vault.load(Kind::Index, name)?;
            let blobs: usize = file.packs.iter().map(|pack| pack.blobs.len()).sum();
            let stale = |pack: &PackLine| !plan.keeps(&pack.id) || listed.contains_key(&pack.id);
            let goes = blobs < INDEX_BLOBS || file.packs.iter().any(stale);
            for pack in file.packs {
                let wanted = plan.keeps(&pack.id) && listed.insert(pack.id, ()).is_none();
                if goes && wanted {
                    self.add(pack)?;
                }
            }
            if goes {
                old.push(Name::new(Kind::Index, name));
            }
        }
        // Only the last one says what all of them replace: without it the old ones count.
        self.pending.supersedes = old.iter().filter_map(|name| name.name.parse::<Digest>().ok()).collect();
        self.save()?;
        Ok(old)
    }
}
