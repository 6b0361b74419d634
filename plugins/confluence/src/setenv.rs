//! Reads and rewrites Java system properties that `bin/setenv.sh` gives to Confluence.

use std::ops::Range;

/// The value of `-Dname=` on the last line that sets it, comments left aside.
pub fn system_property(script: &str, name: &str) -> Option<String> {
    find(script, name).map(|span| script[span].to_owned())
}

/// The script with that value replaced; none when it does not set the property.
pub fn rewrite(script: &str, name: &str, value: &str) -> Option<String> {
    let span = find(script, name)?;
    Some(format!("{}{value}{}", &script[..span.start], &script[span.end..]))
}

fn find(script: &str, name: &str) -> Option<Range<usize>> {
    let option = format!("-D{name}=");
    let mut found = None;
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let live = live_length(line);
        for (hit, _) in line[..live].match_indices(&option) {
            let before = line[..hit].chars().next_back();
            if before.is_none_or(|before| before.is_whitespace() || "\"'=".contains(before)) {
                let from = hit + option.len();
                found = Some(at + from..at + from + value_length(&line[from..], before));
            }
        }
        at += line.len();
    }
    // `-Dname="…"`: the quotes are the shell's.
    found.map(|span| match script[span.clone()].chars().next() {
        Some('"' | '\'') => span.start + 1..span.end - usize::from(span.len() > 1),
        _ => span,
    })
}

/// How much of a line is not a comment: a `#` begins one at the line's start or behind a blank, outside quotes.
fn live_length(line: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') if before.is_whitespace() => return at,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        before = character;
    }
    line.len()
}

/// Up to the blank or the quote that ends the value; one that opens with a quote ends with its twin, and one
/// inside a quoted option ends with that quote.
fn value_length(text: &str, before: Option<char>) -> usize {
    match (text.chars().next(), before) {
        (Some(quote @ ('"' | '\'')), _) => text[1..].find(quote).map_or(text.trim_end().len(), |length| length + 2),
        _ => {
            text.find(|character: char| character.is_whitespace() || "\"'\\".contains(character)).unwrap_or(text.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../fixtures/a-cluster-pg-9x/install/bin/setenv.sh");
    const HOME: &str = "confluence.home";

    #[test]
    fn commented_lines_are_ignored() {
        assert_eq!(system_property(FIXTURE, HOME), None);
        assert_eq!(system_property(FIXTURE, "confluence.cluster.node.name").as_deref(), Some("kb-node-1"));
        assert_eq!(system_property("export A=1 # -Dconfluence.home=/no\n", HOME), None);
    }

    #[test]
    fn values_end_where_the_shell_ends_them_and_the_last_wins() {
        let value = |script| system_property(script, HOME);
        assert_eq!(value("X=\"-Dconfluence.home=/a\"\nX=\"$X -Dconfluence.home=/b -Dy=1\"\n").as_deref(), Some("/b"));
        assert_eq!(value("X=\"$X -Dconfluence.home=/a\"").as_deref(), Some("/a"));
        assert_eq!(value("X='-Dconfluence.home=\"/with blank\" -Dz=1'").as_deref(), Some("/with blank"));
        assert_eq!(value("X=-Dmy-Dconfluence.home=/no"), None);
        assert_eq!(value("X='-Dconfluence.homes=/no'"), None);
    }

    #[test]
    fn a_rewrite_touches_one_value() {
        let script = "A=\"-Dconfluence.home=/old $A\"\nB=2\n";
        assert_eq!(rewrite(script, HOME, "/new").as_deref(), Some("A=\"-Dconfluence.home=/new $A\"\nB=2\n"));
        assert_eq!(rewrite(FIXTURE, HOME, "/new"), None);
    }
}
