//! What a script can do: one variant an act.

use std::{collections::BTreeMap, io::Write, time::Duration};

use serde::Deserialize;
use strongroom_plugin::*;

use crate::{frames, hostile, resumed, web};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Found {
    severity: String,
    code: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    message: String,
}

impl Found {
    pub(crate) fn finding(&self) -> Finding {
        let make = match self.severity.as_str() {
            "info" => Finding::info,
            "warning" => Finding::warning,
            _ => Finding::blocker,
        };
        make(&self.code, &self.subject, &self.message)
    }
}

/// `{ do = "put", path = "a.txt", text = "hello" }`
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Act {
    /// Stores text and waits.
    Put {
        path: String,
        text: String,
    },
    /// Stores `bytes` zeros that go through the guest.
    PutZeros {
        path: String,
        bytes: u64,
    },
    /// Submits a tool's output and goes on; it is waited for when all acts are done.
    SubmitTool {
        path: String,
        tool: String,
        #[serde(default)]
        parameters: BTreeMap<String, String>,
    },
    /// Stores a tool's output, and feeds the same bytes to a second tool that must accept them.
    PutToolChecked {
        path: String,
        tool: String,
        checker: String,
    },
    /// Stores one file of a grant.
    PutFile {
        path: String,
        dir: String,
        file: String,
    },
    PutTree {
        path: String,
        dir: String,
        #[serde(default)]
        sub: String,
        #[serde(default)]
        includes: Vec<String>,
        #[serde(default)]
        excludes: Vec<String>,
        #[serde(default)]
        tolerate: bool,
    },
    /// A receipt from the last `put-tree`.
    TreeReceipt {
        subject: String,
    },
    Receipt {
        subject: String,
        expected: u64,
        actual: u64,
    },
    /// The outcome's fact `secret = yes`.
    HoldsSecrets {},
    Finding(Found),
    FixInstant {},
    Settled {},
    /// Opens a transaction and fixes its instant.
    FixInstantSql {
        sql: String,
    },
    Expect {
        subject: String,
        #[serde(default)]
        bracketed: bool,
        lines: Vec<serde_json::Value>,
    },
    ExpectQuery {
        subject: String,
        sql: String,
        statement: String,
    },
    Query {
        sql: String,
        statement: String,
        #[serde(default)]
        parameters: Vec<String>,
    },
    /// Waits until the file is in the granted directory.
    WaitFile {
        dir: String,
        file: String,
    },
    RestoreTree {
        part: String,
        dir: String,
    },
    ReadItem {
        part: String,
        path: String,
    },
    /// Feeds an item of the snapshot to a tool.
    FeedTool {
        part: String,
        path: String,
        tool: String,
    },
    WriteFile {
        dir: String,
        file: String,
        text: String,
    },
    /// Removes a file that may not be there.
    RemoveFile {
        dir: String,
        file: String,
    },
    /// Adds a line to a file.
    AppendLine {
        dir: String,
        file: String,
        line: String,
    },
    /// Takes a hold; `seconds` are a day where nothing is said.
    HoldTake {
        name: String,
        #[serde(default)]
        data: String,
        #[serde(default)]
        seconds: Option<u32>,
        #[serde(default)]
        run: bool,
    },
    HoldRenew {
        name: String,
        seconds: u32,
    },
    HoldDropped {
        name: String,
    },
    CheckNames {
        part: String,
    },
    SetNote {
        key: String,
        value: String,
    },
    /// Fails unless the note has that value.
    Note {
        step: String,
        key: String,
        value: Option<String>,
    },
    SetState {
        key: String,
        value: String,
    },
    State {
        key: String,
        value: Option<String>,
    },
    Checkpoint {
        value: String,
    },
    LastCheckpoint {
        value: Option<String>,
    },
    /// Writes the files 1 to `count` and checkpoints after each, from where the attempt before came to. Tells the tool
    /// `found-N` and `returned-N`.
    Steps {
        dir: String,
        count: u64,
        tool: String,
    },
    /// Two values that must always be the same: tells the tool `state-N`, and sets both to one more.
    CountState {
        tool: String,
    },
    Reveal {
        secret: String,
    },
    /// Asks a service.
    Http(web::Asked),
    /// Says a secret in every place where a plugin can say anything.
    Tell {
        secret: String,
    },
    /// Talks to a service, and stores some of what it says.
    Frames(frames::Talk),
    /// Connects and says one line, and logs what comes until the end.
    Hear {
        tcp: String,
        endpoint: String,
        say: String,
    },
    /// Fails unless that is used in this way: "free", "unknown", or by whom.
    InUse {
        dir: String,
        file: String,
        by: String,
    },
    Log {
        message: String,
    },
    Get {
        capability: String,
        name: String,
    },
    /// Fails the call with a code of its own.
    Fail {
        message: String,
    },
    /// The next act must fail with that code.
    Must {
        code: String,
        act: Box<Act>,
    },
    Hostile {
        what: String,
    },
}

