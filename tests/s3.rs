//! Repositories in a bucket: from `init` to `restore`, through broken answers.
//!
//! By default the server is a stand-in. `STRONGROOM_TEST_S3=/path/of/versitygw` has it be a real one, whose restic is the
//! judge (`tests/run.sh --all`).

use std::{env, fs, process::Command, time::Duration};

use rustix::process::Signal;

use crate::support::{
    Done, Going, Place,
    bucket::{self, Bucket},
    gateway::{Gateway, KEY, SECRET},
    tree::Tree,
    wait_for,
    web_proxy::{self, WebProxy},
};

const PASSWORD: &str = "correct horse battery";

/// A server and, before a real one, what breaks its answers.
enum Server {
    StandIn(Bucket),
    Real(Gateway, WebProxy),
}

/// What goes wrong with an answer, once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    SlowDown,
    Silence,
    Cut,
    Half,
    Late,
}

impl Server {
    fn start() -> Self {
        match env::var("STRONGROOM_TEST_S3") {
            Ok(program) => {
                let gateway = Gateway::start(&program);
                let proxy = WebProxy::start(gateway.port);
                Self::Real(gateway, proxy)
            }
            Err(_) => Self::StandIn(Bucket::start()),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::StandIn(bucket) => bucket.port,
            Self::Real(_, proxy) => proxy.port,
        }
    }

    /// From the answer after `after` others on, does that to one answer to questions that begin so.
    fn plan(&self, question: &str, after: usize, fault: Fault) {
        match self {
            Self::StandIn(bucket) => {
                let fault = match fault {
                    Fault::SlowDown => bucket::Fault::SlowDown,
                    Fault::Silence => bucket::Fault::Silence,
                    Fault::Cut => bucket::Fault::Cut,
                    Fault::Half => bucket::Fault::Half,
                    Fault::Late => bucket::Fault::Stall,
                };
                bucket.plan(question, after, 1, fault);
            }
            Self::Real(_, proxy) => {
                let fault = match fault {
                    Fault::SlowDown => web_proxy::Fault::Instead(503, "<Error><Code>SlowDown</Code></Error>"),
                    Fault::Silence => web_proxy::Fault::Silence,
                    Fault::Cut => web_proxy::Fault::Cut,
                    Fault::Half => web_proxy::Fault::Truncate,
                    Fault::Late => web_proxy::Fault::Delay(Duration::from_secs(5)),
                };
                proxy.plan(&format!("^{}", question.replace('?', "\\?")), after, 1, fault);
            }
        }
    }

    fn fired(&self) -> usize {
        match self {
            Self::StandIn(bucket) => bucket.fired(),
            Self::Real(_, proxy) => proxy.fired(),
        }
    }

