//! `dirs`: granted directories. Nothing outside them can be named, whatever links there are.

use std::{io, sync::Arc};

use cap_std::fs::{Metadata, MetadataExt};
use wasmtime::component::Resource;

use self::{listing::Listing, place::Temporary};
use crate::{
    config::{Access, DirGrant},
    name::{self, BadPath, RawPath},
    sandbox::{
        bindings::{Answer, Fail, fail, host::dirs, host::types::Timestamp},
        fault::Code,
        ledger::Refusal,
        operation::Capability,
        state::{State, io_fail},
        stream::{
            InputStream, Open, OutputStream, blocking,
            output::{FileTarget, Target},
            source::Source,
        },
    },
};

mod listing;
mod open;
mod place;
mod usage;

/// Entries of a page.
const PAGE_ENTRIES: usize = 1000;

/// What a guest's `dir` stands for.
pub struct Dir {
    /// The directory itself: nothing outside it can be reached through this.
    pub dir: Arc<cap_std::fs::Dir>,
    grant: String,
    /// Where it lies below the grant's own directory.
    below: RawPath,
    access: Access,
    listing: Option<Listing>,
    _open: Open,
}

impl State {
    /// A directory that the guest may change.
    pub fn writable(&self, dir: &Resource<Dir>) -> Answer<Arc<cap_std::fs::Dir>> {
        self.enter(Capability::DirsWrite)?;
        let dir = self.table.get(dir)?;
        match dir.access {
            Access::Write => Ok(dir.dir.clone()),
            Access::Read => Err(fail(
                Code::Denied,
                format!(
                    "plugin {:?} wants to change what lies in dirs {:?}, which is granted for reading: allow it with\n[step.{}.grant.dirs.{}]\naccess = \"write\"",
                    self.session.plugin, dir.grant, self.session.step, dir.grant
                ),
            )),
        }
    }

    /// Says what will be made there, to the journal of a restore, which may have to remove it again.
    pub fn making(
        &self,
        dir: &Resource<Dir>,
    ) -> Answer<impl Fn(&RawPath) -> Result<(), Refusal> + Send + Sync + use<>> {
        let dir = self.table.get(dir)?;
        let (ledger, grant, below) = (self.session.ledger.clone(), dir.grant.clone(), dir.below.clone());
        Ok(move |path: &RawPath| ledger.made(&grant, &below.join(path)))
    }

    /// The same for one thing, unless it is there already.
    fn make(&self, dir: &Resource<Dir>, path: &RawPath) -> Answer<()> {
        if self.table.get(dir)?.dir.symlink_metadata(path.as_path()).is_ok() {
            return Ok(());
        }
        Ok(self.making(dir)?(path)?)
    }

    fn dir(&self, dir: &Resource<Dir>) -> Answer<&Dir> {
        self.enter(Capability::Dirs)?;
        Ok(self.table.get(dir)?)
    }
}

impl Dir {
    /// An error about something in it.
    fn io(&self, doing: &str, path: &RawPath, error: &io::Error) -> Fail {
        io_fail(&format!("{doing} {:?} in dirs {:?}", path.to_text(), self.grant), error)
    }
}

/// A path that the guest gave, relative to a directory.
pub fn relative(path: &str) -> Answer<RawPath> {
    RawPath::from_text(path).map_err(|bad| {
        let code = match bad {
            BadPath::Absolute(_) | BadPath::Escapes(_) => Code::Denied,
            BadPath::Malformed(_) | BadPath::Escape(_) => Code::Invalid,
        };
        fail(code, bad.to_string())
    })
}

impl dirs::Host for State {
    async fn get(&mut self, grant: String) -> Answer<Resource<Dir>> {
        self.enter(Capability::Dirs)?;
        let Some(DirGrant { path, access }) = self.session.grants.dirs.get(&grant).cloned() else {
            return Err(self.not_granted(Capability::Dirs, &grant, "path = \"/…\"\naccess = \"read\""));
        };
        self.announced(Capability::Dirs, &grant)?;
        let _open = self.stream_place()?;
        let opened = cap_std::fs::Dir::open_ambient_dir(&path, cap_std::ambient_authority());
        let dir = opened.map_err(|error| io_fail(&format!("opening {} (dirs {grant:?})", path.display()), &error))?;
        Ok(self.table.push(Dir { dir: Arc::new(dir), grant, below: RawPath::root(), access, listing: None, _open })?)
    }