/// What a call has gathered.
#[derive(Default)]
pub(crate) struct Stage {
    outcome: Option<Outcome>,
    tree: Option<TreeReport>,
    pending: Vec<snapshot::Pending>,
    /// Tools whose output is pending. Dropping one would kill it.
    running: Vec<(String, tools::Process)>,
}

impl Stage {
    fn outcome(&mut self) -> Outcome {
        self.outcome.take().unwrap_or_else(|| Outcome::new("as scripted"))
    }

    /// Waits for what was submitted.
    pub(crate) fn end(mut self) -> Result<Outcome> {
        for pending in std::mem::take(&mut self.pending) {
            pending.wait()?;
        }
        for (tool, process) in &self.running {
            process.wait()?.check(tool)?;
        }
        Ok(self.outcome())
    }

    pub(crate) fn perform(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Put { path, text } => snapshot::put_bytes(path, text.as_bytes()).map(drop),
            Act::PutZeros { path, bytes } => put_zeros(path, *bytes),
            Act::SubmitTool { path, tool, parameters } => self.submit_tool(path, tool, parameters),
            Act::PutToolChecked { path, tool, checker } => put_tool_checked(path, tool, checker),
            Act::PutFile { path, dir, file } => {
                snapshot::put(path, dirs::get(dir)?.open(file)?, &Meta::default()).map(drop)
            }
            Act::PutTree { path, dir, sub, includes, excludes, tolerate } => {
                let mut options = TreeOptions::default().including(includes).excluding(excludes);
                options.tolerate_changes = *tolerate;
                self.tree = Some(snapshot::put_subtree(path, &dirs::get(dir)?, sub, &options)?);
                Ok(())
            }
            Act::TreeReceipt { subject } => {
                let tree = self.tree.as_ref().ok_or_else(|| Error::invalid("no tree was stored"))?;
                let (expected, stored) = (tree.expected, tree.stored);
                self.outcome = Some(self.outcome().receipt(subject, expected, stored));
                Ok(())
            }
            Act::Receipt { subject, expected, actual } => {
                self.outcome = Some(self.outcome().receipt(subject, *expected, *actual));
                Ok(())
            }
            Act::HoldsSecrets {} => {
                self.outcome = Some(self.outcome().holding_secrets());
                Ok(())
            }
            Act::Finding(found) => {
                self.outcome = Some(self.outcome().finding(found.finding()));
                Ok(())
            }
            Act::Tell { secret } => {
                self.outcome = Some(tell(self.outcome(), &secrets::reveal(secret)?)?);
                Ok(())
            }
            Act::Must { code, act } => self.must_fail(code, act),
            other => simple(other),
        }
    }

    fn submit_tool(&mut self, path: &str, tool: &str, parameters: &BTreeMap<String, String>) -> Result<()> {
        let start = parameters.iter().fold(Tool::new(tool), |start, (name, value)| start.parameter(name, value));
        let process = start.spawn()?;
        self.pending.push(snapshot::submit(path, process.stdout()?, &Meta::default())?);
        self.running.push((tool.to_owned(), process));
        Ok(())
    }

    fn must_fail(&mut self, code: &str, act: &Act) -> Result<()> {
        match self.perform(act) {
            Ok(()) => Err(Error::other(format!("an act that must fail with {code} went well"))),
            Err(error) => {
                log::info(format!("refused as it must be: {error}"));
                let seen = format!("{:?}", error.code).to_lowercase().replace("errorcode::", "");
                let wanted = code.replace('-', "");
                if seen.replace('-', "") == wanted {
                    return Ok(());
                }
                Err(Error::other(format!("an act failed with {seen}, not {wanted}: {error}")))
            }
        }
    }
}

