//! The last word of a command that failed: what was being done, why it failed, what to try.

use std::{
    io::{self, Write},
    panic::PanicHookInfo,
};

use serde_json::json;

use super::{color, json as lines, words};
use crate::report::words::Paint;

/// A cause that is drawn already, over several lines and perhaps in colour (problems of a file, each with its caret).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{plain}")]
pub struct Drawn {
    /// Without colours.
    pub plain: String,
    /// With them.
    pub colored: String,
}

/// An error's chain, put in order.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    message: String,
    causes: Vec<String>,
    help: Vec<String>,
}

/// Prints the chain once: to standard error for people, as `exit_error` on standard output for programs.
///
/// In any message of the chain a line that begins with `help:`, and what follows it, is what to try; it is printed last.
pub fn exit_error(json: bool, code: u8, error: &anyhow::Error) {
    let code = json!({ "code": code });
    tell(json, error, "exit_error", code);
}

/// Prints the chain of an error that does not end the command: for programs, as `error`.
pub fn beside(json: bool, error: &anyhow::Error) {
    tell(json, error, "error", json!({}));
}

fn tell(json: bool, error: &anyhow::Error, message_type: &str, mut fields: serde_json::Value) {
    if !json {
        return say(&printed(error, Paint { on: color(&io::stderr()) }));
    }
    let told = told(error);
    fields["message"] = json!(told.message);
    fields["causes"] = json!(told.causes);
    fields["help"] = json!(told.help);
    lines::write(&mut io::stdout(), message_type, fields);
}

/// Where even standard error cannot be written to, there is nobody left to tell.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says that a thread broke off, in place of Rust's own words, which nobody but the program's authors understands.
pub fn broke_off(broken: &PanicHookInfo<'_>) {
    let place = broken.location().map(|place| format!("{}:{}", place.file(), place.line()));
    say(&broken_off(broken.payload_as_str().unwrap_or_default(), place.as_deref().unwrap_or("an unknown place")));
}

fn broken_off(said: &str, place: &str) -> String {
    // Rust and tokio have no other way to say it where a thread must be there.
    if said.contains("spawn") && said.contains("thread") {
        let help = "raise the limit of processes (ulimit -u, or TasksMax= of the unit)";
        return format!("error: the system gives this program no more threads\n  help: {help}\n");
    }
    format!("error: strongroom broke off at {place}, which is a bug of strongroom: {}\n", words::line(said))
}

fn printed(error: &anyhow::Error, paint: Paint) -> String {
    match error.chain().find_map(|cause| cause.downcast_ref::<Drawn>()) {
        Some(drawn) if paint.on => format!("{} {error}\n{}\n", paint.bad("error:"), drawn.colored.trim_end()),
        Some(drawn) => format!("error: {error}\n{}\n", drawn.plain.trim_end()),
        None => text(&told(error), paint),
    }
}

fn told(error: &anyhow::Error) -> Told {
    let (mut messages, mut help) = (Vec::<String>::new(), Vec::new());
    for cause in error.chain() {
        let text = cause.to_string();
        let (message, advice) = split_help(&text);
        help.extend(advice);
        if !message.is_empty() && messages.last().is_none_or(|last| *last != message) {
            messages.push(message);
        }
    }
    let mut messages = messages.into_iter();
    Told { message: messages.next().unwrap_or_default(), causes: messages.collect(), help }
}

/// A message, and the advice that it ends with.
fn split_help(text: &str) -> (String, Option<String>) {
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        if let Some(advice) = line.trim_start().strip_prefix("help:") {
            let rest = &text[begin + line.len()..];
            return (text[..begin].trim_end().to_owned(), Some(format!("{advice}{rest}").trim().to_owned()));
        }
        begin += line.len();
    }
    (text.trim_end().to_owned(), None)
}

fn text(told: &Told, paint: Paint) -> String {
    let indented = |text: &str| words::lines(text).replace('\n', "\n    ");
    let mut printed = format!("{} {}\n", paint.bad("error:"), indented(&told.message));
    for cause in &told.causes {
        printed.push_str(&format!("  caused by: {}\n", indented(cause)));
    }
    for help in &told.help {
        printed.push_str(&format!("  help: {}\n", indented(help)));
    }
    printed
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_breaks_off_is_said_in_one_line_for_people() {
        let threads = broken_off("failed to spawn thread: Os { code: 11 }", "x.rs:1");
        assert!(threads.contains("no more threads") && !threads.contains("Os {"), "{threads}");
        let other = broken_off("a\nb\x1b[1m", "x.rs:1");
        assert!(other.starts_with("error: ") && other.contains("x.rs:1"), "{other}");
        assert_eq!(other.matches(['\n', '\x1b']).count(), 1, "{other}");
    }

    #[test]
    fn a_chain_is_printed_once_with_the_advice_last() {
        let error = anyhow!("host \"a\" is not granted\n  help: add\n  path = \"/srv\"")
            .context("step \"wiki\" was refused")
            .context("step \"wiki\" was refused");
        assert_eq!(
            text(&told(&error), Paint::default()),
            "error: step \"wiki\" was refused\n  caused by: host \"a\" is not granted\n  help: add\n      path = \"/srv\"\n"
        );
    }

    #[test]
    fn advice_that_stands_alone_is_no_cause() {
        let error = anyhow!("no such file").context("help: give -c FILE").context("reading the pipeline");
        let told = told(&error);
        assert_eq!(told.message, "reading the pipeline");
        assert_eq!(told.causes, ["no such file"]);
        assert_eq!(told.help, ["give -c FILE"]);
    }

    #[test]
    fn what_is_drawn_already_stays_as_it_is() {
        let drawn = Drawn { plain: "error: no\n --> a.toml:1\n".into(), colored: "\x1b[1mno".into() };
        let error = anyhow::Error::from(drawn).context("a.toml has a problem");
        let plain = printed(&error, Paint::default());
        assert_eq!(plain, "error: a.toml has a problem\nerror: no\n --> a.toml:1\n");
        assert!(printed(&error, Paint { on: true }).ends_with("\x1b[1mno\n"));
        assert_eq!(told(&error).causes, ["error: no\n --> a.toml:1"]);
    }

    #[test]
    fn a_servers_message_cannot_colour_the_terminal() {
        let printed = text(&told(&anyhow!("server said \x1b[31mboo")), Paint::default());
        assert!(!printed.contains('\x1b'), "{printed:?}");
    }
}
