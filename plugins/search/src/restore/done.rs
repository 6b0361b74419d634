//! What an attempt of this part before has put into its place already, so that the next one goes on behind it.

use std::collections::BTreeMap;

use strongroom_plugin::{Result, context};

use crate::{Client, Index, import};

/// By name, which index has it.
#[derive(Debug, Default)]
pub(super) struct Done {
    placed: BTreeMap<String, String>,
    /// Of this attempt, in places that were free.
    added: Vec<String>,
}

impl Done {
    /// What the attempt before has written down; nothing where that cannot be read.
    pub(super) fn read() -> Self {
        let kept = context::last_checkpoint().unwrap_or_default();
        Self { placed: serde_json::from_slice(&kept).unwrap_or_default(), added: Vec::new() }
    }

    /// Whether the index of that name is the one that was put there.
    ///
    /// # Errors
    /// What the engine says.
    pub(super) fn has(&self, client: &Client, name: &str) -> Result<bool> {
        match self.placed.get(name) {
            Some(uuid) => Ok(uuids(client, name)? == *uuid),
            None => Ok(false),
        }
    }

    /// One more.
    ///
    /// # Errors
    /// What the engine says; `io`.
    pub(super) fn add(&mut self, client: &Client, name: &str) -> Result<()> {
        self.placed.insert(name.to_owned(), uuids(client, name)?);
        context::checkpoint(&serde_json::to_vec(&self.placed)?)
    }

    /// One that is in its place now, which was free.
    pub(super) fn adds(&mut self, name: &str) {
        self.added.push(name.to_owned());
    }

    /// Removes what this attempt has put into places that were free.
    pub(super) fn undo(&self, client: &Client) {
        for name in &self.added {
            // The error that led here is what is to be known.
            let _ = import::remove(client, name);
        }
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
