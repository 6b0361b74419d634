//! Real programs, behaving badly.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadBuf};

use super::*;
use crate::{
    config::{EnvValue, ParameterKind},
    secret::Source,
};

type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Far longer than any of these tests takes: reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    scratch: TempDir,
    stop: CancellationToken,
    deadline: Instant,
    moved: Arc<AtomicU64>,
    parameters: Vec<(String, String)>,
}

impl Bench {
    fn new() -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
            stop: CancellationToken::new(),
            deadline: Instant::now() + PATIENCE,
            moved: Arc::default(),
            parameters: Vec::new(),
        }
    }

    async fn spawn(&self, grant: &ToolGrant, stdin: Option<Input>) -> Result<Process, Error> {
        spawn(Start {
            name: "tested",
            grant,
            grants: &Grants::default(),
            parameters: &self.parameters,
            stdin,
            scratch: self.scratch.path(),
            deadline: self.deadline,
            stop: self.stop.clone(),
            moved: self.moved.clone(),
        })
        .await
    }

    /// What came out, and how it ended.
    async fn output(&self, grant: &ToolGrant, stdin: Option<Input>) -> (Vec<u8>, Result<(), Error>) {
        let mut process = self.spawn(grant, stdin).await.unwrap();
        let mut bytes = Vec::new();
        let ended = process.stdout().unwrap().read_to_end(&mut bytes).await;
        (bytes, ended.map(drop).map_err(|error| Error::of(&error).unwrap().clone()))
    }
}

fn tool(argv: &[&str]) -> ToolGrant {
    ToolGrant {
        argv: argv.iter().map(|argument| text(argument)).collect(),
        env: BTreeMap::new(),
        offline: false,
        ok_exit: vec![0],
        timeout: None,
    }
}

fn sh(script: &str) -> ToolGrant {
    tool(&["/bin/sh", "-c", script])
}

fn text(text: &str) -> Template {
    Template(vec![Piece::Literal(text.to_owned())])
}

/// True while the process is there and not merely waiting to be noticed dead.
fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with(['Z', 'X']))
}

async fn gone(pid: &str) {
    let until = Instant::now() + PATIENCE;
    while alive(pid) {
        assert!(Instant::now() < until, "process {pid} is still there");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_tool_that_fails_ends_its_stream_in_an_error() {
    let failing = sh("/usr/bin/head -c 5000000 /dev/zero; echo first >&2; echo no space >&2; exit 1");
    let bench = Bench::new();
    let (bytes, ended) = bench.output(&failing, None).await;
    assert_eq!(bytes.len(), 5_000_000);
    assert_eq!(bench.moved.load(Ordering::Relaxed), 5_000_000);
    let error = ended.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::Other, "sh ended with exit status 1: first; no space"));
}

#[tokio::test]
async fn an_exit_code_that_the_grant_accepts_is_a_good_end() {
    let mut grant = sh("echo fine; exit 3");
    grant.ok_exit = vec![0, 3];
    let bench = Bench::new();
    assert_eq!(bench.output(&grant, None).await, (b"fine\n".to_vec(), Ok(())));
    let mut process = bench.spawn(&grant, None).await.unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit { code: Some(3), stderr_tail: String::new() });
}

#[tokio::test]
async fn a_tool_killed_by_a_signal_says_which() {
    let (bytes, ended) = Bench::new().output(&sh("echo half; kill -9 $$"), None).await;
    assert_eq!((bytes.as_slice(), ended.unwrap_err().message.as_str()), (&b"half\n"[..], "sh was killed by signal 9"));
}

#[tokio::test]
async fn a_tool_that_hangs_ends_with_the_parts_time() {
    let mut bench = Bench::new();
    bench.deadline = Instant::now() + Duration::from_secs(2);
    let mut process = bench.spawn(&sh("echo $$; exec /usr/bin/sleep 1000"), None).await.unwrap();
    let mut output = BufReader::new(process.stdout().unwrap()).lines();
    let pid = output.next_line().await.unwrap().unwrap();
    assert_eq!(Error::of(&output.next_line().await.unwrap_err()).unwrap().code, Code::Timeout);
    assert_eq!(process.wait().await.unwrap_err().code, Code::Timeout);
    gone(&pid).await;
}

