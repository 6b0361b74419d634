//! Granted directories: there, readable, and writable where that is granted.

use std::path::Path;

use super::{Check, answered, may_write};
use crate::config::{Access, DirGrant, Step};

pub(super) async fn checks(step: &Step) -> Vec<Check> {
    let mut checks = Vec::new();
    for (name, grant) in &step.grants.dirs {
        let about = format!("{}/dirs.{name}", step.name);
        let looked = grant.clone();
        let found = answered(move || look(&looked)).await.and_then(|found| found);
        let place = grant.path.display();
        checks.push(match found {
            Ok(how) => Check::ok(about, format!("{place}: {how}")),
            Err(why) => Check::problem(about, format!("{place}: {why}")),
        });
    }
    checks
}

fn look(grant: &DirGrant) -> Result<&'static str, String> {
    let is_target = grant.access == Access::Write;
    match std::fs::metadata(&grant.path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_target => return to_be_made(&grant.path),
        Err(error) => return Err(error.to_string()),
        Ok(found) if !found.is_dir() => return Err("no directory".to_owned()),
        Ok(_) => {}
    }
    // To open it is not to read it.
    let first = std::fs::read_dir(&grant.path).map(|mut entries| entries.next().transpose());
    first.and_then(|first| first).map_err(|error| format!("it cannot be listed: {error}"))?;
    match is_target {
        false => Ok("can be read"),
        true => may_write(&grant.path)
            .map(|()| "can be read and written")
            .map_err(|error| format!("granted to be written, and this user may not: {error}")),
    }
}

/// A restore makes a target that is not there, when its parent allows it.
fn to_be_made(path: &Path) -> Result<&'static str, String> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    match may_write(parent) {
        Ok(()) => Ok("not there yet: a restore makes it"),
        Err(error) => Err(format!("not there, and cannot be made in {}: {error}", parent.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_there_and_of_that_kind_or_named_as_not() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        let look = |name: &str, access| super::look(&DirGrant { path: place.path().join(name), access });
        assert_eq!(look("", Access::Read), Ok("can be read"));
        assert_eq!(look("", Access::Write), Ok("can be read and written"));
        assert_eq!(look("new", Access::Write), Ok("not there yet: a restore makes it"));
        assert!(look("new", Access::Read).is_err() && look("new/er", Access::Write).is_err());
        assert_eq!(look("file", Access::Read), Err("no directory".to_owned()));
    }
}
