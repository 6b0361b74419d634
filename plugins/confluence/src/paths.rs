//! Where a site's directories were and where they are now, so that paths in its configuration can follow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Result, context};

use crate::{
    backup::note,
    describe::grant,
    grants,
    settings::Settings,
    site::{Site, below},
};

/// Paths by the name of the directory grant, as Confluence sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Paths(BTreeMap<String, String>);

impl Paths {
    /// Those of the site that is backed up.
    pub fn of_site(site: &Site) -> Self {
        let mut paths = Self::granted();
        paths.0.insert(grant::HOME.into(), site.home.path.clone());
        if paths.0.contains_key(grant::ATTACHMENTS) {
            paths.0.insert(grant::ATTACHMENTS.into(), site.attachments());
        }
        if let Some(shared) = site.shared_home()
            && paths.0.contains_key(grant::SHARED_HOME)
        {
            paths.0.insert(grant::SHARED_HOME.into(), shared.to_owned());
        }
        paths
    }

    /// Those of a restore's target: what is granted, unless the configuration says how Confluence will see it.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn of_target() -> Result<Self> {
        let mut paths = Self::granted();
        let settings = Settings::read()?;
        paths.0.extend(settings.home.map(|home| (grant::HOME.to_owned(), home)));
        paths.0.extend(settings.shared_home.map(|home| (grant::SHARED_HOME.to_owned(), home)));
        Ok(paths)
    }

    /// Those that the backup noted.
    ///
    /// # Errors
    /// `invalid` when the note is not one.
    pub fn noted() -> Result<Option<Self>> {
        context::note(note::PATHS)?.map(|note| Ok(serde_json::from_str(&note)?)).transpose()
    }

    fn granted() -> Self {
        let named = context::grants().dirs().map(|granted| granted.name);
        Self(named.filter_map(|name| Some((name.clone(), grants::path(&name)?))).collect())
    }

    /// For a note.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The path under that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Which of the directories a path lies in, the innermost one, and where below it.
    pub fn locate<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let within = |(name, base): (&'a String, &'a String)| Some((base.len(), name.as_str(), below(path, base)?));
        let (_, name, rest) = self.0.iter().filter_map(within).max_by_key(|(length, ..)| *length)?;
        Some((name, rest))
    }

    /// What a path of the old site is called where `new` are its directories; none when it lies in none of them, or
    /// has not moved.
    pub fn follow(&self, path: &str, new: &Self) -> Option<String> {
        // Other nodes have their homes where this one has its own; where they are mounted here means nothing to them.
        let meant = |name: &str| !grants::is_one_of(name, grant::NODE);
        let within = |(name, old): (&String, &String)| {
            Some((old.len(), below(path, old)?, new.0.get(name).filter(|_| meant(name))?))
        };
        let (_, rest, base) = self.0.iter().filter_map(within).max_by_key(|(length, ..)| *length)?;
        let moved = if rest.is_empty() { base.clone() } else { format!("{}/{rest}", base.trim_end_matches('/')) };
        (moved != path).then_some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(all: &[(&str, &str)]) -> Paths {
        Paths(all.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect())
    }

    #[test]
    fn paths_follow_the_innermost_directory_that_moved() {
        let old = paths(&[("home", "/home/wiki"), ("attachments", "/home/wiki/big"), ("install", "/opt/wiki")]);
        let new = paths(&[("home", "/new"), ("attachments", "/mnt/a"), ("install", "/opt/wiki")]);
        let follow = |path| old.follow(path, &new);
        assert_eq!(follow("/home/wiki/temp").as_deref(), Some("/new/temp"));
        assert_eq!(follow("/home/wiki/big/v4").as_deref(), Some("/mnt/a/v4"));
        assert_eq!(follow("/home/wiki").as_deref(), Some("/new"));
        assert_eq!(follow("/opt/wiki/lib"), None);
        assert_eq!(follow("/elsewhere"), None);
    }
}
