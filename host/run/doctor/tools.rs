//! Granted tools: there, executable, and not older than the server whose address they are given.

use std::{collections::BTreeMap, io, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command};

use super::{Check, answered, servers::Server};
use crate::config::{Piece, Step, ToolGrant};

/// How long a tool may take to say its version.
const VERSION: Duration = Duration::from_secs(10);

/// What is read of its answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// `servers` are those of the step that answered.
pub(super) async fn checks(step: &Step, servers: &BTreeMap<String, Server>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (name, tool) in &step.grants.tools {
        let about = format!("{}/tools.{name}", step.name);
        let program = tool.argv.first().and_then(|program| program.literal()).unwrap_or_default().to_owned();
        let there = program.clone();
        if let Err(why) = answered(move || executable(Path::new(&there))).await.and_then(|found| found) {
            checks.push(Check::problem(about, format!("{program}: {why}")));
            continue;
        }
        let server = server_of(tool).and_then(|grant| Some((grant, servers.get(grant)?)));
        checks.push(match server {
            None => Check::ok(about, format!("{program} can be run")),
            Some((grant, server)) => compared(about, &program, said(&program).await, grant, server),
        });
    }
    checks
}

fn executable(program: &Path) -> Result<(), String> {
    let found = std::fs::metadata(program).map_err(|error| error.to_string())?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err("not an executable file".to_owned());
    }
    rustix::fs::access(program, rustix::fs::Access::EXEC_OK).map_err(|error| io::Error::from(error).to_string())
}

/// The `sql` grant whose address the tool is given.
fn server_of(tool: &ToolGrant) -> Option<&str> {
    tool.argv.iter().flat_map(|argument| &argument.0).find_map(|piece| match piece {
        Piece::Sql { grant, .. } => Some(grant.as_str()),
        _ => None,
    })
}

/// What the program prints when it is asked for its version.
async fn said(program: &str) -> Result<String, String> {
    let asked = async {
        let mut child = Command::new(program)
            .arg("--version")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        }
        child.wait().await?;
        io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match tokio::time::timeout(VERSION, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", VERSION.as_secs())),
    }
}

/// What calls another program (`sudo`, a script) answers for itself: only who names the server's kind is compared.
fn compared(about: String, program: &str, said: Result<String, String>, grant: &str, server: &Server) -> Check {
    let said = match said {
        Ok(said) => said,
        Err(why) => {
            let message = format!("{program} was asked for its version with --version: {why}");
            return Check::warning(about, message);
        }
    };
    let is_client = said.to_ascii_lowercase().contains(server.engine);
    let (Some(tool), Some(of_server), true) = (version(&said), version(&server.version), is_client) else {
        let message = format!("{program} can be run; it does not say which version of {} it is for", server.engine);
        return Check::ok(about, message);
    };
    let message = format!("{program} is of version {tool}, the server of sql.{grant} of {of_server}");
    match major(&tool) < major(&of_server) {
        false => Check::ok(about, message),
        // pg_dump refuses a newer server (PostgreSQL documentation, "pg_dump", Notes); others may leave things out.
        true => Check::problem(about, format!("{message}: a tool older than its server fails or leaves things out")),
    }
}

/// The version in a program's or a server's answer: the first number with a point, after the word `Distrib` where there
/// is one (before it, clients of MySQL and MariaDB print that of their protocol).
fn version(said: &str) -> Option<String> {
    let said = said.split_once("Distrib ").map_or(said, |(_, said)| said);
    let words = said.split(|letter: char| letter.is_whitespace() || ",()-".contains(letter));
    let is_version = |word: &&str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && word.contains('.')
    };
    let beta = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    words.clone().find(is_version).or_else(|| words.clone().find(beta)).map(str::to_owned)
}

fn major(version: &str) -> u64 {
    let digits = version.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::doctor::Health;

    #[test]
    fn versions_are_found_in_what_programs_and_servers_say() {
        for (said, expected) in [
            ("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "15.14"),
            ("17.2", "17.2"),
            ("pg_dump (PostgreSQL) 18beta1", "18beta1"),
            ("mysqldump  Ver 10.19 Distrib 10.11.14-MariaDB, for debian-linux-gnu (x86_64)", "10.11.14"),
            ("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)", "11.4.2"),
            ("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", "8.0.36"),
        ] {
            assert_eq!(version(said).as_deref(), Some(expected), "{said}");
        }
        assert_eq!(version("no idea"), None);
        assert_eq!((major("18beta1"), major("9.6.24")), (18, 9));
    }

    #[test]
    fn a_tool_that_is_older_than_its_server_is_a_problem() {
        let health = |said: &str, version: &str| {
            let server = Server { engine: "postgresql", version: version.to_owned() };
            compared("t".into(), "/bin/t", Ok(said.to_owned()), "database", &server).health
        };
        assert_eq!(health("dump (PostgreSQL) 14.9", "15.2 (Debian)"), Health::Problem);
        assert_eq!(health("dump (PostgreSQL) 15.2", "15.14"), Health::Ok);
        assert_eq!(health("dump (PostgreSQL) 17.0", "9.6.24"), Health::Ok);
        assert_eq!(health("Sudo version 1.9.13", "15.2"), Health::Ok, "it starts something else");
        assert_eq!(health("dump (PostgreSQL)", "15.2"), Health::Ok);
    }

    #[tokio::test]
    async fn a_tool_that_says_too_much_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let tool = place.path().join("tool");
        std::fs::write(&tool, "#!/bin/sh\necho 15.2\nexec /usr/bin/yes\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(executable(&tool), Ok(()));
        let said = said(tool.to_str().unwrap()).await.unwrap();
        assert!(said.starts_with("15.2\ny\n") && said.len() as u64 == ANSWER_BYTES_MAX);
    }
}
