//! Where something lies among the granted directories.

use strongroom_plugin::{
    Result,
    dirs::{self, Dir, Stat},
};

/// The grant of the product's own directory: paths in it are shown as they are.
const HOME: &str = "home";

/// A file or directory in a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The directory grant.
    pub grant: String,
    /// Below it.
    pub path: String,
}

impl Located {
    /// A place in a grant.
    pub fn new(grant: impl Into<String>, path: impl Into<String>) -> Self {
        Self { grant: grant.into(), path: path.into() }
    }

    /// What is there.
    ///
    /// # Errors
    /// As [`dirs::get`].
    pub fn find(&self) -> Result<Option<Stat>> {
        dirs::get(&self.grant)?.find(&self.path)
    }

    /// The granted directory; none where it is yet to be made.
    ///
    /// # Errors
    /// As [`dirs::get`].
    pub fn dir(&self) -> Result<Option<Dir>> {
        match dirs::get(&self.grant) {
            Err(error) if error.is_not_found() => Ok(None),
            found => found.map(Some),
        }
    }

    /// Its name without the directories above it.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl std::fmt::Display for Located {
    /// Paths of the home as they are, others with their grant.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.grant.as_str(), self.path.as_str()) {
            (HOME, path) if !path.is_empty() => f.write_str(path),
            (grant, "") => write!(f, "dirs.{grant}"),
            (grant, path) => write!(f, "{path} in dirs.{grant}"),
        }
    }
}

/// What of `path` lies below `base`; empty when they are equal.
pub fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest.trim_matches('/')),
        None => rest.is_empty().then_some(""),
    }
}

/// A path as a pattern of `.gitignore` that matches nothing else.
pub fn pattern(path: &str) -> String {
    let mut pattern = String::from("/");
    for character in path.chars() {
        if "*?[]!#\\ ".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_knows_where_a_name_ends() {
        assert_eq!(below("/a/b/c", "/a/b"), Some("c"));
        assert_eq!(below("/a/b/", "/a/b"), Some(""));
        assert_eq!(below("/a/b", "/a/b/"), Some(""));
        assert_eq!(below("/a/bc", "/a/b"), None);
    }

    #[test]
    fn a_path_becomes_a_pattern_for_itself_only() {
        assert_eq!(pattern("a/b"), "/a/b");
        assert_eq!(pattern("a b/[c]*"), "/a\\ b/\\[c\\]\\*");
    }
}
