//! A set that is being written.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    header::{self, Content, Method},
    intake::Intake,
    seal,
    set::{Place, Set},
};
use crate::{
    config::{Compression, recipient::Recipient},
    name::RawPath,
    repository::{
        Error, Identity, Meta, Pass, Stored,
        catalog::{Catalog, Entry, Shape},
        cataloged::Cataloged,
        health::Health,
    },
    snapshot::state::State,
};

/// See the module.
pub(super) struct ZipDraft {
    pub(super) set: Set,
    pub(super) catalog: Catalog<InSet>,
    pub(super) intake: Intake,
    pub(super) health: Arc<Health>,
    pub(super) files: Files,
    parent: Option<String>,
}

/// What a draft's files are called.
pub(super) struct Name<'a> {
    pub directory: &'a Path,
    /// Where spills go: with what must not lie beside the set in clear.
    pub spill: &'a Path,
    /// `PIPELINE-TIME-ID`
    pub stem: &'a str,
    /// The snapshot before.
    pub parent: Option<String>,
}

/// Where a draft writes, and where its set will be. Dropped, it removes what is there under temporary names.
pub(super) struct Files {
    pub directory: PathBuf,
    stem: String,
    encrypted: bool,
    pub partial: PathBuf,
    /// For spools and the catalog.
    pub spools: PathBuf,
    /// For others: below that, or elsewhere.
    pub scratch: PathBuf,
    outside: PathBuf,
}

impl Files {
    fn new(name: &Name<'_>, encrypted: bool) -> Self {
        let full = format!(".{}.{}", name.stem, if encrypted { "zip.age" } else { "zip" });
        let outside = name.spill.join(format!("{full}.scratch"));
        Self {
            directory: name.directory.to_owned(),
            stem: name.stem.to_owned(),
            encrypted,
            partial: name.directory.join(format!("{full}{}", seal::PARTIAL)),
            spools: name.directory.join(format!("{full}.scratch")),
            scratch: outside.join("spill"),
            outside,
        }
    }

    /// Where the set will be. What an encrypted one is worth stands in its name: it is read without any key.
    pub(super) fn sealed(&self, state: State) -> PathBuf {
        self.directory.join(match self.encrypted {
            false => format!("{}.zip", self.stem),
            true => format!("{}.{state}.zip.age", self.stem),
        })
    }

    fn create(&self) -> io::Result<File> {
        for directory in [&self.spools, &self.outside, &self.scratch] {
            if !directory.is_dir() {
                fs::DirBuilder::new().recursive(directory == &self.outside).mode(0o700).create(directory)?;
            }
        }
        File::options().read(true).write(true).create_new(true).mode(0o600).open(&self.partial)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_file(&self.partial);
        let _ = fs::remove_dir_all(&self.spools);
        let _ = fs::remove_dir_all(&self.outside);
    }
}

impl ZipDraft {
    /// Begins the set `name`, encrypted when there are `recipients`. Its directory is made when it is not there.
    pub(super) fn begin(
        name: &Name<'_>,
        compression: Compression,
        recipients: &[Recipient],
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        let making = || format!("making {}", name.directory.display());
        health.run(making, || fs::DirBuilder::new().recursive(true).mode(0o700).create(name.directory))?;
        let encrypted = !recipients.is_empty();
        let files = Files::new(name, encrypted);
        let sealed = files.sealed(State::Complete);
        if sealed.exists() {
            return Err(Error::Exists(sealed.display().to_string()));
        }
        let file = health.run(|| format!("making {}", files.partial.display()), || files.create())?;
        let catalog = Catalog::new(&files.spools, encrypted, Arc::clone(&health))?;
        let (path, spools) = (files.partial.clone(), files.spools.clone());
        let set = Set::new(file, recipients, path, spools, Arc::clone(&health))?;
        Ok(Self { set, catalog, intake: Intake::new(compression), health, files, parent: name.parent.clone() })
    }
}

/// Where a set has an entry, and how it is packed there.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct InSet {
    pub place: Place,
    method: Method,
    crc: u32,
    packed: u64,
}

impl Entry<InSet> {
    pub(super) fn content(&self) -> Content {
        let InSet { method, crc, packed, .. } = self.stored;
        Content { method, crc, size: self.size, packed }
    }

    fn set_content(&mut self, place: Place, content: Content) {
        let Content { method, crc, size, packed } = content;
        self.size = size;
        self.stored = InSet { place, method, crc, packed };
    }
}

fn checked_name(path: &RawPath, shape: Shape, meta: &Meta) -> Result<Vec<u8>, Error> {
    let name = header::name(path.as_bytes(), shape);
    let attributes: usize = meta.attributes.iter().map(|(key, value)| 6 * (key.len() + value.len()) + 8).sum();
    if name.len() > header::NAME_MAX {
        return Err(Error::Refused(format!("{path} is longer than the {} bytes of a zip's name", header::NAME_MAX)));
    }
    if attributes > header::ATTRIBUTES_MAX {
        return Err(Error::Refused(format!(
            "the attributes of {path} take more than {} bytes",
            header::ATTRIBUTES_MAX
        )));
    }
    Ok(name)
}

impl Cataloged for ZipDraft {
    type Facts = InSet;

    fn catalog(&self) -> &Catalog<InSet> {
        &self.catalog
    }

    fn spill(&self) -> &Path {
        &self.files.scratch
    }

    fn take(
        &self,
        path: &RawPath,
        content: &mut dyn Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        let name = checked_name(path, Shape::File, meta)?;
        let claim = self.catalog.claim(path, Shape::File, pass)?;
        let taken = self.intake.take(&self.set, path, &name, content, meta)?;
        let mut entry = Entry::<InSet>::bare(path, Shape::File, meta);
        entry.set_content(taken.place, taken.content);
        entry.sha256 = *taken.stored.sha256.as_bytes();
        entry.seen_as(identity);
        claim.commit(&entry)?;
        Ok(taken.stored)
    }

    fn take_plain(&self, path: &RawPath, shape: Shape, target: &[u8], meta: &Meta, pass: Pass) -> Result<(), Error> {
        let name = checked_name(path, shape, meta)?;
        let claim = self.catalog.claim(path, shape, pass)?;
        let mut entry = Entry::<InSet>::bare(path, shape, meta);
        let (size, crc) = (target.len() as u64, crc32fast::hash(target));
        let content = Content { method: Method::Stored, crc, size, packed: size };
        entry.target = target.to_vec();
        let mut bytes = header::local(&name, meta, content, false);
        bytes.extend(target);
        entry.set_content(self.set.append(&bytes)?, content);
        claim.commit(&entry)
    }

    fn before(&self) -> Option<String> {
        self.parent.clone()
    }

    fn finish(&self, record: &[u8]) -> Result<PathBuf, Error> {
        seal::seal(self, record)
    }
}
