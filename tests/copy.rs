//! Copies in other repositories, as an operator types them: after each backup, by hand, and when the other side is gone.

use std::{fs, process::Command};

use crate::{
    encrypted::keygen,
    support::{Place, bucket::Bucket, sshd::Sshd, tree::Tree},
};

const PIPELINE: &str = "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.local]\n\
    url = \"$DIR/repository\"\nLOCAL\n[repository.offsite]\ncopy-of = \"local\"\nurl = \"$DIR/offsite\"\nOFFSITE\n\
    [step.letters]\nplugin = \"files\"\n\n\
    [step.letters.grant.dirs.source]\npath = \"$DIR/source\"\naccess = \"read\"\n";
const ZIP: &str = "format = \"zip\"\n";
const RESTIC: &str = "format = \"restic\"\npassword = { file = \"$DIR/password\" }\n";

fn place(local: &str, offsite: &str) -> Place {
    let place = Place::new();
    place.write("password", "correct horse");
    place.write("strongroom.toml", &PIPELINE.replace("LOCAL", local).replace("OFFSITE", offsite));
    Tree::at(place.join("source")).file("a.txt", "text").file("b.txt", "line\n".repeat(50_000));
    place.accept();
    place
}

/// Ids of the snapshots that a repository holds.
fn ids(place: &Place, repository: &str) -> Vec<String> {
    let listed = place.run(&["snapshots", "--repo", repository, "--json"]).exits(0).json();
    listed.iter().filter_map(|line| line["snapshot"].as_str().map(str::to_owned)).collect()
}

#[test]
fn each_backup_is_copied_and_the_copy_restores() {
    for (local, offsite) in [(RESTIC, RESTIC), (ZIP, RESTIC), (RESTIC, ZIP), (ZIP, ZIP)] {
        let place = place(local, offsite);
        place.run(&["init"]).exits(0).says("offsite");
        place.run(&["init"]).exits(5).says("already");
        place.run(&["plan"]).exits(0).says("copied to offsite: ");
        place.run(&["doctor"]).exits(0).says("copy offsite");
        place.run(&["backup"]).exits(0).says("copied to offsite and proven");
        Tree::at(place.join("source")).file("c.txt", "more");
        let told = place.run(&["backup", "--json"]).exits(0).json();
        let copy = told.iter().find(|line| line["message_type"] == "summary" && line["operation"] == "copy");
        assert_eq!(copy.expect("the copy's summary")["exit_code"], 0);
        assert_eq!(ids(&place, "local"), ids(&place, "offsite"));
        place.run(&["snapshots"]).exits(0).says("offsite proven");
        let listed = place.run(&["snapshots", "--json"]).exits(0).json();
        assert_eq!(listed[1]["copies"]["offsite"]["state"], "proven");
        fs::remove_dir_all(place.join("repository")).unwrap();
        place.run(&["verify", "--repo", "offsite"]).exits(0);
        let sums = place.run(&["dump", "latest", "letters/source/c.txt", "--repo", "offsite"]).exits(0);
        assert_eq!(sums.out.trim_end(), "more");
        let record = place.run(&["dump", "latest", ".strongroom/record.json", "--repo", "offsite"]).exits(0);
        let record: serde_json::Value = serde_json::from_str(&record.out).unwrap();
        assert_eq!(record["copies"], serde_json::json!(["offsite"]));
        assert_eq!(record["parent_copies"]["offsite"]["state"], "proven", "of the snapshot before");
    }
}