    async fn locate(&mut self, absolute: String) -> Answer<Option<(String, String)>> {
        self.enter(Capability::Dirs)?;
        let bytes = name::untext(&absolute)
            .ok_or_else(|| fail(Code::Invalid, BadPath::Escape(absolute.clone()).to_string()))?;
        Ok(open::locate(&self.session.grants.dirs, &bytes).map(|(grant, path)| (grant, path.to_text())))
    }
}

impl dirs::HostDir for State {
    async fn open_dir(&mut self, dir: Resource<Dir>, path: String) -> Answer<Resource<Dir>> {
        let (_open, path) = (self.stream_place()?, relative(&path)?);
        let parent = self.dir(&dir)?;
        let below = parent.dir.open_dir(path.as_path()).map_err(|error| parent.io("opening", &path, &error))?;
        let child = Dir {
            dir: Arc::new(below),
            grant: parent.grant.clone(),
            below: parent.below.join(&path),
            access: parent.access,
            listing: None,
            _open,
        };
        Ok(self.table.push(child)?)
    }

    async fn stat(&mut self, dir: Resource<Dir>, path: String) -> Answer<dirs::Stat> {
        let (dir, path) = (self.dir(&dir)?, relative(&path)?);
        let metadata = if path.is_root() { dir.dir.dir_metadata() } else { dir.dir.symlink_metadata(path.as_path()) };
        metadata.map(|metadata| stat(&metadata)).map_err(|error| dir.io("looking at", &path, &error))
    }

    async fn read_link(&mut self, dir: Resource<Dir>, path: String) -> Answer<String> {
        let (dir, path) = (self.dir(&dir)?, relative(&path)?);
        let target = dir.dir.read_link_contents(path.as_path());
        let target = target.map_err(|error| dir.io("reading the link", &path, &error))?;
        Ok(name::text(std::os::unix::ffi::OsStrExt::as_bytes(target.as_os_str())))
    }

    async fn entries(&mut self, dir: Resource<Dir>, path: String, after: Option<String>) -> Answer<Vec<dirs::Entry>> {
        self.enter(Capability::Dirs)?;
        let path = relative(&path)?;
        let after = match after {
            Some(text) => name::untext(&text).ok_or_else(|| fail(Code::Invalid, BadPath::Escape(text).to_string()))?,
            None => Vec::new(),
        };
        let dir = self.table.get_mut(&dir)?;
        let page = listing::page(&mut dir.listing, &dir.dir, &path, &after, PAGE_ENTRIES);
        page.map_err(|error| dir.io("listing", &path, &error))
    }

    async fn open(&mut self, dir: Resource<Dir>, path: String) -> Answer<Resource<InputStream>> {
        let (dir, path) = (self.dir(&dir)?, relative(&path)?);
        let (file, identity) = open::regular(&dir.dir, &path).map_err(|error| dir.io("opening", &path, &error))?;
        self.push_input(Source::file(file, identity), Vec::new())
    }

    async fn in_use(&mut self, dir: Resource<Dir>, path: String) -> Answer<dirs::Usage> {
        let (asked, path) = (self.dir(&dir)?, relative(&path)?);
        let (root, stop, place) = (asked.dir.clone(), self.watch.stop.clone(), path.clone());
        let stop = stop.child_token();
        let _give_up = stop.clone().drop_guard();
        let looked =
            self.blocking("looking who uses files", move || usage::of(&root, &place, || stop.is_cancelled())).await?;
        looked.map_err(|error| match self.table.get(&dir) {
            Ok(dir) => dir.io("looking who uses", &path, &error),
            Err(error) => error.into(),
        })
    }

