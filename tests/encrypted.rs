//! Sets that are encrypted, and who can read them: by strongroom, and by Debian's `age` and `unzip` alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::support::{
    Place,
    scripted::{self, dir},
    tree::{Tree, assert_same},
    wait_for,
};

/// A part whose directory is stored and restored.
fn pipeline(recipient: &str) -> String {
    let script = r#""backup.bulk" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
  { do = "holds-secrets" },
]
"restore.bulk" = [{ do = "restore-tree", part = "bulk", dir = "dir-out" }]"#;
    let grants = dir("files", "read") + &dir("out", "write");
    scripted::pipeline(&["bulk files dirs.dir-out"], script, &grants)
        .replace("format = \"zip\"\n", &format!("format = \"zip\"\nrecipients = [{recipient:?}]\n"))
}

/// Makes a key pair as an operator does, and gives back the public key.
pub fn keygen(place: &Place, name: &str) -> String {
    let made = Command::new("age-keygen").arg("-o").arg(place.join(name)).output().expect("age is installed");
    assert!(made.status.success(), "{made:?}");
    let text = fs::read_to_string(place.join(name)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    line.expect("age-keygen names the public key").to_owned()
}

/// A place with files, keys `key` and `other`, and a pipeline that encrypts to the first.
fn place() -> Place {
    let place = Place::new();
    Tree::at(place.join("files")).many(60).file("deep/er/one", "one").dir("empty");
    fs::write(place.join("files/large"), b"hunter2 in a large file\n".repeat(200_000)).unwrap();
    fs::create_dir(place.join("out")).unwrap();
    let recipient = keygen(&place, "key");
    keygen(&place, "other");
    place.write("strongroom.toml", &pipeline(&recipient));
    place.accept();
    place
}

/// Changes the pipeline file.
fn edit(place: &Place, old: &str, new: &str) {
    let path = place.join("strongroom.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old:?} is in the pipeline");
    fs::write(path, text.replace(old, new)).unwrap();
}

/// Decrypts a set with Debian's `age`.
fn decrypted(place: &Place, set: &Path) -> PathBuf {
    let zip = place.join("decrypted.zip");
    let _ = fs::remove_file(&zip);
    let age = Command::new("age").arg("-d").arg("-i").arg(place.join("key")).arg("-o").arg(&zip).arg(set).output();
    let age = age.expect("age is installed");
    assert!(age.status.success(), "{age:?}");
    zip
}

fn secret_of(place: &Place, key: &str) -> String {
    let text = fs::read_to_string(place.join(key)).unwrap();
    text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a secret key").to_owned()
}

#[test]
fn age_and_unzip_open_what_a_backup_encrypted() {
    let place = place();
    let plan = place.run(&["plan"]).exits(0).says("encrypted to age1");
    let done = place.run(&["backup", "-v", "--log-file", "run.log"]).exits(0).never_says("clear-secrets");
    let set = place.set();
    assert!(set.to_string_lossy().ends_with(".complete.zip.age"), "{}", set.display());
    let zip = decrypted(&place, &set);
    let script = format!("unzip -q {} -d opened && cd opened && sha256sum --quiet -c SHA256SUMS", zip.display());
    let opened = Command::new("sh").arg("-c").arg(script).current_dir(place.path()).output().unwrap();
    assert!(opened.status.success(), "{opened:?}");
    assert_same(&place.join("files"), &place.join("opened/product/bulk"));
    place.assert_left_nothing();
    assert_eq!(fs::read_dir(place.join("state/spill")).unwrap().count(), 0);
    // The secret key is nowhere, and of the content nothing lies in clear beside it.
    fs::remove_dir_all(place.join("opened")).unwrap();
    let (secret, sets) = (secret_of(&place, "key"), place.join("repository"));
    fs::rename(&sets, place.join("elsewhere")).unwrap();
    place.assert_hides(&secret, &[&plan, &done]);
    place.assert_hides("hunter2", &[&plan, &done]);
    fs::rename(place.join("elsewhere"), sets).unwrap();
    let bytes = fs::read(place.set()).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"hunter2" || window == b"product"));
}

#[test]
fn every_verb_that_reads_takes_an_identity_or_says_what_to_pass() {
    let place = place();
    place.run(&["backup"]).exits(0);
    place.run(&["snapshots"]).exits(0).says("complete").says("1 snapshot not opened: reading needs --identity FILE");
    let listed = place.run(&["snapshots", "--json"]).exits(0).json().remove(0);
    assert_eq!((&listed["bytes"], &listed["state"]), (&serde_json::Value::Null, &"complete".into()));
    for verb in ["verify", "ls", "restore"] {
        place.run(&[verb]).exits(1).says("is encrypted, and no identity is given").says("pass --identity FILE");
        let wrong = place.run(&[verb, "--identity", "other"]).exits(1);
        wrong.says("none of the given identities opens it").never_says(&secret_of(&place, "other"));
    }
    let done = [
        place.run(&["verify", "--identity", "key"]).exits(0),
        place.run(&["ls", "--identity", "key"]).exits(0).says("product/bulk/deep/er/one"),
        place.run(&["snapshots", "--identity", "key"]).exits(0).never_says("not opened"),
        place.run(&["restore", "--identity", "key"]).exits(0),
        place.run(&["restore", "--files", "plain", "--identity", "key"]).exits(0),
    ];
    assert_same(&place.join("files"), &place.join("out"));
    assert_same(&place.join("files"), &place.join("plain/product/bulk"));
    let secret = secret_of(&place, "key");
    done.into_iter().for_each(|done| drop(done.never_says(&secret)));
}

