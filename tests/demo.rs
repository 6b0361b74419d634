//! The demos' own manners: they name what they lack, and leave alone what is not their own. What they show is run by `run.sh`.

use std::{os::unix::fs::symlink, path::Path, process::Command};

use crate::support::root;

/// Programs that the demos' first lines need themselves.
const FIRST_NEEDS: [&str; 11] =
    ["bash", "dirname", "find", "sort", "tail", "head", "grep", "readlink", "cc", "dpkg-query", "python3"];

/// A directory that holds only these programs.
fn poor_path(directory: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in FIRST_NEEDS {
        let found = std::env::split_paths(&path).map(|place| place.join(name)).find(|program| program.is_file());
        symlink(found.unwrap_or_else(|| panic!("{name} is not installed")), directory.join(name)).unwrap();
    }
}

const DEMOS: [&str; 3] = ["examples/confluence/demo.sh", "examples/nuxeo/demo.sh", "examples/audit-index/demo.sh"];

fn demo(script: &str, path: &Path, arguments: &[&Path]) -> (Option<i32>, String) {
    let script = root().join(script);
    let done = Command::new("bash").arg(script).args(arguments).env("PATH", path).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[test]
fn the_demo_names_each_missing_thing_with_the_line_to_paste() {
    let place = tempfile::tempdir().unwrap();
    poor_path(place.path());
    for script in DEMOS {
        let (code, told) = demo(script, place.path(), &[&place.path().join("never-made")]);
        assert_eq!(code, Some(1), "{script}: {told}");
        for line in ["apt-get install unzip", "https://sh.rustup.rs", "--install installs what packages provide"] {
            assert!(told.contains(line), "{script}: {line:?} is not in\n{told}");
        }
        assert_eq!(told.contains("--no-install-recommends maven"), !script.contains("confluence"), "{script}: {told}");
        assert!(!place.path().join("never-made").exists());
    }
}

#[test]
fn the_demo_leaves_a_directory_alone_that_it_did_not_make() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("mine"), "mine").unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for script in DEMOS {
        let (code, told) = demo(script, Path::new(&path), &[place.path()]);
        assert_eq!(code, Some(1), "{script}: {told}");
        assert!(told.contains("is not empty and was not made by this demo"), "{script}: {told}");
        assert_eq!(std::fs::read_to_string(place.path().join("mine")).unwrap(), "mine");
    }
}
