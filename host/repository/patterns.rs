//! Patterns as in `.gitignore`: what of a tree is meant.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Error, tree::TreeOptions};
use crate::name::RawPath;

/// Includes and excludes of a tree. Paths are relative to the tree's root.
pub(super) struct Patterns {
    includes: Option<Gitignore>,
    excludes: Gitignore,
}

impl Patterns {
    pub(super) fn of(options: &TreeOptions) -> Result<Self, Error> {
        let includes = (!options.includes.is_empty()).then(|| build(&options.includes)).transpose()?;
        Ok(Self { includes, excludes: build(&options.excludes)? })
    }

    /// Whether it and all below it are left out. Says nothing of what lies in a directory that is left out.
    pub(super) fn excludes(&self, path: &RawPath, is_directory: bool) -> bool {
        self.excludes.matched(path.as_path(), is_directory).is_ignore()
    }

    /// The same, also for what lies in a directory that is left out.
    pub(super) fn excludes_any(&self, path: &RawPath, is_directory: bool) -> bool {
        self.excludes.matched_path_or_any_parents(path.as_path(), is_directory).is_ignore()
    }

    /// Whether it, or a directory that it lies in, is meant.
    pub(super) fn includes(&self, path: &RawPath, is_directory: bool) -> bool {
        let included =
            |patterns: &Gitignore| patterns.matched_path_or_any_parents(path.as_path(), is_directory).is_ignore();
        self.includes.as_ref().is_none_or(included)
    }
}

fn build(patterns: &[String]) -> Result<Gitignore, Error> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        let wrong = |why: ignore::Error| Error::Pattern { pattern: pattern.clone(), why: why.to_string() };
        builder.add_line(None, pattern).map_err(wrong)?;
    }
    builder.build().map_err(|why| Error::Pattern { pattern: patterns.join(" "), why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_a_gitignore() {
        let options = TreeOptions {
            includes: vec!["/conf/".into(), "*.xml".into()],
            excludes: vec!["/conf/cache".into(), "*.tmp".into(), "!keep.tmp".into()],
            ..TreeOptions::default()
        };
        let patterns = Patterns::of(&options).unwrap();
        let path = |text| RawPath::from_text(text).unwrap();
        assert!(patterns.includes(&path("conf/a"), false) && patterns.includes(&path("deep/er/b.xml"), false));
        assert!(!patterns.includes(&path("deep/conf/a"), false));
        assert!(patterns.excludes(&path("conf/cache"), true) && patterns.excludes(&path("x/a.tmp"), false));
        assert!(patterns.excludes_any(&path("conf/cache/deep/file"), false));
        assert!(!patterns.excludes(&path("x/keep.tmp"), false));
        let bad = TreeOptions { includes: vec!["[z-a]".into()], ..TreeOptions::default() };
        assert!(matches!(Patterns::of(&bad), Err(Error::Pattern { .. })));
    }
}
