//! Repositories behind a real SSH server: from `init` to `restore`, with restic as the judge, through broken connections.

use std::{
    fs,
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::support::{DEADLINE, Place, sshd::Sshd, tree::Tree, wait_for};

const PASSWORD: &str = "correct horse battery";

/// A pipeline that keeps the directory `source`, and one that restores it to `target`.
fn place(server: &Sshd, more: &str) -> Place {
    let place = Place::new();
    place.write("password", PASSWORD);
    let config = server.path("ssh_config");
    place.write("strongroom.toml", &pipeline(&config.display().to_string(), more, "source", "read"));
    place.write("back/strongroom.toml", &pipeline(&config.display().to_string(), more, "target", "write"));
    Tree::at(place.join("source")).file("a.txt", "text").file("deep/er/b.txt", "line\n".repeat(500_000));
    fs::create_dir(place.join("target")).unwrap();
    place.accept();
    place.run(&["-c", "back/strongroom.toml", "plugin", "accept", "--yes"]).exits(0);
    place
}

fn pipeline(config: &str, more: &str, directory: &str, access: &str) -> String {
    format!(
        "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.nas]\nurl = \"sftp:127.0.0.1:repo\"\n\
         format = \"restic\"\npassword = {{ file = \"$DIR/password\" }}\nssh-config = \"{config}\"\n{more}\n\
         [step.letters]\nplugin = \"files\"\n\n\
         [step.letters.grant.dirs.source]\npath = \"$DIR/{directory}\"\naccess = \"{access}\"\n"
    )
}

/// What restic prints, by the same way.
fn restic(server: &Sshd, arguments: &[&str]) -> String {
    let ssh = format!("sftp.command=ssh -F {} 127.0.0.1 -s sftp", server.path("ssh_config").display());
    let mut command = Command::new("restic");
    command.args(["--no-cache", "--repo", "sftp:127.0.0.1:repo", "-o", &ssh]).args(arguments);
    let output: Output = command
        .env("RESTIC_PASSWORD", PASSWORD)
        .output()
        .expect("restic is not installed: tests/run.sh --install installs it");
    assert!(output.status.success(), "restic {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Bytes that do not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn a_pipeline_goes_round_over_ssh_and_restic_agrees() {
    let server = Sshd::start();
    let place = place(&server, "");
    place.run(&["backup"]).exits(10).says("there is no repository at sftp:127.0.0.1:repo");
    place.run(&["init"]).exits(0);
    place.run(&["init"]).exits(5).says("was left as it is");
    let made = place.run(&["backup"]).exits(0).says("complete");
    place.run(&["doctor"]).exits(0).says("sftp:127.0.0.1:repo: room for");
    place.run(&["verify"]).exits(0);
    restic(&server, &["check", "--read-data"]);
    let id = place.run(&["snapshots", "--json"]).exits(0).json()[0]["snapshot"].as_str().expect("an id").to_owned();
    assert!(restic(&server, &["snapshots"]).contains(&id));
    let copy = place.join("copy").display().to_string();
    restic(&server, &["restore", "latest", "--verify", "--target", &copy]);
    place.run(&["-c", "back/strongroom.toml", "restore"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("target/a.txt")).unwrap(), "text");
    assert_eq!(fs::read_to_string(place.join("target/deep/er/b.txt")).unwrap(), "line\n".repeat(500_000));

    Tree::at(place.join("source")).file("a.txt", "another text");
    place.run(&["backup"]).exits(0);
    place.run(&["forget", "--keep-last", "1"]).exits(0);
    place.run(&["prune", "--max-unused", "0"]).exits(0).says("1 snapshot left");
    place.run(&["check", "--read-data"]).exits(0).says("no errors");
    restic(&server, &["check", "--read-data"]);
    place.assert_hides(PASSWORD, &[&made]);
    place.assert_left_nothing();
}

#[test]
fn a_backup_survives_connections_that_are_killed() {
    let server = Sshd::start();
    let place = place(&server, "limit-upload = \"8MiB\"\n");
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    Tree::at(place.join("source")).file("new.bin", noise(48 << 20));
    let packs = || crate::support::tree::listing(&server.path("files/repo/data")).len();
    let mut going = place.start(&["backup"]);
    for _ in 0..2 {
        let before = packs();
        wait_for("something new is stored", || packs() > before || going.has_ended());
        assert!(!going.has_ended(), "it was too fast to be disturbed");
        assert!(server.kill_sessions() > 0);
    }
    going.finish().exits(0).says("complete");
    place.run(&["verify"]).exits(0);
    restic(&server, &["check", "--read-data"]);
    place.assert_left_nothing();
}

#[test]
fn what_ssh_refuses_is_said_in_its_words_with_what_to_try_and_soon() {
    let mut server = Sshd::start();
    let place = place(&server, "timeout = \"5s\"\nretries = 1\n");
    let known = fs::read_to_string(server.path("known")).unwrap();
    let other = fs::read_to_string(server.path("other.pub")).unwrap();
    let (address, _) = known.split_once(' ').unwrap();
    fs::write(server.path("known"), format!("{address} {other}")).unwrap();
    let refused = place.run(&["init"]).exits(1);
    let refused = refused.says("ssh does not trust the server's host key").says("help: add it to the known hosts");
    assert!(!refused.err.contains("tried"), "time does not mend it: {refused}");
    fs::write(server.path("known"), known).unwrap();
    server.stop();
    let begun = Instant::now();
    let gone = place.run(&["init"]).exits(1).says("Connection refused").says("tried 2 times");
    gone.says("help: as the same user, try `ssh -F ");
    assert!(begun.elapsed() < DEADLINE);
    place.run(&["doctor"]).says("Connection refused");
}

#[test]
fn a_repository_behind_ssh_is_read_without_a_pipeline() {
    let server = Sshd::start();
    let place = place(&server, "");
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    let done = place.run(&["ls", "--repo", "sftp:me:hunter2@127.0.0.1:repo"]).exits(2).says("holds a password");
    assert!(!done.err.contains("hunter2"), "{done}");
    let begun = Instant::now();
    // Nobody listens there.
    let place_of = "sftp://127.0.0.1:1/repo";
    place.run(&["ls", "--repo", place_of, "--password-file", "password"]).exits(1).says("Connection refused");
    assert!(begun.elapsed() < Duration::from_secs(120));
}