#[test]
fn a_copy_that_cannot_be_made_fails_the_run_but_not_the_snapshot_and_is_made_later() {
    let place = place(RESTIC, RESTIC);
    place.run(&["init"]).exits(0);
    fs::rename(place.join("offsite"), place.join("away")).unwrap();
    place.run(&["doctor"]).exits(1).says("copy offsite").says("`strongroom init` makes it");
    place.run(&["backup"]).exits(1).says("nothing was copied to offsite").says("strongroom copy");
    assert_eq!(ids(&place, "local").len(), 1);
    place.run(&["copy"]).exits(10).says("there is no repository at");
    fs::rename(place.join("away"), place.join("offsite")).unwrap();
    place.run(&["copy", "--to", "elsewhere"]).exits(5).says("no repository elsewhere");
    place.run(&["copy", "ffff"]).exits(10).says("there is no snapshot ffff");
    place.run(&["copy", "latest"]).exits(0).says("copied to offsite and proven");
    place.run(&["copy"]).exits(0).says("nothing to do");
    assert_eq!(ids(&place, "local"), ids(&place, "offsite"));
    // What was forgotten there on purpose does not come back with the next backup.
    place.run(&["backup"]).exits(0);
    place.run(&["check", "--repo", "offsite", "--read-data"]).exits(0);
    place.run(&["forget", "--repo", "offsite", "--keep-last", "1"]).exits(0);
    place.run(&["forget", "--repo", "repository", "--keep-last", "1"]).exits(5).says("no repository of the pipeline");
    place.run(&["backup"]).exits(0);
    assert_eq!(ids(&place, "offsite"), ids(&place, "local")[1..]);
    place.run(&["copy", "--to", "offsite"]).exits(0);
    assert_eq!(ids(&place, "offsite"), ids(&place, "local"));
}

#[test]
fn sets_go_off_site_over_ssh_and_come_back_from_there() {
    let server = Sshd::start();
    let offsite = format!("{RESTIC}ssh-config = \"{}\"\n", server.path("ssh_config").display());
    let pipeline = PIPELINE.replace("$DIR/offsite", "sftp:127.0.0.1:repo").replace("LOCAL", ZIP);
    let place = Place::new();
    place.write("password", "correct horse");
    place.write("strongroom.toml", &pipeline.replace("OFFSITE", &offsite));
    Tree::at(place.join("source")).file("a.txt", "text").file("b.txt", "line\n".repeat(500_000));
    place.accept();
    place.run(&["init"]).exits(0).says("sftp:127.0.0.1:repo");
    place.run(&["backup"]).exits(0).says("copied to offsite and proven");
    place.run(&["check", "--read-data", "--repo", "offsite"]).exits(0);
    fs::remove_dir_all(place.join("repository")).unwrap();
    place.run(&["verify", "--repo", "offsite"]).exits(0);
    let text = place.run(&["dump", "latest", "letters/source/a.txt", "--repo", "offsite"]).exits(0);
    assert_eq!(text.out, "text");
    drop(server);
    place.run(&["backup"]).exits(1).says("nothing was copied to offsite");
    assert_eq!(ids(&place, "local").len(), 1);
}

#[test]
fn encrypted_sets_go_off_site_without_the_identity_and_open_with_nothing_of_ours() {
    let server = Sshd::start();
    let offsite = format!("{ZIP}ssh-config = \"{}\"\n", server.path("ssh_config").display());
    let place = Place::new();
    let local = format!("{ZIP}recipients = [{:?}]\n", keygen(&place, "key"));
    let pipeline = PIPELINE.replace("$DIR/offsite", "sftp:127.0.0.1:sets-of-letters").replace("LOCAL", &local);
    place.write("strongroom.toml", &pipeline.replace("OFFSITE", &offsite));
    Tree::at(place.join("source")).file("a.txt", "text").file("b.txt", "line\n".repeat(500_000));
    place.accept();
    place.run(&["backup"]).exits(1).says("nothing was copied to offsite").says("`strongroom init` makes it");
    place.run(&["init"]).exits(0).says("sftp:127.0.0.1:sets-of-letters");
    place.run(&["doctor"]).exits(0).says("copy offsite");
    let told = place.run(&["copy"]).exits(0).says("copied to offsite as it is and read back").says("not opened");
    assert!(!told.err.contains("and proven"), "{}", told.err);
    place.run(&["snapshots"]).exits(0).says("offsite identical");
    place.run(&["snapshots", "--repo", "offsite"]).exits(0).says("complete");
    fs::remove_dir_all(place.join("repository")).unwrap();
    let identity = ["--repo", "offsite", "--identity", "key"];
    place.run(&["verify", "--repo", "offsite"]).exits(1).says("--identity FILE");
    place.run(&[&["verify"][..], &identity].concat()).exits(0);
    let text = place.run(&[&["dump", "latest", "letters/source/a.txt"][..], &identity].concat()).exits(0);
    assert_eq!(text.out, "text");
    let joined = format!(
        "cat {}/*-of-* | age -d -i key -o set.zip && unzip -q set.zip -d out && cd out && sha256sum --quiet -c SHA256SUMS",
        server.path("files/sets-of-letters/sets").display()
    );
    let proof = Command::new("sh").args(["-c", &joined]).current_dir(place.join("")).output().unwrap();
    assert!(proof.status.success(), "{proof:?}");
    place.run(&["forget", "--repo", "offsite", "--keep-last", "1"]).exits(0);
    assert_eq!(ids(&place, "offsite").len(), 1);
}

