//! Reads blobs: finds each in its pack, opens it, and checks it against its name.

use super::{
    index::Index,
    pack::{self, Blob, BlobKind},
    storage::{Kind, Name},
    vault::Vault,
};
use crate::{digest::Digest, repository::Error};

/// See the module.
pub(super) struct Reader {
    pub vault: Vault,
    index: Index,
}

impl Reader {
    pub(super) fn new(vault: Vault, index: Index) -> Self {
        Self { vault, index }
    }

    /// One that knows only trees.
    pub(super) fn of_trees(vault: Vault, index: &Index) -> Self {
        Self::new(vault, index.trees())
    }

    /// Where a blob is.
    pub(super) fn find(&self, kind: BlobKind, id: &Digest) -> Result<(Digest, Blob), Error> {
        let missing = || Error::Damaged(format!("no pack holds the blob {id}"));
        self.index.find(kind, id).ok_or_else(missing)
    }

    /// A blob's content.
    pub(super) fn read(&self, kind: BlobKind, id: &Digest) -> Result<Vec<u8>, Error> {
        self.find(kind, id)?;
        fetch_any(&self.vault, self.index.copies(kind, id)).map(|(content, _)| content)
    }
}

/// The content of a blob from the first of its copies that is whole, and what is wrong with those ahead of it.
///
/// # Errors
/// What is wrong with the first copy, where none is whole; when the storage fails.
pub(super) fn fetch_any(
    vault: &Vault,
    copies: impl IntoIterator<Item = (Digest, Blob)>,
) -> Result<(Vec<u8>, Option<Error>), Error> {
    let mut damage = None;
    for (pack, blob) in copies {
        match fetch(vault, &pack, &blob) {
            Ok(content) => return Ok((content, damage)),
            Err(why @ Error::Damaged(_)) => {
                damage.get_or_insert(why);
            }
            Err(why) => return Err(why),
        }
    }
    Err(damage.unwrap_or_else(|| Error::Damaged("no pack holds it".to_owned())))
}

/// The content of a blob that is in `pack`.
pub(super) fn fetch(vault: &Vault, pack: &Digest, blob: &Blob) -> Result<Vec<u8>, Error> {
    let name = Name::new(Kind::Pack, pack);
    let place = || format!("{}, blob {} at byte {}", vault.path(&name).display(), blob.id, blob.offset);
    let mut sealed = vec![0; blob.length as usize];
    let read = vault.storage.read_at(&name, blob.offset.into(), &mut sealed);
    read.map_err(|why| match why.kind() {
        // A pack that is gone or cut short is damage; a storage that fails is not.
        std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof => {
            Error::Damaged(format!("{}: {why}", place()))
        }
        _ => Error::io(format!("reading {}", place()))(why),
    })?;
    pack::open(&vault.key, blob, &mut sealed).map_err(|why| Error::Damaged(format!("{}: {why}", place())))
}