fn tell(outcome: Outcome, secret: &str) -> Result<Outcome> {
    for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
        log::emit(level, &format!("it is {secret}"), &[(secret, secret)]);
    }
    log::info(format!("{:?}", [secret]));
    log::progress(secret, 1, None);
    context::set_note(secret, secret)?;
    let list = snapshot::expect(secret, Evidence::SameView)?;
    list.finish()?;
    let now = context::now();
    let attributes = vec![(secret.to_owned(), secret.to_owned())];
    snapshot::fix_instant(&Instant { clock: secret.to_owned(), attributes, ..instant(now, now) })?;
    let outcome = Outcome { summary: secret.to_owned(), ..outcome };
    let told = Finding::info("told", secret, secret);
    Ok(outcome.finding(told).finding(Finding::info(secret, "", "")).fact(secret, secret).receipt(secret, 1, 1))
}

fn put_zeros(path: &str, bytes: u64) -> Result<()> {
    let (mut output, input) = streams::pipe()?;
    let pending = snapshot::submit(path, input, &Meta::default())?;
    let zeros = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        output.write_all(&zeros[..count]).map_err(|error| Error::io(error.to_string()))?;
        left -= count as u64;
    }
    output.finish()?;
    pending.wait().map(drop)
}

fn put_tool_checked(path: &str, tool: &str, checker: &str) -> Result<()> {
    let producer = Tool::new(tool).spawn()?;
    let (kept, read) = streams::tee(producer.stdout()?)?;
    let checking = Tool::new(checker).stdin(read).spawn()?;
    let pending = snapshot::submit(path, kept, &Meta::default())?;
    checking.stdout()?.drain()?;
    checking.wait()?.check(checker)?;
    pending.wait()?;
    producer.wait()?.check(tool)
}