#[tokio::test]
async fn a_tool_that_lingers_after_its_output_ends_with_the_grants_time() {
    let mut grant = sh("echo all; exec >&-; exec /usr/bin/sleep 1000");
    grant.timeout = Some(Duration::from_secs(2));
    let (bytes, ended) = Bench::new().output(&grant, None).await;
    let error = ended.unwrap_err();
    assert_eq!((bytes.as_slice(), error.code), (&b"all\n"[..], Code::Timeout));
    assert!(error.message.contains("raise timeout"), "{}", error.message);
}

#[tokio::test]
async fn a_stopped_run_asks_first_and_then_kills() {
    // Waiting for input, not for a command: a shell may report how that one died, too.
    let polite = sh("trap 'echo bye >&2; exit 0' TERM; echo ready; read -r never");
    let deaf = sh("trap '' TERM; echo ready; read -r never");
    for (grant, code, said) in [(polite, Some(0), "bye\n"), (deaf, None, "")] {
        let bench = Bench::new();
        let (_open, stdin) = tokio::io::duplex(16);
        let mut process = bench.spawn(&grant, Some(Box::new(stdin))).await.unwrap();
        let mut output = BufReader::new(process.stdout().unwrap()).lines();
        assert_eq!(output.next_line().await.unwrap().unwrap(), "ready");
        bench.stop.cancel();
        assert_eq!(Error::of(&output.next_line().await.unwrap_err()).unwrap().code, Code::Canceled);
        let ended = process.ended.borrow().clone().unwrap();
        assert_eq!(process.wait().await.unwrap_err().code, Code::Canceled);
        assert_eq!(ended.exit, Exit { code, stderr_tail: said.to_owned() });
    }
}

#[tokio::test]
async fn a_tool_that_closes_its_input_early_is_judged_by_its_exit_status_alone() {
    let endless = || Some(Box::new(tokio::io::repeat(b'x')) as Input);
    let early = tool(&["/usr/bin/head", "-c", "3"]);
    assert_eq!(Bench::new().output(&early, endless()).await, (b"xxx".to_vec(), Ok(())));
    let (_, ended) = Bench::new().output(&sh("exec <&-; exit 4"), endless()).await;
    assert_eq!(ended.unwrap_err().message, "sh ended with exit status 4");
}

/// A megabyte, then an error.
struct Breaking(usize);

impl AsyncRead for Breaking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = buf.remaining().min(self.0);
        if count == 0 {
            return Poll::Ready(Err(Error::passing(Code::Unavailable, "the source went away").into()));
        }
        buf.put_slice(&vec![b'x'; count]);
        self.0 -= count;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_broken_input_is_never_closed_as_if_it_were_whole() {
    let bench = Bench::new();
    let mut process = bench
        .spawn(&sh("/usr/bin/cat; echo whole > marker; echo whole"), Some(Box::new(Breaking(1 << 20))))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let error = process.stdout().unwrap().read_to_end(&mut bytes).await.unwrap_err();
    let error = Error::of(&error).unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true));
    assert_eq!(error.message, "sh was killed because its input broke: the source went away");
    assert_eq!(&process.wait().await.unwrap_err(), error);
    assert!(!bytes.ends_with(b"whole\n"));
    assert!(!bench.scratch.path().join("marker").exists());
}

#[tokio::test]
async fn a_flood_on_standard_error_blocks_nothing_and_only_its_end_is_kept() {
    let flood = sh("/usr/bin/yes | /usr/bin/head -c 10000000 >&2; echo last words >&2; exit 2");
    let mut grant = flood.clone();
    grant.ok_exit = vec![2];
    let bench = Bench::new();
    let exit = bench.spawn(&grant, None).await.unwrap().wait().await.unwrap();
    assert_eq!((exit.code, exit.stderr_tail.len()), (Some(2), 4096));
    assert!(exit.stderr_tail.ends_with("last words\n"));
    let error = bench.spawn(&flood, None).await.unwrap().wait().await.unwrap_err();
    assert_eq!(error.message, "sh ended with exit status 2: y; y; y; y; last words");
}

