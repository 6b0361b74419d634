//! What comes back equals what went in; what would lead elsewhere does not come back.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use cap_std::ambient_authority;

use super::*;
use crate::repository::{
    Draft, Pass, Proof, Repository,
    conformance::{Quiet, path, record},
    tree::put_tree,
    zip::ZipRepository,
};

const ID: &str = "0000000000000001";

fn archive(directory: &Path, fill: impl FnOnce(&dyn Draft)) -> Box<dyn Archive> {
    let repository = ZipRepository::new(directory.join("sets"));
    let draft = repository.draft(ID, "wiki", "2026-11-21T13:00:00Z").unwrap();
    fill(&*draft);
    draft.seal(&record(ID, "wiki", "2026-11-21T13:00:00Z")).unwrap();
    repository.open(ID).unwrap()
}

fn target(directory: &Path) -> Dir {
    let target = directory.join("target");
    fs::create_dir_all(&target).unwrap();
    Dir::open_ambient_dir(&target, ambient_authority()).unwrap()
}

fn restore(archive: &dyn Archive, target: &Dir, options: &TreeOptions) -> Result<TreeReport, Error> {
    restore_tree(archive, &path("s/p"), target, &RawPath::root(), options, &|_| Ok(()), &Quiet)
}

fn put(draft: &dyn Draft, name: &str, content: &str) {
    draft.put(&path(name), &mut content.as_bytes(), &Meta::default(), None, Pass::InStage).unwrap();
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("shut/deep")).unwrap();
    fs::create_dir_all(source.join("empty")).unwrap();
    for number in 0..200 {
        fs::write(source.join(format!("shut/deep/{number}")), format!("content {number}")).unwrap();
    }
    symlink("deep/7", source.join("shut/link")).unwrap();
    fs::write(source.join("shut/tool"), "#!").unwrap();
    fs::set_permissions(source.join("shut/tool"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(source.join("shut"), fs::Permissions::from_mode(0o500)).unwrap();
    let archive = archive(directory.path(), |draft| {
        let dir = Dir::open_ambient_dir(&source, ambient_authority()).unwrap();
        let (root, options) = (RawPath::root(), TreeOptions::default());
        put_tree(draft, &path("s/p"), &dir, &root, &options, Pass::InStage, &Quiet).unwrap();
    });
    let made = Mutex::new(Vec::new());
    let note = |path: &RawPath| {
        made.lock().unwrap().push(path.to_text());
        Ok(())
    };
    let target = target(directory.path());
    let (root, options) = (RawPath::root(), TreeOptions::default());
    let report = restore_tree(&*archive, &path("s/p"), &target, &root, &options, &note, &Quiet).unwrap();
    assert_eq!((report.expected, report.stored, report.files, report.directories), (205, 205, 201, 3));
    assert_eq!(report.skipped, []);
    assert_eq!(made.lock().unwrap().len(), 205);
    same_trees(&source, &directory.path().join("target"));
}

fn same_trees(one: &Path, other: &Path) {
    for entry in fs::read_dir(one).unwrap() {
        let entry = entry.unwrap();
        let (one, other) = (entry.path(), other.join(entry.file_name()));
        let (a, b) = (one.symlink_metadata().unwrap(), other.symlink_metadata().unwrap());
        let facts = |meta: &fs::Metadata| (meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec());
        assert_eq!(facts(&a), facts(&b), "{}", other.display());
        if a.is_dir() {
            same_trees(&one, &other);
        } else if a.is_symlink() {
            assert_eq!(fs::read_link(one).unwrap(), fs::read_link(other).unwrap());
        } else {
            assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
        }
    }
}

#[test]
fn what_is_there_is_not_overwritten_unless_asked() {
    let directory = tempfile::tempdir().unwrap();
    let archive = archive(directory.path(), |draft| put(draft, "s/p/file", "stored"));
    let target = target(directory.path());
    let file = directory.path().join("target/file");
    fs::write(&file, "precious").unwrap();
    let refused = restore(&*archive, &target, &TreeOptions::default());
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let overwrite = TreeOptions { overwrite: true, ..TreeOptions::default() };
    restore(&*archive, &target, &overwrite).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"stored");
    assert_eq!(fs::read_dir(directory.path().join("target")).unwrap().count(), 1);
}