#[test]
fn the_pipeline_may_name_where_the_identity_is() {
    let place = place();
    place.run(&["backup"]).exits(0);
    edit(&place, "recipients", "identity = { command = [\"/bin/cat\", \"$DIR/key\"] }\nrecipients");
    let path = place.path().display().to_string();
    edit(&place, "$DIR", &path);
    place.run(&["verify"]).exits(0);
    edit(&place, "command = [\"/bin/cat\", ", "file = ");
    edit(&place, "/key\"]", "/key\"");
    place.run(&["verify"]).exits(0);
    edit(&place, "/key\"", "/strongroom.toml\"");
    place.run(&["verify"]).exits(1).says("line 1 is no age identity");
    edit(&place, "/strongroom.toml\" }", "/absent\" }");
    place.run(&["verify"]).exits(1).says("reading the identity");
    place.run(&["backup"]).exits(0).says("complete");
}

#[test]
fn a_set_that_was_cut_or_changed_is_named() {
    let place = place();
    place.run(&["backup"]).exits(0);
    let set = place.set();
    let whole = fs::read(&set).unwrap();
    fs::write(&set, &whole[..whole.len() - 100]).unwrap();
    place.run(&["verify", "--identity", "key"]).exits(1).says("not a whole age file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&set, &flipped).unwrap();
    place.run(&["verify", "--identity", "key"]).exits(1).says("damage");
    place.run(&["restore", "--identity", "key"]).exits(1);
    fs::write(&set, &whole).unwrap();
    place.run(&["verify", "--identity", "key"]).exits(0);
}

#[test]
fn keys_and_passwords_in_clear_are_told_until_the_code_is_named() {
    let place = place();
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("recipients")).expect("it is there").to_owned();
    edit(&place, &line, "");
    place.run(&["backup", "-q"]).exits(0).says("clear-secrets");
    assert_eq!(place.record()["steps"][0]["parts"][0]["findings"][0]["code"], "clear-secrets");
    edit(&place, "[repository.local]", "[pipeline.severity]\nclear-secrets = \"info\"\n[repository.local]");
    place.run(&["backup", "-q"]).exits(0).never_says("clear-secrets");
    edit(&place, "= \"info\"", "= \"blocker\"");
    place.run(&["backup"]).exits(3).says("clear-secrets");
}

#[test]
fn encrypted_snapshots_are_forgotten_without_any_key() {
    let place = place();
    (0..3).for_each(|_| drop(place.run(&["backup"]).exits(0)));
    place.run(&["forget", "--keep-last", "1"]).exits(0).says("removes 2 snapshots of 3");
    assert_eq!(place.sets().len(), 1);
    place.run(&["verify", "--identity", "key"]).exits(0);
    place.assert_left_nothing();
}

#[test]
fn an_encrypted_run_that_was_killed_leaves_what_the_next_one_sweeps() {
    let place = place();
    place.script("hang.sh", "echo first; read line < \"$DIR/gate\"");
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    edit(&place, "  { do = \"holds-secrets\" },", "  { do = \"submit-tool\", path = \"dump\", tool = \"tool-dump\" },");
    let hang = place.join("hang.sh").display().to_string();
    edit(
        &place,
        "[step.product.grant.dirs.dir-out]",
        &format!("[step.product.grant.tools.tool-dump]\nargv = [\"{hang}\"]\n\n[step.product.grant.dirs.dir-out]"),
    );
    edit(&place, "path = \"\", dir", "path = \"tree\", dir");
    place.accept();
    let going = place.start(&["backup"]);
    wait_for("the tool runs", || place.processes().iter().any(|process| process.contains(&hang)));
    going.signal(Signal::KILL);
    assert_eq!(going.finish().code, -9);
    assert_eq!(fs::read_dir(place.join("state/spill")).unwrap().count(), 1);
    wait_for("its tool is killed with it", || place.processes().is_empty());
    let second = place.start(&["backup"]);
    wait_for("the tool runs", || place.processes().iter().any(|process| process.contains(&hang)));
    fs::write(place.join("gate"), "go\n").unwrap();
    second.finish().exits(0).says("left-behind");
    place.run(&["verify", "--identity", "key"]).exits(0);
    place.assert_left_nothing();
    assert_eq!(fs::read_dir(place.join("state/spill")).unwrap().count(), 0);
}
