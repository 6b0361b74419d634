//! What a plugin makes on an engine for a while, and how it is removed: by itself, or by the host when a run has died.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strongroom_plugin::{
    Error, Result,
    dirs::{self, Kind},
    holds::{self, Hold, Scope},
};

use crate::{import, reach::Reach, repository};

/// A day, the longest that a hold may last: it ends with its part.
const HELD: Duration = Duration::from_secs(86_400);
/// How deep directories of a repository lie: `indices/INDEX/SHARD/FILE` is four.
const DEPTH_MAX: usize = 16;

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Made {
    /// An index that is not in its place yet.
    Index(String),
    /// A repository with its snapshot, and the directory of that name.
    Repository(String),
    /// A repository that is read, and the directory of that name.
    Copy(String),
    /// A snapshot that is not finished, in a repository of the engine's own: that, then its name.
    Snapshot(String, String),
}

impl Made {
    /// A repository for this run.
    pub fn repository(random: &[u8]) -> Self {
        Self::Repository(own(random))
    }

    /// A repository that brings files of a snapshot back.
    pub fn copy(random: &[u8]) -> Self {
        Self::Copy(own(random))
    }

    /// A snapshot in a repository of the engine's own.
    pub fn snapshot(repository: &str, random: &[u8]) -> Self {
        Self::Snapshot(repository.to_owned(), own(random))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Index(name) | Self::Repository(name) | Self::Copy(name) | Self::Snapshot(_, name) => name,
        }
    }

    /// Written down before it is made, so that it is removed whatever becomes of the run.
    ///
    /// # Errors
    /// `exists` when one of that name stands from a run that died: `strongroom recover` removes it.
    pub fn hold(&self, name: &str) -> Result<Hold> {
        holds::take(name, &serde_json::to_vec(self)?, HELD, Scope::Part)
    }

    /// That of a hold.
    ///
    /// # Errors
    /// `invalid` when it is none.
    pub fn of(data: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(data)?)
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    /// What the engine says.
    pub fn remove(&self, reach: &Reach) -> Result<()> {
        let (name, client) = (self.name(), &reach.client);
        let foreign = || Err(Error::invalid(format!("{name} was not made by this plugin: it is not removed")));
        match self {
            Self::Index(_) if import::is_temporary(name) => import::remove(client, name),
            Self::Repository(_) if is_own(name) => {
                repository::delete(client, name, repository::SNAPSHOT)?;
                repository::forget(client, name)?;
                remove_files(reach, name)
            }
            Self::Copy(_) if is_own(name) => {
                repository::forget(client, name)?;
                remove_files(reach, name)
            }
            // The repository is not this plugin's.
            Self::Snapshot(repository, _) if is_own(name) => repository::delete(client, repository, name),
            _ => foreign(),
        }
    }
}

fn own(random: &[u8]) -> String {
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{random}", repository::PREFIX)
}

/// A name as [`own`] makes it, which is no path.
fn is_own(name: &str) -> bool {
    let rest = name.strip_prefix(repository::PREFIX).unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes the directory of that name below the granted one, with what is left in it.
fn remove_files(reach: &Reach, name: &str) -> Result<()> {
    let granted = dirs::get(reach.snapshots)?;
    let mut open = vec![name.to_owned()];
    while let Some(path) = open.last().cloned() {
        let Some(stat) = granted.find(&path)? else {
            open.pop();
            continue;
        };
        let inside = match stat.kind {
            Kind::Directory => granted.entries(&path).next().transpose()?,
            _ => None,
        };
        match inside {
            Some(_) if open.len() >= DEPTH_MAX => {
                return Err(Error::limit(format!("{path} lies too deep to be removed: it is none of an engine's")));
            }
            Some(entry) => open.push(format!("{path}/{}", entry.name)),
            None => granted.remove(&path)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::testing::Host;

    use super::*;
    use crate::view::Pace;

    fn release(data: &[u8]) -> Result<()> {
        Made::of(data)?.remove(&Reach::connect("engine", "snapshots", None, Pace::default())?)
    }

    #[test]
    fn only_an_index_that_this_plugin_has_made_is_removed() {
        let root = r#"{"version":{"number":"2.19.5","distribution":"opensearch"}}"#;
        let gone = r#"{"error":"gone"}"#;
        let host = Host::new()
            .answer("engine", "DELETE", "/strongroom-restore-x-a", 404, gone)
            .answer("engine", "GET", "/", 200, root);
        release(br#"{"index":"strongroom-restore-x-a"}"#).unwrap();
        assert_eq!(host.requests().last().unwrap().path, "/strongroom-restore-x-a");
        let (repository, copy) = (r#"{"repository":"strongroom-a/.."}"#, r#"{"copy":"strongroom-"}"#);
        for data in [r#"{"index":"nuxeo-audit"}"#, repository, copy, r#"{"other":"x"}"#, ""] {
            assert!(release(data.as_bytes()).is_err(), "{data}");
        }
        assert_eq!(host.requests().iter().filter(|call| call.method == "DELETE").count(), 1);
    }

    #[test]
    fn a_repository_is_forgotten_before_its_files_are_removed_and_others_stay() {
        let root = r#"{"version":{"number":"2.19.5","distribution":"opensearch"}}"#;
        let host = Host::new()
            .target(
                "snapshots",
                &[("strongroom-0a/indices/x/0/f", "1"), ("strongroom-0a/index-0", "2"), ("mine/f", "3")],
            )
            .answer("engine", "DELETE", "/_snapshot/strongroom-0a", 200, "{}")
            .answer("engine", "GET", "/", 200, root);
        release(br#"{"repository":"strongroom-0a"}"#).unwrap();
        release(br#"{"repository":"strongroom-0a"}"#).unwrap();
        assert!(!host.path("snapshots").join("strongroom-0a").exists() && host.file("snapshots", "mine/f").is_some());
        let paths: Vec<_> = host.requests().into_iter().map(|call| call.path).filter(|path| path != "/").collect();
        assert_eq!(paths[..2], ["/_snapshot/strongroom-0a/snapshot", "/_snapshot/strongroom-0a"]);
    }
}
