//! What a restore writes into: whether it is empty, how much room it has, and whose snapshot it holds already.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncReadExt,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use super::journal::write_atomically;
use crate::{
    config::{Access, Engine, Grants, SqlGrant},
    sandbox::database::Database,
};

/// A granted thing that parts will write into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `dirs.home` or `sql.database`.
    pub grant: String,
    /// As the operator would recognise it.
    pub display: String,
    /// What stays the same while it is the same thing: device and inode, or database system, name and oid.
    pub identity: Option<String>,
    /// Directories: whether nothing is in it. A database's emptiness is its plugin's to judge.
    pub empty: Option<bool>,
    /// Directories: bytes that can still be written.
    pub room: Option<u64>,
}

/// Looks at every target of `uses` (grants that the parts named). Changes nothing.
///
/// # Errors
/// When a directory exists but cannot be looked at. A database that does not answer has no identity here: the plugin's
/// own inspection says why.
pub async fn look(grants: &Grants, uses: &[String], stop: &CancellationToken) -> io::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for (name, grant) in &grants.dirs {
        let used = uses.contains(&format!("dirs.{name}")) || uses.contains(name);
        if grant.access == Access::Write && used {
            targets.push(directory(name, &grant.path)?);
        }
    }
    for (name, grant) in &grants.sql {
        if uses.contains(&format!("sql.{name}")) || uses.contains(name) {
            targets.push(Target {
                grant: format!("sql.{name}"),
                display: format!("{}:{}/{}", grant.host, grant.port, grant.database),
                identity: database_identity(name, grant, stop).await,
                empty: None,
                room: None,
            });
        }
    }
    for (name, grant) in &grants.tcp {
        if uses.contains(&format!("tcp.{name}")) || uses.contains(name) {
            let endpoints: Vec<_> = grant.endpoints.iter().map(ToString::to_string).collect();
            let (grant, display) = (format!("tcp.{name}"), endpoints.join(", "));
            // What stays the same of a service, only its plugin can know.
            targets.push(Target { grant, display, identity: None, empty: None, room: None });
        }
    }
    Ok(targets)
}

fn directory(name: &str, path: &Path) -> io::Result<Target> {
    let (identity, empty) = match std::fs::metadata(path) {
        Ok(metadata) => {
            let empty = std::fs::read_dir(path)?.next().is_none();
            (Some(format!("directory {:x}:{}", metadata.dev(), metadata.ino())), empty)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, true),
        Err(error) => return Err(error),
    };
    let room = path.ancestors().find_map(|existing| rustix::fs::statvfs(existing).ok());
    Ok(Target {
        grant: format!("dirs.{name}"),
        display: path.display().to_string(),
        identity,
        empty: Some(empty),
        room: room.map(|room| room.f_bavail * room.f_frsize),
    })
}

/// How long a target database may take to say who it is.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(20);

/// What stays the same while a database is the same one.
const fn identity_query(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgresql => {
            "SELECT s.system_identifier, d.datname, d.oid \
             FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()"
        }
        Engine::Mysql => "SELECT @@server_uuid, DATABASE()",
        // Older ones have no number of their own.
        Engine::Mariadb => {
            "SELECT coalesce((SELECT variable_value FROM information_schema.global_variables \
             WHERE variable_name = 'SERVER_UID'), @@hostname), @@datadir, DATABASE()"
        }
    }
}

async fn database_identity(name: &str, grant: &SqlGrant, stop: &CancellationToken) -> Option<String> {
    let deadline = Instant::now() + IDENTITY_TIMEOUT;
    let database = Database::open(name, grant);
    let transaction = database.begin(stop.clone(), deadline).await.ok()?;
    let mut line = String::new();
    let rows = transaction.query(identity_query(transaction.engine()), &[]).await.ok()?;
    tokio::time::timeout_at(deadline, rows.take(4096).read_to_string(&mut line)).await.ok()?.ok()?;
    let _ = transaction.end().await;
    let row: Vec<Option<String>> = serde_json::from_str(line.trim()).ok()?;
    Some(format!("database {}", row.into_iter().collect::<Option<Vec<_>>>()?.join("/")))
}

/// `targets.json` in the state directory: the snapshot that each target was restored from.
#[derive(Default)]
pub(super) struct Ownership {
    path: PathBuf,
    snapshots: BTreeMap<String, Owner>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Owner {
    snapshot: String,
    display: String,
}

impl Ownership {
    pub(super) fn read(state: &Path) -> io::Result<Self> {
        let path = state.join("targets.json");
        let snapshots = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, snapshots })
    }

    /// The other snapshot that `target` holds parts of.
    pub(super) fn other(&self, target: &Target, snapshot: &str) -> Option<&str> {
        let owner = self.snapshots.get(target.identity.as_ref()?)?;
        // An emptied directory holds nothing of anyone any more.
        (owner.snapshot != snapshot && target.empty != Some(true)).then_some(owner.snapshot.as_str())
    }

    pub(super) fn claim(&mut self, targets: &[Target], snapshot: &str) -> io::Result<()> {
        for target in targets {
            if let Some(identity) = &target.identity {
                let owner = Owner { snapshot: snapshot.to_owned(), display: target.display.clone() };
                self.snapshots.insert(identity.clone(), owner);
            }
        }
        write_atomically(&self.path, &serde_json::to_vec_pretty(&self.snapshots)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_remembers_its_snapshot_until_it_is_emptied() {
        let (state, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(home.path().join("file"), "x").unwrap();
        let target = directory("home", home.path()).unwrap();
        assert_eq!(target.empty, Some(false));
        let mut ownership = Ownership::read(state.path()).unwrap();
        assert_eq!(ownership.other(&target, "aa"), None);
        ownership.claim(std::slice::from_ref(&target), "aa").unwrap();
        let ownership = Ownership::read(state.path()).unwrap();
        assert_eq!(ownership.other(&target, "aa"), None);
        assert_eq!(ownership.other(&target, "bb"), Some("aa"));
        std::fs::remove_file(home.path().join("file")).unwrap();
        assert_eq!(ownership.other(&directory("home", home.path()).unwrap(), "bb"), None);
    }

    #[test]
    fn a_target_that_is_not_there_is_empty_and_has_room() {
        let parent = tempfile::tempdir().unwrap();
        let target = directory("home", &parent.path().join("not/yet")).unwrap();
        assert_eq!((target.empty, target.identity), (Some(true), None));
        assert!(target.room.is_some());
    }
}
