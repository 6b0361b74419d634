//! Blobs that stand in two packs, since two machines stored them at once: one copy is enough, and `prune` must not choose
//! the wrong one.

use super::{
    keep::{IDS, anew, change, errors},
    *,
};
use crate::repository::restic::{
    MaxUnused, Reading,
    index::Index,
    pack::{Blob, BlobKind},
    storage::{Kind as Stores, Name},
};

/// A repository whose every blob stands in two packs: as one that two machines wrote to at once.
fn doubled(directory: &Path) -> ResticRepository {
    let repository = made(directory);
    let (first, second) = (repository.draft(ID, "wiki", STARTED), repository.draft(IDS[0], "wiki", STARTED));
    for (draft, id) in [(first.unwrap(), ID), (second.unwrap(), IDS[0])] {
        put(&*draft, "wiki/home/noise", &noise(50_000));
        put(&*draft, "wiki/long-noise", &noise(3 << 20));
        draft.seal(&record(id, "wiki", STARTED)).unwrap();
    }
    anew(&repository, directory)
}

/// Changes one byte of a blob where it stands in that pack.
fn damage(directory: &Path, (pack, blob): &(Digest, Blob)) {
    let path = directory.join("repo").join(Name::new(Stores::Pack, pack).path());
    change(&path, |bytes| bytes[blob.offset as usize + 20] ^= 1);
}

#[test]
fn what_stands_in_two_packs_is_read_from_the_other_where_one_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = doubled(directory);
    let index = Index::load(&repository.vault().unwrap()).unwrap();
    let copies: Vec<_> = index.copies(BlobKind::Data, &Digest::of(&noise(50_000))).collect();
    assert_eq!(copies.len(), 2, "both wrote it");
    for copy in &copies {
        damage(directory, copy);
        let damaged = anew(&repository, directory);
        for id in [ID, IDS[0]] {
            let proof = damaged.open(id).unwrap().prove(&Quiet).unwrap();
            assert!(proof.damage.is_empty(), "{proof:?}");
        }
        let found = errors(&damaged, Reading::All);
        assert!(found.len() == 1 && found[0].contains(&copy.0.to_string()), "{found:?}");
        damage(directory, copy);
        assert_eq!(errors(&anew(&repository, directory), Reading::All), [""; 0], "it was set back");
    }
    copies.iter().for_each(|copy| damage(directory, copy));
    let damaged = anew(&repository, directory);
    assert_eq!(damaged.open(ID).unwrap().prove(&Quiet).unwrap().damage.len(), 1);
    let found = errors(&damaged, Reading::All);
    assert_eq!(found.iter().filter(|line| line.contains("wiki/home/noise")).count(), 2, "{found:?}");
}

#[test]
fn a_tree_that_stands_in_two_packs_is_read_from_the_other_and_prune_removes_neither() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = doubled(directory);
    let index = Index::load(&repository.vault().unwrap()).unwrap();
    let mut twice = Vec::new();
    index.each_blob(&mut |pack, blob, _| {
        let more = blob.kind == BlobKind::Tree && index.copies(blob.kind, &blob.id).count() > 1;
        twice.extend(more.then_some((*pack, blob)));
    });
    damage(directory, twice.first().expect("directories that both hold"));
    let damaged = anew(&repository, directory);
    let found = errors(&damaged, Reading::Nothing);
    assert!(found.len() == 1 && found[0].ends_with("it was read from another pack"), "{found:?}");
    assert!(damaged.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
    let before = walk(&directory.join("repo/data"));
    let refused = damaged.prune(MaxUnused::Percent(0.0), false, &Quiet);
    assert!(matches!(&refused, Err(Error::Damaged(why)) if why.contains("nothing was removed")), "{refused:?}");
    assert_eq!(walk(&directory.join("repo/data")), before);
}