    async fn write(
        &mut self,
        dir: Resource<Dir>,
        path: String,
        content: Resource<InputStream>,
        mode: Option<u32>,
    ) -> Answer<u64> {
        let (target, path) = (self.writable(&dir)?, relative(&path)?);
        self.make(&dir, &path)?;
        let dir = target;
        let content = self.detach(content)?;
        let (feeds, stop) = (content.feeds(), self.watch.stop.child_token());
        let doing = format!("writing {path:?}");
        let (runtime, give_up) = (tokio::runtime::Handle::current(), stop.clone().drop_guard());
        let work = tokio::task::spawn_blocking(move || {
            let (temporary, file) = Temporary::new(dir, &path, mode)?;
            let mut reader = blocking::reader(content, runtime, stop);
            let size = io::copy(&mut reader, &mut &file)?;
            temporary.place(&file).map(|()| size)
        });
        let written = self.moving(&doing, &feeds, work).await?;
        drop(give_up);
        written.map_err(io::Error::other).flatten().map_err(|error| io_fail(&doing, &error))
    }

    async fn create(&mut self, dir: Resource<Dir>, path: String, mode: Option<u32>) -> Answer<Resource<OutputStream>> {
        let (target, path) = (self.writable(&dir)?, relative(&path)?);
        self.make(&dir, &path)?;
        let dir = target;
        let made = Temporary::new(dir, &path, mode);
        let (temporary, file) = made.map_err(|error| io_fail(&format!("creating {path:?}"), &error))?;
        // Dropped without having been placed, the temporary file removes itself.
        let target = FileTarget::new(file, Box::new(move |file| temporary.place(&file)), Box::new(|| {}));
        self.push_output(Target::File(target))
    }

    async fn create_dir(&mut self, dir: Resource<Dir>, path: String) -> Answer<()> {
        let (target, path) = (self.writable(&dir)?, relative(&path)?);
        self.make(&dir, &path)?;
        let dir = target;
        dir.create_dir(path.as_path()).map_err(|error| io_fail(&format!("creating the directory {path:?}"), &error))
    }

    async fn set_mode(&mut self, dir: Resource<Dir>, path: String, mode: u32) -> Answer<()> {
        let (dir, path) = (self.writable(&dir)?, relative(&path)?);
        let permissions = cap_std::fs::PermissionsExt::from_mode(mode & 0o7777);
        dir.set_permissions(path.as_path(), permissions)
            .map_err(|error| io_fail(&format!("setting the mode of {path:?}"), &error))
    }

    async fn rename(&mut self, dir: Resource<Dir>, old: String, new: String) -> Answer<()> {
        let (dir, old, new) = (self.writable(&dir)?, relative(&old)?, relative(&new)?);
        dir.rename(old.as_path(), &dir, new.as_path())
            .map_err(|error| io_fail(&format!("renaming {old:?} to {new:?}"), &error))
    }

    async fn remove(&mut self, dir: Resource<Dir>, path: String) -> Answer<()> {
        let (dir, path) = (self.writable(&dir)?, relative(&path)?);
        let removed = match dir.symlink_metadata(path.as_path()) {
            Ok(metadata) if metadata.is_dir() => dir.remove_dir(path.as_path()),
            Ok(_) => dir.remove_file(path.as_path()),
            Err(error) => Err(error),
        };
        removed.map_err(|error| io_fail(&format!("removing {path:?}"), &error))
    }

    async fn drop(&mut self, dir: Resource<Dir>) -> wasmtime::Result<()> {
        self.table.delete(dir)?;
        Ok(())
    }
}

fn stat(metadata: &Metadata) -> dirs::Stat {
    let kind = metadata.file_type();
    dirs::Stat {
        kind: match () {
            () if kind.is_file() => dirs::Kind::File,
            () if kind.is_dir() => dirs::Kind::Directory,
            () if kind.is_symlink() => dirs::Kind::Symlink,
            () => dirs::Kind::Other,
        },
        size: metadata.len(),
        modified: Timestamp { seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() as u32 },
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}
