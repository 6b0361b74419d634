//! Full disks: small file systems in memory, which the tests mount themselves. Where they cannot, they fail.

use std::{fs, io::Write, path::PathBuf, process::Command};

use super::files_pipelines;
use crate::support::{Place, scripted::pipeline, tree::Tree};

/// A mounted file system; unmounted when it is dropped, which must be before its place is.
pub struct Small(PathBuf);

impl Small {
    /// Mounts one at `name` of a place, of `size` as `mount` says it. Needs the right to mount.
    pub fn mount(place: &Place, name: &str, size: &str) -> Self {
        let path = place.join(name);
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={size},mode=0700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output().unwrap();
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "mounting a small file system (as root, with the right to mount): {words}");
        Self(path)
    }

    /// Writes a file, `filler`, that leaves `left` bytes.
    pub fn fill(&self, left: u64) {
        let room = rustix::fs::statvfs(&self.0).unwrap();
        let size = (room.f_bavail * room.f_frsize).saturating_sub(left);
        fs::write(self.0.join("filler"), vec![0; size as usize]).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Bytes that nothing can pack.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..bytes).map(next).collect()
}

#[track_caller]
fn names_in(path: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_repository_that_becomes_full_keeps_no_half_set_and_the_older_one() {
    let place = Place::new();
    let small = Small::mount(&place, "repository", "6m");
    let tree = Tree::at(place.join("files")).file("little", "little");
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    let _ = tree.file("large", noise(9 << 20));
    place
        .run(&["backup"])
        .exits(1)
        .says("No space left on device")
        .says(&place.join("repository").display().to_string());
    assert_eq!(names_in(&place.join("repository")).len(), 1, "{:?}", names_in(&place.join("repository")));
    place.run(&["verify"]).exits(0);
    place.run(&["snapshots"]).exits(0);
    place.assert_left_nothing();
    drop(small);
}

#[test]
fn a_repository_that_is_full_of_small_files_keeps_no_half_set() {
    let place = Place::new();
    let small = Small::mount(&place, "repository", "4m");
    (0..400).fold(Tree::at(place.join("files")), |tree, number| tree.file(format!("f{number}"), noise(20_000)));
    files_pipelines(&place);
    place.run(&["backup"]).exits(1).says("No space left on device");
    assert!(names_in(&place.join("repository")).is_empty(), "{:?}", names_in(&place.join("repository")));
    drop(small);
}

#[test]
fn scratch_that_becomes_full_keeps_no_half_set() {
    let place = Place::new();
    let small = Small::mount(&place, "repository", "8m");
    Tree::at(place.join("files")).file("large", noise(9 << 20));
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    // The dump holds the set's end until it may go on: what comes meanwhile goes to a spool beside it.
    place.script("dump.sh", "head -c 3000000 /dev/urandom; : > \"$DIR/streams\"; read line < \"$DIR/gate\"; echo last");
    let script = r#"
"backup.database" = [{ do = "submit-tool", path = "dump", tool = "tool-dump" }, { do = "fix-instant" }]
"backup.store" = [
  { do = "wait-file", dir = "dir-place", file = "streams" },
  { do = "put-tree", path = "", dir = "dir-place", sub = "files" },
]"#;
    let grants = "[step.product.grant.tools.tool-dump]\nargv = [\"$DIR/dump.sh\"]\n\n\
                  [step.product.grant.dirs.dir-place]\npath = \"$DIR\"\naccess = \"read\"\n";
    place.write("strongroom.toml", &pipeline(&["database database", "store files"], script, grants));
    place.accept();
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/store failed");
    // Open for both, so that nobody waits for anybody, whether the dump still runs or was ended too.
    let mut gate = fs::File::options().read(true).write(true).open(place.join("gate")).unwrap();
    gate.write_all(b"go\n").unwrap();
    going.finish().exits(1).says("No space left on device").says("spool");
    assert!(names_in(&place.join("repository")).is_empty(), "{:?}", names_in(&place.join("repository")));
    drop(small);
}

#[test]
fn a_restore_into_a_full_disk_fails_by_name_and_leaves_no_half_file() {
    let place = Place::new();
    Tree::at(place.join("files")).file("a", "small").file("large", noise(5 << 20));
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    let small = Small::mount(&place, "restored", "2m");
    let done = place.run(&["restore", "-c", "target.toml"]).exits(1);
    assert!(done.err.contains("No space left on device") || done.err.contains("room"), "{done}");
    assert!(!place.join("restored/large").exists(), "half a file was left");
    drop(small);
    let small = Small::mount(&place, "plain", "2m");
    place.run(&["restore", "--files", "plain"]).exits(1).says("No space left on device").says("large");
    assert!(!place.join("plain/letters/source/large").exists(), "half a file was left");
    drop(small);
}

#[test]
fn a_state_directory_that_is_full_is_named() {
    let place = Place::new();
    let small = Small::mount(&place, "state", "1m");
    Tree::at(place.join("files")).file("a", "small");
    files_pipelines(&place);
    small.fill(0);
    let done = place.run(&["backup"]).exits(1);
    let _ = done.says("No space left on device").says(&place.join("state").display().to_string());
    assert!(place.sets().is_empty());
    place.assert_left_nothing();
    drop(small);
}
