//! A set that is being written.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    catalog::{Catalog, Entry},
    header::{self, Content, Method, Shape},
    health::Health,
    intake::Intake,
    lines::OWN,
    seal,
    set::Set,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{Draft, Error, Held, Identity, Kind, Meta, Pass, Stored},
};

/// See the module.
pub(super) struct ZipDraft {
    pub(super) set: Set,
    pub(super) catalog: Catalog,
    pub(super) intake: Intake,
    pub(super) health: Arc<Health>,
    pub(super) files: Files,
}

/// Where a draft writes, and where its set will be. Dropped, it removes what is there under temporary names.
pub(super) struct Files {
    pub directory: PathBuf,
    pub sealed: PathBuf,
    pub partial: PathBuf,
    pub scratch: PathBuf,
    /// Below the scratch directory, for others.
    pub spill: PathBuf,
}

impl Files {
    /// Names for the set `name`.
    fn new(directory: &Path, name: &str) -> Self {
        let scratch = directory.join(format!(".{name}.scratch"));
        Self {
            directory: directory.to_owned(),
            sealed: directory.join(name),
            partial: directory.join(format!(".{name}.partial")),
            spill: scratch.join("spill"),
            scratch,
        }
    }

    fn create(&self) -> io::Result<File> {
        fs::DirBuilder::new().mode(0o700).create(&self.scratch)?;
        fs::DirBuilder::new().mode(0o700).create(&self.spill)?;
        File::options().read(true).write(true).create_new(true).mode(0o600).open(&self.partial)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_file(&self.partial);
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

impl ZipDraft {
    /// Begins the set `name` in `directory`, which is made when it is not there.
    pub(super) fn begin(directory: &Path, name: &str, health: Arc<Health>) -> Result<Self, Error> {
        let making = || format!("making {}", directory.display());
        health.run(making, || fs::DirBuilder::new().recursive(true).mode(0o700).create(directory))?;
        if directory.join(name).exists() {
            return Err(Error::Exists(directory.join(name).display().to_string()));
        }
        let files = Files::new(directory, name);
        let file = health.run(|| format!("making {}", files.partial.display()), || files.create())?;
        let catalog = Catalog::new(&files.scratch, Arc::clone(&health))?;
        let set = Set::new(file, files.partial.clone(), files.scratch.clone(), Arc::clone(&health));
        Ok(Self { set, catalog, intake: Intake::new(), health, files })
    }

    /// Stores content under any path.
    pub(super) fn take(
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
        let mut entry = bare_entry(path, Shape::File, meta);
        entry.place = taken.place;
        entry.set_content(taken.content, taken.stored.sha256);
        entry.identity = identity.map(|id| (id.device, id.inode, id.size, id.modified_ns, id.changed_ns));
        claim.commit(&entry)?;
        Ok(taken.stored)
    }
}

impl Entry {
    fn set_content(&mut self, content: Content, sha256: Digest) {
        (self.method, self.crc, self.size, self.packed) = (content.method, content.crc, content.size, content.packed);
        self.sha256 = *sha256.as_bytes();
    }
}

/// The facts of an entry without content.
fn bare_entry(path: &RawPath, shape: Shape, meta: &Meta) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        shape,
        target: Vec::new(),
        place: super::set::Place::default(),
        method: Method::Stored,
        crc: 0,
        size: 0,
        packed: 0,
        sha256: *Digest::of(b"").as_bytes(),
        modified: meta.modified,
        mode: meta.mode.map(|mode| mode & 0o7777),
        owner: meta.owner,
        attributes: meta.attributes.clone(),
        identity: None,
    }
}

fn checked_name(path: &RawPath, shape: Shape, meta: &Meta) -> Result<Vec<u8>, Error> {
    let name = header::name(path.as_bytes(), shape);
    let attributes: usize = meta.attributes.iter().map(|(key, value)| 6 * (key.len() + value.len()) + 8).sum();
    if path.is_root() {
        return Err(Error::Refused("an entry needs a name".into()));
    }
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

impl Draft for ZipDraft {
    fn put(
        &self,
        path: &RawPath,
        content: &mut dyn Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        refuse_own(path)?;
        self.take(path, content, meta, identity, pass)
    }

    fn put_plain(&self, path: &RawPath, kind: &Kind, meta: &Meta, pass: Pass) -> Result<(), Error> {
        refuse_own(path)?;
        let (shape, target) = match kind {
            Kind::Directory => (Shape::Directory, &[][..]),
            Kind::Symlink(target) => (Shape::Symlink, &target[..]),
            Kind::File => return Err(Error::Refused(format!("{path} is a file and needs content"))),
        };
        let name = checked_name(path, shape, meta)?;
        let claim = self.catalog.claim(path, shape, pass)?;
        let mut entry = bare_entry(path, shape, meta);
        let (size, crc) = (target.len() as u64, crc32fast::hash(target));
        let content = Content { method: Method::Stored, crc, size, packed: size };
        (entry.size, entry.packed, entry.crc, entry.target) = (size, size, crc, target.to_vec());
        let mut bytes = header::local(&name, meta, content, false);
        bytes.extend(target);
        entry.place = self.set.append(&bytes)?;
        claim.commit(&entry)
    }

    fn find(&self, path: &RawPath) -> Result<Option<Held>, Error> {
        Ok(self.catalog.find(path)?.map(|(entry, pass)| entry.held(pass)))
    }

    fn keep(&self, path: &RawPath, pass: Pass) -> Result<(), Error> {
        self.catalog.keep(path, pass)
    }

    fn remove(&self, path: &RawPath) -> Result<(), Error> {
        self.catalog.remove(path)
    }

    fn each(&self, prefix: &RawPath, visit: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error> {
        for entry in self.catalog.walk() {
            let (entry, pass) = entry?;
            let path = RawPath::from_bytes(&entry.path)?;
            if path.below(prefix).is_some() && !visit(&path, &entry.held(pass)) {
                break;
            }
        }
        Ok(())
    }

    fn scratch(&self) -> &Path {
        &self.files.spill
    }

    fn put_own(&self, name: &str, content: &mut dyn Read) -> Result<Stored, Error> {
        let path = RawPath::from_bytes(format!("{OWN}/{name}").as_bytes())?;
        self.take(&path, content, &own_meta(), None, Pass::InStage)
    }

    fn seal(&self, record: &[u8]) -> Result<PathBuf, Error> {
        seal::seal(self, record)
    }
}

/// What strongroom adds is for the owner of the set.
pub(super) fn own_meta() -> Meta {
    Meta { mode: Some(0o600), ..Meta::default() }
}

fn refuse_own(path: &RawPath) -> Result<(), Error> {
    let first = path.as_bytes().split(|byte| *byte == b'/').next();
    if first == Some(OWN.as_bytes()) || first == Some(super::lines::SUMS.as_bytes()) {
        return Err(Error::Refused(format!("{path}: that name is kept for strongroom itself")));
    }
    Ok(())
}
