//! What an attempt of this part before has put into its place already, so that the next one goes on behind it.

use std::collections::BTreeMap;

use strongroom_plugin::{Result, context};
use strongroom_search::{Client, Index};

/// By name, which index has it.
#[derive(Debug, Default)]
pub(super) struct Done(BTreeMap<String, String>);

impl Done {
    /// What the attempt before has written down; nothing where that cannot be read.
    pub(super) fn read() -> Self {
        let kept = context::last_checkpoint().unwrap_or_default();
        Self(serde_json::from_slice(&kept).unwrap_or_default())
    }

    /// Whether the index of that name is the one that was put there.
    ///
    /// # Errors
    /// What the engine says.
    pub(super) fn has(&self, client: &Client, name: &str) -> Result<bool> {
        match self.0.get(name) {
            Some(uuid) => Ok(uuids(client, name)? == *uuid),
            None => Ok(false),
        }
    }

    /// One more.
    ///
    /// # Errors
    /// What the engine says; `io`.
    pub(super) fn add(&mut self, client: &Client, name: &str) -> Result<()> {
        self.0.insert(name.to_owned(), uuids(client, name)?);
        context::checkpoint(&serde_json::to_vec(&self.0)?)
    }
}

/// Of the index, or of those behind an alias.
fn uuids(client: &Client, name: &str) -> Result<String> {
    match Index::resolve(client, name) {
        Ok(indices) => Ok(indices.into_iter().map(|index| index.uuid).collect::<Vec<_>>().join(" ")),
        Err(error) if error.is_not_found() => Ok(String::new()),
        Err(error) => Err(error),
    }
}