#[test]
fn nothing_is_written_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("file"), "precious").unwrap();
    let archive = archive(directory.path(), |draft| {
        put(draft, "s/p/dir/file", "stored");
        put(draft, "s/p/file", "stored");
    });
    let overwrite = TreeOptions { overwrite: true, ..TreeOptions::default() };
    let target = target(directory.path());
    symlink(&elsewhere, directory.path().join("target/dir")).unwrap();
    let refused = restore(&*archive, &target, &overwrite);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    fs::remove_file(directory.path().join("target/dir")).unwrap();
    let _ = fs::remove_file(directory.path().join("target/file"));
    symlink(elsewhere.join("file"), directory.path().join("target/file")).unwrap();
    restore(&*archive, &target, &overwrite).unwrap();
    assert_eq!(fs::read(elsewhere.join("file")).unwrap(), b"precious");
    assert_eq!(fs::read(directory.path().join("target/file")).unwrap(), b"stored");
}

#[test]
fn a_link_that_leads_outside_is_made_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let archive = archive(directory.path(), |draft| {
        for (name, link) in [("s/p/outside", "/etc"), ("s/p/inside", "file")] {
            let kind = Kind::Symlink(link.into());
            draft.put_plain(&path(name), &kind, &Meta::default(), Pass::InStage).unwrap();
        }
    });
    let target = target(directory.path());
    let report = restore(&*archive, &target, &TreeOptions::default()).unwrap();
    assert_eq!((report.expected, report.stored, report.skipped_count), (2, 1, 1));
    assert!(!directory.path().join("target/outside").is_symlink());
    let options = TreeOptions { outside_links: true, overwrite: true, ..TreeOptions::default() };
    assert_eq!(restore(&*archive, &target, &options).unwrap().stored, 2);
    assert!(directory.path().join("target/outside").is_symlink());
}

#[test]
fn everything_can_be_extracted_without_what_strongroom_added() {
    let directory = tempfile::tempdir().unwrap();
    let archive = archive(directory.path(), |draft| {
        put(draft, "s/p/a.xml", "a");
        put(draft, "s/q/b", "b");
    });
    let target = target(directory.path());
    let options = TreeOptions { includes: vec!["*.xml".into()], ..TreeOptions::default() };
    let report = extract_all(&*archive, &target, &options, &|_| Ok(()), &Quiet).unwrap();
    assert_eq!((report.stored, report.files), (1, 1));
    let overwrite = TreeOptions { overwrite: true, ..TreeOptions::default() };
    assert_eq!(extract_all(&*archive, &target, &overwrite, &|_| Ok(()), &Quiet).unwrap().files, 2);
    let names = fs::read_dir(directory.path().join("target")).unwrap().count();
    assert_eq!((names, fs::read(directory.path().join("target/s/q/b")).unwrap()), (1, b"b".to_vec()));
}

/// An archive whose content cannot be read to its end, or (with `stat`) of which nothing can be learned.
struct Damaged {
    inner: Box<dyn Archive>,
    stat: bool,
}

impl Archive for Damaged {
    fn items(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<Item>, Error> {
        self.inner.items(prefix, after, count_max)
    }
    fn stat(&self, path: &RawPath) -> Result<Item, Error> {
        if self.stat {
            return Err(Error::Damaged("its header cannot be read".into()));
        }
        self.inner.stat(path)
    }
    fn open(&self, path: &RawPath, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        struct Ends;
        impl Read for Ends {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("its checksum does not match"))
            }
        }
        Ok(Box::new(self.inner.open(path, offset)?.chain(Ends)))
    }
    fn record(&self) -> Result<Vec<u8>, Error> {
        self.inner.record()
    }
    fn prove(&self, watch: &dyn Watch) -> Result<Proof, Error> {
        self.inner.prove(watch)
    }
}

