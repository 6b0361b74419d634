//! File trees: made for a test, and compared after a restore.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use strongroom::digest::Digest;

/// A tree that is being made.
pub struct Tree(PathBuf);

impl Tree {
    /// Makes the directory, and those above it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A file with this content.
    pub fn file(self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> Self {
        let path = self.place(name);
        fs::write(path, content).unwrap();
        self
    }

    /// A directory.
    pub fn dir(self, name: impl AsRef<OsStr>) -> Self {
        fs::create_dir_all(self.place(name)).unwrap();
        self
    }

    /// A symbolic link with this target.
    pub fn link(self, name: impl AsRef<OsStr>, target: impl AsRef<OsStr>) -> Self {
        symlink(target.as_ref(), self.place(name)).unwrap();
        self
    }

    /// The mode of something that is there.
    pub fn mode(self, name: impl AsRef<OsStr>, mode: u32) -> Self {
        fs::set_permissions(self.place(name), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// `count` files with a few hundred bytes each, in directories of 100.
    pub fn many(self, count: usize) -> Self {
        (0..count).fold(self, |tree, number| {
            tree.file(format!("d{}/file-{number}.txt", number / 100), format!("line {number}\n").repeat(20))
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn place(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let path = self.0.join(name.as_ref());
        fs::create_dir_all(path.parent().expect("below the tree")).unwrap();
        path
    }
}

/// A name of raw bytes.
pub fn raw(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Every entry below a directory: its kind, mode, owner, time and content, in one line each.
pub fn listing(path: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    list(path, Path::new(""), &mut all);
    all
}

fn list(root: &Path, below: &Path, all: &mut BTreeMap<PathBuf, String>) {
    let mut names: Vec<_> = fs::read_dir(root.join(below)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let relative = below.join(name);
        all.insert(relative.clone(), entry(&root.join(&relative)));
        if root.join(&relative).symlink_metadata().unwrap().is_dir() {
            list(root, &relative, all);
        }
    }
}

fn entry(path: &Path) -> String {
    let meta = path.symlink_metadata().unwrap();
    let owned = format!("{:o} {}:{}", meta.mode() & 0o7777, meta.uid(), meta.gid());
    if meta.is_symlink() {
        return format!("link {}:{} -> {:?}", meta.uid(), meta.gid(), fs::read_link(path).unwrap());
    }
    if meta.is_dir() {
        return format!("dir {owned} {}", meta.mtime());
    }
    format!("file {owned} {} {}", meta.mtime(), Digest::of(&fs::read(path).unwrap()))
}

/// Asserts that two directories hold the same: names, kinds, modes, owners, times (in seconds) and content.
///
/// # Panics
/// When they differ; names each difference.
pub fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (listing(left), listing(right));
    let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let differences: Vec<_> = names
        .into_iter()
        .filter(|name| left.get(*name) != right.get(*name))
        .map(|name| format!("{name:?}: {:?} and {:?}", left.get(name), right.get(name)))
        .collect();
    assert!(differences.is_empty(), "the trees differ:\n{}", differences.join("\n"));
}
