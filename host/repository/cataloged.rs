//! A draft whose entries stand in a catalog: what all formats do alike is done here, once.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Draft, Error, Held, Identity, Kind, Meta, Pass, Pieces, Stored,
    catalog::{Catalog, Shape},
    lines::{OWN, own_meta, refuse_own},
};
use crate::name::RawPath;

/// What is a format's own.
pub(super) trait Cataloged: Send + Sync {
    /// What it must know to find content again.
    type Facts: Serialize + DeserializeOwned;

    fn catalog(&self) -> &Catalog<Self::Facts>;

    /// See [`Draft::scratch`].
    fn spill(&self) -> &Path;

    /// Stores content under any path.
    fn take(
        &self,
        path: &RawPath,
        content: &mut dyn Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error>;

    /// See [`Draft::has_past`].
    fn has_past(&self) -> bool {
        false
    }

    /// See [`Draft::put_unchanged`].
    fn take_unchanged(
        &self,
        _path: &RawPath,
        _meta: &Meta,
        _identity: &Identity,
        _pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        Ok(None)
    }

    /// See [`Draft::put_pieces`].
    fn take_pieces(
        &self,
        _path: &RawPath,
        _meta: &Meta,
        _pieces: &Pieces,
        _pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        Ok(None)
    }

    /// Stores a directory, or a link to `target`.
    fn take_plain(&self, path: &RawPath, shape: Shape, target: &[u8], meta: &Meta, pass: Pass) -> Result<(), Error>;

    /// See [`Draft::parent`].
    fn before(&self) -> Option<String>;

    /// See [`Draft::seal`].
    fn finish(&self, record: &[u8]) -> Result<PathBuf, Error>;
}

impl<C: Cataloged> Draft for C {
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

    fn has_past(&self) -> bool {
        Cataloged::has_past(self)
    }

    fn put_unchanged(
        &self,
        path: &RawPath,
        meta: &Meta,
        identity: &Identity,
        pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        refuse_own(path)?;
        self.take_unchanged(path, meta, identity, pass)
    }

    fn put_pieces(&self, path: &RawPath, meta: &Meta, pieces: &Pieces, pass: Pass) -> Result<Option<Stored>, Error> {
        refuse_own(path)?;
        self.take_pieces(path, meta, pieces, pass)
    }

    fn put_plain(&self, path: &RawPath, kind: &Kind, meta: &Meta, pass: Pass) -> Result<(), Error> {
        refuse_own(path)?;
        match kind {
            Kind::Directory => self.take_plain(path, Shape::Directory, &[], meta, pass),
            Kind::Symlink(target) => self.take_plain(path, Shape::Symlink, target, meta, pass),
            Kind::File => Err(Error::Refused(format!("{path} is a file and needs content"))),
        }
    }

    fn find(&self, path: &RawPath) -> Result<Option<Held>, Error> {
        Ok(self.catalog().find(path)?.map(|(entry, pass)| entry.held(pass)))
    }

    fn pass_of(&self, path: &RawPath) -> Result<Option<Pass>, Error> {
        self.catalog().pass_of(path)
    }

    fn keep(&self, path: &RawPath, pass: Pass) -> Result<(), Error> {
        self.catalog().keep(path, pass)
    }

    fn doubt(&self, path: &RawPath) -> Result<(), Error> {
        self.catalog().doubt(path)
    }

    fn remove(&self, path: &RawPath) -> Result<(), Error> {
        self.catalog().remove(path)
    }

    fn each(&self, prefix: &RawPath, visit: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error> {
        self.catalog().each(prefix, visit)
    }

    fn parent(&self) -> Option<String> {
        self.before()
    }

    fn scratch(&self) -> &Path {
        self.spill()
    }

    fn put_own(&self, name: &str, content: &mut dyn Read) -> Result<Stored, Error> {
        let path = RawPath::from_bytes(format!("{OWN}/{name}").as_bytes())?;
        self.take(&path, content, &own_meta(), None, Pass::InStage)
    }

    fn seal(&self, record: &[u8]) -> Result<PathBuf, Error> {
        self.finish(record)
    }
}
