//! More and more of something, until somebody says that it is enough.

use std::hint::black_box;

use strongroom_plugin::{dirs::Dir, *};

/// Does it again and again, and keeps what comes of it.
fn until_refused<T>(mut again: impl FnMut(usize) -> Result<T>) -> Result<()> {
    let mut all = Vec::new();
    loop {
        all.push(again(all.len())?);
    }
}

pub(super) fn memory() -> Result<()> {
    until_refused(|_| Ok(black_box(vec![1_u8; 1 << 20])))
}

pub(super) fn log_lines() -> Result<()> {
    (0..100_000).for_each(|line| log::info(format!("line {line} {}", "x".repeat(100))));
    Ok(())
}

/// A million fields in one line; their text is the same few bytes.
pub(super) fn log_fields() -> Result<()> {
    log::emit(Level::Info, "many", &vec![("key", "value"); 1_000_000]);
    Ok(())
}

pub(super) fn progress() -> Result<()> {
    let what = "w".repeat(1 << 20);
    (0..2000).for_each(|done| log::progress(&what, done, None));
    Ok(())
}

pub(super) fn handles() -> Result<()> {
    until_refused(|_| dirs::get("dir-source"))
}

pub(super) fn streams() -> Result<()> {
    until_refused(|_| streams::from_bytes(b"x"))
}

fn source() -> Result<Dir> {
    dirs::get("dir-source")
}

pub(super) fn files() -> Result<()> {
    let source = source()?;
    until_refused(|_| source.open("a"))
}

pub(super) fn directories() -> Result<()> {
    let source = source()?;
    until_refused(|_| source.open_dir("inside"))
}

/// The guest's own memory stays small: what it hands over is the host's to hold.
pub(super) fn held_bytes() -> Result<()> {
    let megabyte = vec![1; 1 << 20];
    until_refused(|_| streams::from_bytes(&megabyte))
}

pub(super) fn peeks() -> Result<()> {
    let source = source()?;
    until_refused(|_| {
        let stream = source.open("large")?;
        stream.peek(4 << 20)?;
        Ok(stream)
    })
}

pub(super) fn pipes() -> Result<()> {
    until_refused(|_| streams::pipe())
}

pub(super) fn tees() -> Result<()> {
    until_refused(|_| streams::tee(streams::from_bytes(b"x")?))
}

pub(super) fn tools() -> Result<()> {
    until_refused(|_| Tool::new("tool-endless").spawn())
}

pub(super) fn notes() -> Result<()> {
    let value = "n".repeat(100_000);
    until_refused(|count| context::set_note(&format!("note {count}"), &value))
}

pub(super) fn values() -> Result<()> {
    let value = vec![0; 1 << 20];
    until_refused(|count| context::set_state(&format!("value {count}"), &value))
}

pub(super) fn lists() -> Result<()> {
    until_refused(|count| snapshot::expect(&format!("list {count}"), Evidence::SameView)?.finish())
}

/// Patterns that would be a huge automaton together.
pub(super) fn patterns() -> Result<()> {
    let patterns: Vec<_> = (0..20_000).map(|count| format!("**/*{count}*a*b*c*d*")).collect();
    snapshot::put_tree("tree", &source()?, &TreeOptions::default().including(&patterns)).map(drop)
}

pub(super) fn transactions() -> Result<()> {
    until_refused(|_| sql::get("sql-wiki")?.begin())
}

/// Nobody waits for an answer.
pub(super) fn requests() -> Result<()> {
    until_refused(|_| http::get("http-service")?.request("GET", "/").start())
}

pub(super) fn connections() -> Result<()> {
    let endpoint = context::grants().find("tcp", "tcp-service").map(|grant| grant.display.clone()).unwrap_or_default();
    until_refused(|_| tcp::get("tcp-service")?.connect(&endpoint))
}

pub(super) fn holds() -> Result<()> {
    until_refused(|count| {
        holds::take(&format!("hold {count}"), b"", std::time::Duration::from_secs(60), holds::Scope::Part)
    })
}