    /// What restic prints; nothing where the server is a stand-in, which does not check what restic signs.
    fn judged(&self, arguments: &[&str]) -> Option<String> {
        let Self::Real(gateway, _) = self else { return None };
        let repository = format!("s3:http://127.0.0.1:{}/wiki/off-site", gateway.port);
        let mut command = Command::new("restic");
        command.args(["--no-cache", "--repo", &repository]).args(arguments).env("RESTIC_PASSWORD", PASSWORD);
        let output = command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).output().unwrap();
        assert!(output.status.success(), "restic {arguments:?}: {output:?}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A pipeline that keeps the directory `source`, and one that restores it to `target`.
fn place(server: &Server) -> Place {
    let place = Place::new();
    place.write("password", PASSWORD);
    place.write("secret", SECRET);
    place.write("strongroom.toml", &pipeline(server, "source", "read"));
    place.write("back/strongroom.toml", &pipeline(server, "target", "write"));
    Tree::at(place.join("source")).file("a.txt", "text").file("deep/er/b.txt", "line\n".repeat(500_000));
    fs::create_dir(place.join("target")).unwrap();
    place.accept();
    place.run(&["-c", "back/strongroom.toml", "plugin", "accept", "--yes"]).exits(0);
    place
}

/// The same, with a repository that holds one snapshot.
fn backed_up(server: &Server) -> Place {
    let place = place(server);
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    place
}

fn pipeline(server: &Server, directory: &str, access: &str) -> String {
    format!(
        "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.bucket]\n\
         url = \"s3:http://127.0.0.1:{}/wiki/off-site\"\nformat = \"restic\"\npassword = {{ file = \"$DIR/password\" }}\n\
         access-key-id = {{ command = [\"/bin/echo\", \"{KEY}\"] }}\nsecret-access-key = {{ file = \"$DIR/secret\" }}\n\
         timeout = \"3s\"\n\n[step.letters]\nplugin = \"files\"\n\n\
         [step.letters.grant.dirs.source]\npath = \"$DIR/{directory}\"\naccess = \"{access}\"\n",
        server.port()
    )
}

#[test]
fn a_pipeline_goes_round_in_a_bucket() {
    let server = Server::start();
    let place = place(&server);
    place.run(&["backup"]).exits(10).says("there is no repository at s3:http://127.0.0.1:");
    place.run(&["init"]).exits(0);
    place.run(&["init"]).exits(5).says("was left as it is");
    let made = place.run(&["backup"]).exits(0).says("complete");
    let examined = place.run(&["doctor"]).exits(0).says("room for as much as the server allows");
    place.run(&["verify"]).exits(0);
    server.judged(&["check", "--read-data"]);
    let id = place.run(&["snapshots", "--json"]).exits(0).json()[0]["snapshot"].as_str().expect("an id").to_owned();
    assert!(server.judged(&["snapshots"]).is_none_or(|listed| listed.contains(&id)));
    let copy = place.join("copy").display().to_string();
    server.judged(&["restore", "latest", "--verify", "--target", &copy]);
    place.run(&["-c", "back/strongroom.toml", "restore"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("target/a.txt")).unwrap(), "text");
    assert_eq!(fs::read_to_string(place.join("target/deep/er/b.txt")).unwrap(), "line\n".repeat(500_000));

    Tree::at(place.join("source")).file("a.txt", "another text");
    place.run(&["backup"]).exits(0);
    place.run(&["forget", "--keep-last", "1"]).exits(0);
    place.run(&["prune", "--max-unused", "0"]).exits(0).says("1 snapshot left");
    place.run(&["check", "--read-data"]).exits(0).says("no errors");
    server.judged(&["check", "--read-data"]);
    if let Server::StandIn(bucket) = &server {
        let locks = |key: &str| key.contains("off-site/locks/");
        assert!(!bucket.keys().iter().any(|key| locks(key)), "no lock is left");
        assert!(
            bucket
                .asked()
                .iter()
                .filter(|asked| locks(asked) && asked.starts_with("PUT "))
                .all(|asked| asked.ends_with("if-none-match: *"))
        );
    }
    let shown = place.run(&["config", "show"]).exits(0).says("region = \"us-east-1\"").says("retries = 5");
    for secret in [PASSWORD, SECRET] {
        place.assert_hides(secret, &[&made, &examined, &shown]);
    }
}

#[test]
fn a_backup_survives_answers_that_are_refused_lost_cut_and_late() {
    let server = Server::start();
    let place = backed_up(&server);
    Tree::at(place.join("source")).file("c.txt", "more").file("d.txt", "and more");
    for question in ["PUT /wiki/off-site/data", "PUT /wiki/off-site/index", "PUT /wiki/off-site/snapshots"] {
        server.plan(question, 0, Fault::Silence);
        server.plan(question, 0, Fault::SlowDown);
    }
    server.plan("PUT /wiki/off-site/locks", 0, Fault::Silence);
    server.plan("DELETE /wiki/off-site/locks", 0, Fault::Silence);
    server.plan("GET /wiki/off-site/index", 0, Fault::Cut);
    server.plan("GET /wiki/off-site/snapshots", 0, Fault::Late);
    server.plan("GET /wiki/?", 0, Fault::Cut);
    server.plan("GET /wiki/?", 0, Fault::Half);
    place.run(&["backup"]).exits(0).says("complete");
    assert_eq!(server.fired(), 12, "all that was planned");
    place.run(&["verify"]).exits(0);
    place.run(&["check", "--read-data"]).exits(0).says("no errors");
    assert_eq!(place.run(&["snapshots", "--json"]).exits(0).json().len(), 2);
    server.judged(&["check", "--read-data"]);
}

#[test]
fn a_run_whose_server_is_too_busy_ends_at_the_first_signal() {
    let server = Server::start();
    let place = backed_up(&server);
    // As often as it is tried.
    (0..6).for_each(|_| server.plan("GET /wiki/?", 0, Fault::SlowDown));
    let going = place.start(&["verify"]);
    wait_for("it was refused, and is to be tried again", || server.fired() > 2);
    going.signal(Signal::TERM);
    going.finish().exits(130).says("canceled");
    assert!(server.fired() < 6, "it went on trying");
    place.assert_left_nothing();
}

#[test]
fn a_repository_in_a_bucket_is_read_with_the_keys_of_the_environment() {
    let server = Server::start();
    let place = backed_up(&server);
    let repository = format!("s3:http://127.0.0.1:{}/wiki/off-site", server.port());
    let listed = |key: Option<(&str, &str)>| -> Done {
        let mut command = place.command(&["ls", "--repo", &repository, "--password-file", "password"]);
        command.envs(key.map(|(key, _)| ("AWS_ACCESS_KEY_ID", key)));
        command.envs(key.map(|(_, secret)| ("AWS_SECRET_ACCESS_KEY", secret)));
        Going::start(command).finish()
    };
    listed(Some((KEY, SECRET))).exits(0).says("letters/source/a.txt");
    listed(None).exits(1).says("AWS_ACCESS_KEY_ID");
    let keys = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    place.run_with(&["ls", "--repo", &repository], &keys).exits(12).says("--password-file");
    if matches!(server, Server::Real(..)) {
        listed(Some((KEY, "wrong"))).exits(1).says("SignatureDoesNotMatch").says("compare access-key-id");
    }
}
