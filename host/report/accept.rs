//! What changes when a component is accepted: old and new version, imports, needs and grants, line by line.

use super::words;
use crate::config::lock::Entry;

/// What the lock says of a step now, and what it would say.
pub fn change(step: &str, old: Option<&Entry>, new: &Entry) -> String {
    let mut text = format!("step {}\n", words::line(step));
    text.push_str(&field("plugin", old.map(named), &named(new)));
    text.push_str(&field("sha256", old.map(|old| old.sha256.to_string()), &new.sha256.to_string()));
    text.push_str(&list("imports", old.map(|old| &old.imports[..]), &new.imports));
    text.push_str(&list("needs", old.map(|old| &old.needs[..]), &new.needs));
    text.push_str(&list("grants", old.map(|old| &old.grants[..]), &new.grants));
    text
}

fn named(entry: &Entry) -> String {
    format!("{} {}", words::line(&entry.plugin), words::line(&entry.version))
}

fn field(name: &str, old: Option<String>, new: &str) -> String {
    match old {
        Some(old) if old != new => format!("  {name:<8} {old}\n       ->  {new}\n"),
        _ => format!("  {name:<8} {new}\n"),
    }
}

/// Lines that stay, come (`+`) and go (`-`). Without an old list everything comes.
fn list(name: &str, old: Option<&[String]>, new: &[String]) -> String {
    let known = |line: &String| old.is_some_and(|old| old.contains(line));
    let mut text = format!("  {name}\n");
    for line in new {
        let mark = if known(line) { ' ' } else { '+' };
        text.push_str(&format!("    {mark} {}\n", words::line(line)));
    }
    for line in old.unwrap_or_default().iter().filter(|line| !new.contains(line)) {
        text.push_str(&format!("    - {}\n", words::line(line)));
    }
    text
}
