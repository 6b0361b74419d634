//! A repository in a directory that an SSH server shows, as restic keeps it there.
//!
//! `session` is one connection, `transfer` moves files over it. Calls share one; when it breaks, the next call opens
//! another.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use self::session::{Connection, Listed};
use super::{
    FOUND_MAX, Found, Kind, Name, Storage,
    wire::{Pace, Speeds, wait},
};
use crate::config::{Remote, place};

mod session;
mod transfer;

/// Directories that are made or listed at once.
const DIRECTORIES: usize = 16;

/// See the module.
pub(super) struct Sftp(Arc<Shared>);

struct Shared {
    place: place::Sftp,
    remote: Remote,
    speeds: Arc<Speeds>,
    /// None: the next call opens one.
    connection: Mutex<Option<Arc<Connection>>>,
}

impl fmt::Debug for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sftp({})", self.0.place)
    }
}

impl Sftp {
    pub(super) fn new(place: &place::Sftp, remote: &Remote) -> Self {
        let speeds = Speeds { up: remote.limit_upload.map(Pace::new), down: remote.limit_download.map(Pace::new) };
        let (place, remote, speeds) = (place.clone(), remote.clone(), Arc::new(speeds));
        Self(Arc::new(Shared { place, remote, speeds, connection: Mutex::default() }))
    }

    /// Runs `call` on the connection.
    fn on<T, F>(&self, call: impl FnOnce(Arc<Connection>) -> F + Send + 'static) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = io::Result<T>> + Send,
    {
        let shared = Arc::clone(&self.0);
        wait(async move {
            let connection = shared.connection().await?;
            let done = connection.pulse.within(call(Arc::clone(&connection))).await;
            match done {
                Err(cause) if session::is_end(&cause) => {
                    shared.end(&connection).await;
                    Err(connection.explain(cause).await)
                }
                done => done,
            }
        })
    }

    fn path(&self, name: &Name) -> String {
        self.below(&name.path())
    }

    /// Directories of packs.
    fn packs(&self) -> Vec<String> {
        (0..=255).map(|first| self.below(&format!("data/{first:02x}"))).collect()
    }

    fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.0.place.path.trim_end_matches('/'))
    }
}

impl Shared {
    async fn connection(&self) -> io::Result<Arc<Connection>> {
        let mut connection = self.connection.lock().await;
        match &*connection {
            Some(open) => Ok(Arc::clone(open)),
            None => {
                let opened = Connection::open(&self.place, &self.remote, &self.speeds).await?;
                Ok(Arc::clone(connection.insert(Arc::new(opened))))
            }
        }
    }

    /// Others may have opened another meanwhile.
    async fn end(&self, ended: &Arc<Connection>) {
        let mut connection = self.connection.lock().await;
        connection.take_if(|open| Arc::ptr_eq(open, ended));
    }
}

impl Storage for Sftp {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        let top = self.0.place.path.clone();
        let packs = if kinds.contains(&Kind::Pack) { self.packs() } else { Vec::new() };
        let directories: Vec<_> = kinds.iter().map(|kind| self.below(kind.word())).collect();
        self.on(async move |connection| {
            transfer::make_all(&connection, &top).await?;
            for directory in &directories {
                transfer::make(&connection, directory).await?;
            }
            let connection = &*connection;
            let making = stream::iter(packs).map(async move |directory| transfer::make(connection, &directory).await);
            making.buffer_unordered(DIRECTORIES).try_collect().await
        })
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        let directory = self.below(kind.word());
        self.on(async move |connection| match kind {
            Kind::Config => Ok(Vec::new()),
            Kind::Pack => packs(&connection, &directory).await,
            _ => files(&connection, kind, &directory).await,
        })
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        self.on(async move |connection| transfer::read(&connection, &path).await)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        let (path, length) = (self.path(name), room.len());
        let content = self.on(async move |connection| transfer::read_at(&connection, &path, offset, length).await)?;
        room.copy_from_slice(&content);
        Ok(())
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let (path, content) = (self.path(name), Bytes::copy_from_slice(content));
        self.on(async move |connection| transfer::write(&connection, &path, &content).await)
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        self.on(async move |connection| match connection.remove(&path).await {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        let directories_of = |kind: &Kind| match kind {
            Kind::Pack => self.packs(),
            kind => vec![self.below(kind.word())],
        };
        let mut directories = vec![(Kind::Config, self.below(""))];
        for kind in kinds {
            directories.extend(directories_of(kind).into_iter().map(|directory| (*kind, directory)));
        }
        self.on(async move |connection| {
            let connection = &*connection;
            let one = |(kind, directory): (Kind, String)| async move {
                transfer::sweep(connection, kind, &directory, untouched).await
            };
            let sweeping = stream::iter(directories).map(one);
            sweeping.buffer_unordered(DIRECTORIES).try_fold(0, async |sum, swept| Ok(sum + swept)).await
        })
    }

    fn connections(&self) -> usize {
        self.0.remote.connections.into()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        let top = self.0.place.path.clone();
        self.on(async move |connection| connection.room(&top).await)
    }

    fn place(&self) -> PathBuf {
        self.0.place.to_string().into()
    }
}

/// Packs, in directories by their first two digits.
async fn packs(connection: &Connection, directory: &str) -> io::Result<Vec<Found>> {
    let listed = connection.list(directory).await?;
    let is_first = |name: &str| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let firsts = listed.into_iter().map(|listed| listed.name).filter(|name| is_first(name));
    let directories: Vec<_> = firsts.map(|name| format!("{directory}/{name}")).collect();
    let listing = stream::iter(directories).map(async move |directory| files(connection, Kind::Pack, &directory).await);
    let found: Vec<Vec<Found>> = listing.buffer_unordered(DIRECTORIES).try_collect().await?;
    let found = found.concat();
    match found.len() <= FOUND_MAX {
        true => Ok(found),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{directory} holds too many files"))),
    }
}

async fn files(connection: &Connection, kind: Kind, directory: &str) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for Listed { name, size, .. } in connection.list(directory).await? {
        if kind.has(&name) {
            let size = match size {
                Some(size) => size,
                // The protocol lets a server leave it out.
                None => connection.size(&format!("{directory}/{name}")).await?,
            };
            found.push(Found { name, size });
        }
    }
    Ok(found)
}
