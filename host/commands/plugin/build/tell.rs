//! Runs a program to its end or its deadline, and tells each line that it says.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How many of its last lines an error repeats.
const LINES_KEPT: usize = 60;

/// Runs `command`; its standard error goes to `progress` line by line.
///
/// # Errors
/// When it cannot be started, takes longer than `time`, or fails: then with its last lines.
pub(super) fn run(command: &mut Command, time: Duration, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let lines = lines(&mut child);
    let mut last = VecDeque::new();
    let deadline = Instant::now() + time;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                progress(&line);
                last.push_back(line);
                last.drain(..last.len().saturating_sub(LINES_KEPT));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                bail!("{program} was stopped: it took longer than {}", humantime::format_duration(time));
            }
        }
    }
    let status = child.wait().with_context(|| format!("waiting for {program}"))?;
    if !status.success() {
        let said: Vec<String> = last.into();
        bail!("{program} failed ({status}):\n{}", said.join("\n"));
    }
    Ok(())
}

/// What it says, until it has closed its standard error.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_program_says_is_told_line_by_line() {
        let mut told = Vec::new();
        run(&mut shell("echo one >&2; echo two >&2"), Duration::from_secs(60), &mut |line| told.push(line.to_owned()))
            .unwrap();
        assert_eq!(told, ["one", "two"]);
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_last_words() {
        let error =
            run(&mut shell("echo no such crate >&2; exit 3"), Duration::from_secs(60), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("no such crate"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let error = run(&mut shell("exec tail -f /dev/null"), Duration::from_millis(1), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("longer than 1ms"), "{error}");
    }
}