#[test]
fn a_file_with_holes_comes_back_with_them_and_no_other_does() {
    use std::os::unix::fs::FileExt;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    let size = 8 << 20;
    let sparse = fs::File::create(source.join("sparse")).unwrap();
    sparse.set_len(size).unwrap();
    for at in [0, 1_000_001, size - 3_000_000] {
        sparse.write_all_at(b"not zero", at).unwrap();
    }
    fs::write(source.join("zeros"), vec![0; 1 << 20]).unwrap();
    sparse.sync_all().unwrap();
    fs::File::open(source.join("zeros")).unwrap().sync_all().unwrap();
    let archive = archive(directory.path(), |draft| {
        let dir = Dir::open_ambient_dir(&source, ambient_authority()).unwrap();
        let (root, options) = (RawPath::root(), TreeOptions::default());
        put_tree(draft, &path("s/p"), &dir, &root, &options, Pass::InStage, &Quiet).unwrap();
    });
    restore(&*archive, &target(directory.path()), &TreeOptions::default()).unwrap();
    let restored = directory.path().join("target");
    for (name, most) in [("sparse", 1 << 20), ("zeros", 2 << 20)] {
        assert!(fs::read(source.join(name)).unwrap() == fs::read(restored.join(name)).unwrap(), "{name} differs");
        fs::File::open(restored.join(name)).unwrap().sync_all().unwrap();
        let bytes = fs::metadata(restored.join(name)).unwrap().blocks() * 512;
        assert!(bytes <= most && (name == "sparse" || bytes >= 1 << 20), "{name} takes {bytes} bytes");
    }
}

#[test]
fn a_damaged_file_does_not_stay() {
    let directory = tempfile::tempdir().unwrap();
    let inner = archive(directory.path(), |draft| put(draft, "s/p/file", "stored"));
    let archive = Damaged { inner, stat: false };
    let target = target(directory.path());
    let failed = restore(&archive, &target, &TreeOptions::default());
    assert!(matches!(failed, Err(Error::Damaged(_))), "{failed:?}");
    assert_eq!(fs::read_dir(directory.path().join("target")).unwrap().count(), 0);
}

#[test]
fn a_directory_whose_own_facts_cannot_be_read_is_never_made_with_others() {
    let directory = tempfile::tempdir().unwrap();
    let inner = archive(directory.path(), |draft| {
        let meta = Meta { mode: Some(0o700), ..Meta::default() };
        draft.put_plain(&path("s/p/shut"), &Kind::Directory, &meta, Pass::InStage).unwrap();
    });
    let archive = Damaged { inner, stat: true };
    let failed = restore(&archive, &target(directory.path()), &TreeOptions::default());
    assert!(matches!(failed, Err(Error::Damaged(_))), "{failed:?}");
    // Who extracts files takes what can be had.
    let report =
        extract_all(&archive, &target(directory.path()), &TreeOptions::default(), &|_| Ok(()), &Quiet).unwrap();
    assert_eq!(report.directories, 1);
}

#[test]
fn an_owner_that_cannot_be_set_is_reported_and_lends_nobody_elses_rights() {
    let directory = tempfile::tempdir().unwrap();
    let archive = archive(directory.path(), |draft| {
        let meta = Meta { owner: Some((u32::MAX, u32::MAX)), mode: Some(0o4755), ..Meta::default() };
        draft.put(&path("s/p/tool"), &mut "#!".as_bytes(), &meta, None, Pass::InStage).unwrap();
    });
    let report = restore(&*archive, &target(directory.path()), &TreeOptions::default()).unwrap();
    assert_eq!(report.skipped, [("tool".to_owned(), "owner".to_owned())]);
    let metadata = fs::metadata(directory.path().join("target/tool")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o755);
}