fn simple(act: &Act) -> Result<()> {
    match act {
        Act::FixInstant {} => snapshot::fix_instant(&instant(context::now(), context::now())),
        Act::Settled {} => snapshot::settled(),
        Act::FixInstantSql { sql } => {
            let (from, to) = sql::get(sql)?.begin()?.seen();
            snapshot::fix_instant(&instant(from, to))
        }
        Act::Expect { subject, bracketed, lines } => {
            let evidence = if *bracketed { Evidence::Bracketed } else { Evidence::SameView };
            let mut list = snapshot::expect(subject, evidence)?;
            for line in lines {
                writeln!(list, "{line}").map_err(|error| Error::io(error.to_string()))?;
            }
            list.finish()
        }
        Act::ExpectQuery { subject, sql, statement } => {
            let transaction = sql::get(sql)?.begin()?;
            let rows = transaction.query(statement, &[])?;
            snapshot::expect_rows(subject, Evidence::SameView, &rows).map(drop)
        }
        Act::Query { sql, statement, parameters } => {
            let parameters: Vec<_> = parameters.iter().map(String::as_str).collect();
            let transaction = sql::get(sql)?.begin()?;
            log::info(transaction.query(statement, &parameters)?.text(1 << 20)?);
            Ok(())
        }
        Act::WaitFile { dir, file } => {
            let dir = dirs::get(dir)?;
            while !dir.exists(file)? {
                context::sleep(Duration::from_millis(20))?;
            }
            Ok(())
        }
        Act::RestoreTree { part, dir } => {
            archive::restore_tree(part, "", &dirs::get(dir)?, &TreeOptions::default()).map(drop)
        }
        Act::ReadItem { part, path } => archive::open(part, path)?.drain().map(drop),
        Act::FeedTool { part, path, tool } => {
            let process = Tool::new(tool).stdin(archive::open(part, path)?).spawn()?;
            process.wait()?.check(tool)
        }
        Act::WriteFile { dir, file, text } => dirs::get(dir)?.write_bytes(file, text.as_bytes(), None),
        Act::RemoveFile { dir, file } => {
            let dir = dirs::get(dir)?;
            if dir.exists(file)? { dir.remove(file) } else { Ok(()) }
        }
        Act::AppendLine { dir, file, line } => {
            let dir = dirs::get(dir)?;
            let before = if dir.exists(file)? { dir.read_to_string(file, 1 << 20)? } else { String::new() };
            dir.write_bytes(file, format!("{before}{line}\n").as_bytes(), None)
        }
        Act::HoldTake { name, data, seconds, run } => {
            let scope = if *run { holds::Scope::Run } else { holds::Scope::Part };
            let time = Duration::from_secs(seconds.unwrap_or(86_400).into());
            holds::take(name, data.as_bytes(), time, scope).map(drop)
        }
        Act::HoldRenew { name, seconds } => holds::renew(name, Duration::from_secs((*seconds).into())),
        Act::HoldDropped { name } => holds::dropped(name),
        Act::CheckNames { part } => archive::check_names(part, "", Algorithm::Sha256).map(drop),
        Act::Log { message } => {
            log::info(message);
            Ok(())
        }
        Act::Get { capability, name } => match capability.as_str() {
            "dirs" => dirs::get(name).map(drop),
            "sql" => sql::get(name).map(drop),
            "tcp" => tcp::get(name).map(drop),
            "tools" => Tool::new(name).spawn().map(drop),
            "http" => http::get(name).map(drop),
            _ => secrets::reveal(name).map(drop),
        },
        Act::Reveal { secret } => {
            log::info(format!("the secret is {}", secrets::reveal(secret)?));
            Ok(())
        }
        Act::Http(asked) => asked.perform(),
        Act::Frames(talk) => talk.perform(),
        Act::Hear { tcp, endpoint, say } => {
            let (input, mut output) = tcp::get(tcp)?.connect(endpoint)?;
            writeln!(output, "{say}")?;
            output.finish()?;
            log::info(format!("heard {:?}", input.text(1 << 20)?));
            Ok(())
        }
        Act::InUse { dir, file, by } => match dirs::get(dir)?.in_use(file)? {
            dirs::Usage::Used(who) => same("user", &Some(who), &Some(by.clone())),
            usage => {
                same("usage", &Some(format!("{usage:?}").to_lowercase().replace("usage::", "")), &Some(by.clone()))
            }
        },
        Act::Fail { message } => Err(Error::unavailable(message.clone())),
        Act::Hostile { what } => hostile::perform(what),
        other => kept(other),
    }
}

fn kept(act: &Act) -> Result<()> {
    match act {
        Act::SetNote { key, value } => context::set_note(key, value),
        Act::Note { step, key, value } => same("note", &context::note_of(step, key)?, value),
        Act::SetState { key, value } => context::set_state(key, value.as_bytes()),
        Act::State { key, value } => same("state", &text(context::state(key)?), value),
        Act::Checkpoint { value } => context::checkpoint(value.as_bytes()),
        Act::Steps { dir, count, tool } => resumed::steps(dir, *count, tool),
        Act::CountState { tool } => resumed::count_state(tool),
        Act::LastCheckpoint { value } => same("checkpoint", &text(context::last_checkpoint()), value),
        _ => Err(Error::other("an act that nobody performs")),
    }
}

fn text(bytes: Option<Vec<u8>>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn same(what: &str, seen: &Option<String>, wanted: &Option<String>) -> Result<()> {
    if seen == wanted {
        return Ok(());
    }
    Err(Error::other(format!("the {what} is {seen:?}, not {wanted:?}")))
}

fn instant(not_before: Timestamp, not_after: Timestamp) -> Instant {
    Instant {
        not_before,
        not_after,
        kind: InstantKind::Exact,
        clock: "scripted".to_owned(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    }
}