#[test]
fn sets_in_clear_are_encrypted_on_their_way_to_a_bucket() {
    let bucket = Bucket::start();
    let place = Place::new();
    let keys = "access-key-id = { env = \"S3_KEY\" }\nsecret-access-key = { env = \"S3_SECRET\" }\n";
    let offsite = format!("{ZIP}recipients = [{:?}]\n{keys}", keygen(&place, "key"));
    let url = format!("s3:http://127.0.0.1:{}/wiki/letters", bucket.port);
    let pipeline = PIPELINE.replace("$DIR/offsite", &url).replace("LOCAL", ZIP).replace("OFFSITE", &offsite);
    place.write("strongroom.toml", &pipeline);
    Tree::at(place.join("source")).file("a.txt", "hunter2").file("b.txt", "line\n".repeat(500_000));
    place.accept();
    let env = [("S3_KEY", "key"), ("S3_SECRET", "secret")];
    let run = |arguments: &[&str]| place.run_with(arguments, &env);
    run(&["init"]).exits(0).says("s3:http");
    run(&["backup"]).exits(0).says("copied to offsite and proven");
    let keys = bucket.keys();
    let of_set = |key: &&String| key.starts_with("letters/sets/letters-") && key.ends_with(".zip.age.00001-of-00001");
    assert_eq!((keys.len(), keys.iter().filter(of_set).count()), (2, 1), "{keys:?}");
    assert!(!place.join("state/drafts/offsite").read_dir().unwrap().any(|_| true), "no draft is left");
    fs::remove_dir_all(place.join("repository")).unwrap();
    run(&["verify", "--repo", "offsite", "--identity", "key"]).exits(0);
    // Named as a place, what lies there tells its format.
    let aws = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let listed = place.run_with(&["snapshots", "--repo", &url], &aws).exits(0);
    assert!(listed.out.contains("complete"), "{}", listed.out);
}

#[test]
fn damage_in_the_snapshot_is_not_copied() {
    for offsite in [RESTIC, ZIP] {
        damage_is_not_copied_to(offsite);
    }
}

fn damage_is_not_copied_to(offsite: &str) {
    let place = place(ZIP, offsite);
    place.run(&["init"]).exits(0);
    fs::rename(place.join("offsite"), place.join("away")).unwrap();
    place.run(&["backup"]).exits(1);
    fs::rename(place.join("away"), place.join("offsite")).unwrap();
    let set = fs::read_dir(place.join("repository")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&set).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == b"text").expect("the content of a.txt");
    bytes[at] = b'T';
    fs::write(&set, bytes).unwrap();
    place.run(&["copy"]).exits(1).says("was not copied to offsite").says("a.txt");
    place.run(&["snapshots"]).exits(0).says("offsite failed");
    assert_eq!(ids(&place, "offsite"), Vec::<String>::new());
    if offsite == RESTIC {
        place.run(&["check", "--repo", "offsite"]).exits(0);
    }
}
