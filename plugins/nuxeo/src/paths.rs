//! Where an instance's directories were and where they are now, so that paths in its configuration can follow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_database::{grants, located::below};
use strongroom_plugin::{Result, context};

use crate::{backup::note, describe::grant, settings::Settings};

/// Paths by the name of the directory grant, as Nuxeo sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Paths(BTreeMap<String, String>);

impl Paths {
    /// What is granted, where the host shows it; `said` wins.
    pub fn granted<'a>(said: impl IntoIterator<Item = (&'a str, Option<&'a String>)>) -> Self {
        let named = context::grants().dirs().map(|granted| granted.name);
        let mut paths: BTreeMap<_, _> = named.filter_map(|name| Some((name.clone(), grants::path(&name)?))).collect();
        for (name, path) in said {
            if let Some(path) = path
                && grants::has("dirs", name)
            {
                paths.insert(name.to_owned(), path.clone());
            }
        }
        Self(paths)
    }

    /// Those of a restore's target.
    pub fn of_target(settings: &Settings) -> Self {
        let said =
            [(grant::HOME, &settings.home), (grant::DATA, &settings.data), (grant::BINARIES, &settings.binaries)];
        Self::granted(said.map(|(name, path)| (name, path.as_ref())))
    }

    /// Those that the backup noted.
    ///
    /// # Errors
    /// `invalid` when the note is not one.
    pub fn noted() -> Result<Self> {
        let note = context::note(note::PATHS)?;
        Ok(note.map(|note| serde_json::from_str(&note)).transpose()?.unwrap_or_default())
    }

    /// For a note.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The path under that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The path of something in one of the directories.
    pub fn path(&self, grant: &str, below: &str) -> Option<String> {
        let base = self.get(grant)?;
        Some(if below.is_empty() { base.to_owned() } else { format!("{}/{below}", base.trim_end_matches('/')) })
    }

    /// Which of the directories a path lies in, the innermost one, and where below it.
    pub fn locate<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let within = |(name, base): (&'a String, &'a String)| Some((base.len(), name.as_str(), below(path, base)?));
        let (_, name, rest) = self.0.iter().filter_map(within).max_by_key(|(length, ..)| *length)?;
        Some((name, rest))
    }

    /// What a path of the old instance is called where `new` are its directories; none when it lies in none of them, or
    /// has not moved.
    pub fn follow(&self, path: &str, new: &Self) -> Option<String> {
        let within = |(name, old): (&String, &String)| Some((old.len(), name.clone(), below(path, old)?));
        let in_both = self.0.iter().filter(|(name, _)| new.0.contains_key(*name)).filter_map(within);
        let (_, name, rest) = in_both.max_by_key(|(length, ..)| *length)?;
        new.path(&name, rest).filter(|moved| moved != path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_innermost_directory_that_moved() {
        let paths = |all: &[(&str, &str)]| {
            Paths(all.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect())
        };
        let old =
            paths(&[("home", "/opt/nuxeo"), ("data", "/opt/nuxeo/nxserver/data"), ("configuration", "/etc/nuxeo")]);
        let new = paths(&[("home", "/new"), ("data", "/mnt/data"), ("configuration", "/etc/nuxeo")]);
        assert_eq!(old.follow("/opt/nuxeo/nxserver/data/stream", &new).as_deref(), Some("/mnt/data/stream"));
        assert_eq!(old.follow("/opt/nuxeo", &new).as_deref(), Some("/new"));
        assert_eq!(old.follow("/etc/nuxeo/x", &new), None);
        assert_eq!(old.follow("/elsewhere", &new), None);
        assert_eq!(old.locate("/opt/nuxeo/nxserver/data/a").unwrap(), ("data", "a"));
    }
}