#[tokio::test]
async fn output_that_nobody_takes_is_discarded() {
    let bench = Bench::new();
    let mut process = bench.spawn(&sh("exec /usr/bin/head -c 5000000 /dev/zero"), None).await.unwrap();
    assert_eq!(process.wait().await.unwrap().code, Some(0));
    assert_eq!(process.stdout().err().unwrap().code, Code::Invalid);
    assert_eq!(process.wait().await.unwrap().code, Some(0), "waiting twice is fine");
}

#[tokio::test]
async fn whatever_a_tool_started_dies_with_its_handle() {
    let bench = Bench::new();
    for script in [
        "/usr/bin/sleep 1000 & echo $!; exec /usr/bin/sleep 1000",
        "/usr/bin/sleep 1000 >/dev/null 2>&1 & echo $!; exec /usr/bin/sleep 1000",
        "/usr/bin/sleep 1000 >/dev/null 2>&1 & echo $!; exit 0",
    ] {
        let mut process = bench.spawn(&sh(script), None).await.unwrap();
        let pid = BufReader::new(process.stdout().unwrap()).lines().next_line().await.unwrap().unwrap();
        assert!(alive(&pid));
        drop(process);
        gone(&pid).await;
    }
}

#[tokio::test]
async fn a_tool_that_its_plugin_kills_has_no_code_and_no_whole_output() {
    let bench = Bench::new();
    let mut process = bench.spawn(&sh("echo half; exec /usr/bin/sleep 1000"), None).await.unwrap();
    let mut output = BufReader::new(process.stdout().unwrap()).lines();
    assert_eq!(output.next_line().await.unwrap().unwrap(), "half");
    process.kill();
    assert_eq!(process.wait().await.unwrap().code, None);
    assert_eq!(output.next_line().await.unwrap_err().to_string(), "sh was killed by its plugin");
}

#[tokio::test]
async fn a_value_with_shell_characters_stays_one_argument() {
    let mut grant = tool(&["/usr/bin/printf", "%s\\n"]);
    let word = Piece::Parameter { name: "x".into(), kind: ParameterKind::Word };
    grant.argv.push(Template(vec![Piece::Literal("--x=".into()), word.clone()]));
    grant.argv.push(Template(vec![word]));
    let mut bench = Bench::new();
    bench.parameters = vec![("x".into(), "a;$(b)|c&{y}*".into())];
    let (bytes, ended) = bench.output(&grant, None).await;
    assert_eq!((String::from_utf8(bytes).unwrap().as_str(), ended), ("--x=a;$(b)|c&{y}*\na;$(b)|c&{y}*\n", Ok(())));
    bench.parameters = vec![("x".into(), "--file=/etc/passwd".into())];
    assert_eq!(bench.spawn(&grant, None).await.err().unwrap().code, Code::Invalid);
}

