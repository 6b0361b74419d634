//! What this plugin makes on an engine for a while, and how it is removed: by itself, or by the host when a run has died.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strongroom_plugin::{
    Error, Result,
    holds::{self, Hold, Scope},
};
use strongroom_search::{Client, import};

use crate::describe::grant;

/// A day, the longest that a hold may last: it ends with its part.
const HELD: Duration = Duration::from_secs(86_400);

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Made {
    /// An index that is not in its place yet.
    Index(String),
}

impl Made {
    /// Written down before it is made, so that it is removed whatever becomes of the run.
    ///
    /// # Errors
    /// `exists` when one of that name stands from a run that died: `strongroom recover` removes it.
    pub fn hold(&self, name: &str) -> Result<Hold> {
        holds::take(name, &serde_json::to_vec(self)?, HELD, Scope::Part)
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    /// What the engine says.
    pub fn remove(&self, client: &Client) -> Result<()> {
        match self {
            Self::Index(name) if import::is_temporary(name) => import::remove(client, name),
            Self::Index(name) => Err(Error::invalid(format!("{name} is no index of this plugin: it is not removed"))),
        }
    }
}

/// Removes what a hold names.
///
/// # Errors
/// When the engine does not answer: it is tried again later.
pub fn release(data: &[u8]) -> Result<()> {
    let made: Made = serde_json::from_slice(data)?;
    made.remove(&Client::connect(grant::ENGINE)?)
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::testing::Host;

    use super::*;

    #[test]
    fn only_an_index_that_this_plugin_has_made_is_removed() {
        let root = r#"{"version":{"number":"2.19.5","distribution":"opensearch"}}"#;
        let gone = r#"{"error":"gone"}"#;
        let host = Host::new()
            .answer("engine", "DELETE", "/strongroom-restore-x-a", 404, gone)
            .answer("engine", "GET", "/", 200, root);
        release(br#"{"index":"strongroom-restore-x-a"}"#).unwrap();
        assert_eq!(host.requests().last().unwrap().path, "/strongroom-restore-x-a");
        for data in [r#"{"index":"nuxeo-audit"}"#, r#"{"other":"x"}"#, ""] {
            assert!(release(data.as_bytes()).is_err(), "{data}");
        }
        assert_eq!(host.requests().iter().filter(|call| call.method == "DELETE").count(), 1);
    }
}