#[tokio::test]
async fn a_secret_is_in_no_argument_and_no_message_and_its_file_does_not_stay() {
    let bench = Bench::new();
    let source = Source::Command(vec!["/bin/echo".into(), "hunter2 &c".into()]);
    let mut grant = sh("read -r held < \"$FILE\"; /usr/bin/stat -c %a \"$FILE\"; echo $$; echo \"$FILE\"
        read -r go; echo \"$PASSWORD or $held\" >&2; exit 1");
    grant.env.insert("PASSWORD".into(), EnvValue::Secret(source.clone()));
    grant.env.insert("FILE".into(), EnvValue::SecretFile(source));
    let (mut go, stdin) = tokio::io::duplex(16);
    let mut process = bench.spawn(&grant, Some(Box::new(stdin))).await.unwrap();
    let mut output = BufReader::new(process.stdout().unwrap()).lines();
    let mut line = async || output.next_line().await.unwrap().unwrap();
    let (mode, pid, file) = (line().await, line().await, PathBuf::from(line().await));
    assert_eq!((mode.as_str(), file.parent().unwrap()), ("600", bench.scratch.path()));
    let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!cmdline.is_empty() && !String::from_utf8_lossy(&cmdline).contains("hunter2"));
    go.write_all(b"\n").await.unwrap();
    let error = process.wait().await.unwrap_err();
    assert_eq!(error.message, "sh ended with exit status 1: [secret] or [secret]");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_tool_gets_only_the_granted_environment_and_no_descriptor_of_the_host() {
    let bench = Bench::new();
    let file = std::fs::File::create(bench.scratch.path().join("inherited")).unwrap();
    // Without the flag that closes it on exec: as a shell or a service manager hands descriptors on.
    let open = rustix::io::dup(&file).unwrap();
    let mut grant = sh("/usr/bin/env; /usr/bin/ls -l /proc/self/fd");
    grant.env.insert("GREETING".into(), EnvValue::Text(text("hello")));
    let (bytes, ended) = bench.output(&grant, None).await;
    drop(open);
    let shown = String::from_utf8(bytes).unwrap();
    let variables: Vec<&str> = shown.lines().take_while(|line| line.contains('=')).collect();
    let scratch = format!("PWD={}", bench.scratch.path().canonicalize().unwrap().display());
    assert_eq!(ended, Ok(()));
    assert!(variables.contains(&"GREETING=hello") && variables.contains(&scratch.as_str()), "{shown}");
    // The shell sets PWD, OLDPWD and `_` by itself.
    assert!(
        variables.iter().all(|line| ["GREETING=", "PWD=", "OLDPWD=", "_="].iter().any(|own| line.starts_with(own)))
    );
    assert!(!shown.contains("inherited"), "{shown}");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_what_to_do() {
    let bench = Bench::new();
    let file = bench.scratch.path().join("data");
    std::fs::write(&file, "not a program").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (program, code, what) in [
        ("/nowhere/pg_dump", Code::NotFound, "/nowhere/pg_dump is not there: install it"),
        (file.to_str().unwrap(), Code::Denied, "grant.tools.tested"),
        ("relative", Code::Invalid, "not an absolute path"),
    ] {
        let error = bench.spawn(&tool(&[program]), None).await.err().unwrap();
        assert_eq!(error.code, code);
        assert!(error.message.contains(what), "{}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_outlives_the_thread_that_asked_for_it() {
    let bench = Bench::new();
    let (mut input, stdin) = tokio::io::duplex(16);
    let runtime = tokio::runtime::Handle::current();
    let mut process = std::thread::scope(|scope| {
        let asking = scope.spawn(|| runtime.block_on(bench.spawn(&tool(&["/usr/bin/cat"]), Some(Box::new(stdin)))));
        asking.join().unwrap().unwrap()
    });
    input.write_all(b"still here").await.unwrap();
    drop(input);
    let mut output = String::new();
    process.stdout().unwrap().read_to_string(&mut output).await.unwrap();
    assert_eq!(output, "still here");
}

/// Runs itself as the host that is killed.
#[tokio::test]
async fn a_killed_host_takes_its_tools_along() {
    const HOST: &str = "STRONGROOM_TEST_TOOL_HOST";
    if std::env::var_os(HOST).is_some() {
        let mut process = Bench::new().spawn(&sh("echo $$; exec /usr/bin/sleep 1000"), None).await.unwrap();
        let pid = BufReader::new(process.stdout().unwrap()).lines().next_line().await.unwrap().unwrap();
        println!("\ntool {pid}");
        process.wait().await.unwrap();
        return;
    }
    let name = "sandbox::tool::tests::a_killed_host_takes_its_tools_along";
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(HOST, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = io::BufReader::new(host.stdout.take().unwrap()).lines();
    let pid = lines.find_map(|line| line.unwrap().strip_prefix("tool ").map(str::to_owned));
    host.kill().unwrap();
    host.wait().unwrap();
    gone(&pid.expect("the host started a tool")).await;
}
