//! Keeps secrets that someone wrote into the file out of what is drawn of it.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

const SHOWN: &str = "[secret]";

/// `text` with `[secret]` in place of each hidden range, and the problems' spans moved with it.
/// The length of what is hidden cannot be told from the result.
pub(super) fn redact(text: &str, mut hidden: Vec<Range<usize>>, problems: &mut [Diagnostic]) -> String {
    hidden.sort_by_key(|range| (range.start, range.end));
    hidden.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for range in &hidden {
        shown.push_str(text.get(end..range.start).unwrap_or_default());
        shown.push_str(SHOWN);
        end = range.end;
    }
    shown.push_str(text.get(end..).unwrap_or_default());
    for span in problems.iter_mut().filter_map(|problem| problem.span.as_mut()) {
        *span = moved(&hidden, span.start, false)..moved(&hidden, span.end, true);
    }
    shown
}

/// Where `offset` lies once every hidden range is as long as [`SHOWN`]; inside one: its edge.
fn moved(hidden: &[Range<usize>], offset: usize, is_end: bool) -> usize {
    let mut shift = 0_isize;
    for range in hidden.iter().take_while(|range| range.start < offset) {
        if offset < range.end {
            let edge = if is_end { range.start + SHOWN.len() } else { range.start };
            return edge.saturating_add_signed(shift);
        }
        shift += SHOWN.len() as isize - range.len() as isize;
    }
    offset.saturating_add_signed(shift)
}

/// What may be a secret in a text that is no TOML, so that nothing better is known of it than its lines: too much
/// rather than too little.
pub(super) fn likely_secrets(text: &str) -> Vec<Range<usize>> {
    let (mut hidden, mut start, mut in_grant) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        let is_header = body.trim_start().starts_with('[');
        in_grant = body.contains("grant") || in_grant && !is_header;
        let from = match is_header {
            true => body.find(']').map_or(0, |bracket| bracket + 1),
            false => doubtful(body, in_grant).unwrap_or(body.len()),
        };
        let from = from + (body[from..].len() - body[from..].trim_start().len());
        if from < body.len() {
            hidden.push(start + from..start + body.len());
        }
        start += line.len();
    }
    hidden
}

/// Where in a line that is no header a secret may begin.
fn doubtful(line: &str, in_grant: bool) -> Option<usize> {
    // ASCII case only, so that offsets in the lower-case copy are offsets in the line.
    let lower = line.to_ascii_lowercase();
    let after_equals = |from: usize| line[from..].find('=').map(|equals| from + equals + 1);
    if lower.contains("://") && lower.contains('@') {
        return Some(after_equals(0).unwrap_or(0));
    }
    if let Some(end) = SENSITIVE.iter().filter_map(|word| Some(lower.find(word)? + word.len())).min() {
        return Some(after_equals(end).unwrap_or(end));
    }
    let key = line.split('=').next().unwrap_or_default().trim();
    (in_grant && !HARMLESS.contains(&key)).then(|| after_equals(0).unwrap_or(0))
}

/// Keys of grants behind which no secret stands.
const HARMLESS: [&str; 9] =
    ["path", "access", "timeout", "connect-timeout", "argv", "offline", "ok-exit", "methods", "paths"];

/// Words in keys behind which a secret is likely.
const SENSITIVE: [&str; 4] = ["passw", "passphrase", "secret", "token"];

/// Whether a variable of this name is likely to hold a secret itself, and not the path of a file with one.
pub(super) fn names_a_secret(variable: &str) -> bool {
    let lower = variable.to_ascii_lowercase();
    let is_file = ["file", "path", "dir"].iter().any(|end| lower.ends_with(end));
    !is_file && SENSITIVE.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_range_is_replaced_and_carets_after_it_still_fit() {
        let text = "a = \"hunter2\"\nb = 3";
        let at = text.find('b').unwrap();
        let problem = |span| Diagnostic { message: String::new(), span: Some(span), help: None };
        let mut problems = [problem(at..at + 1), problem(4..13), problem(0..1)];
        let shown = redact(text, vec![4..13, 5..8], &mut problems);
        assert_eq!(shown, "a = [secret]\nb = 3");
        let drawn: Vec<_> = problems.iter().map(|problem| &shown[problem.span.clone().unwrap()]).collect();
        assert_eq!(drawn, ["b", "[secret]", "a"]);
    }

    #[test]
    fn a_text_that_is_no_toml_hides_what_may_be_a_secret() {
        let text =
            "password = hunter2\nenv = { PGPASSWORD = hunter2 }\n[step.a.grant.secrets]\napi = hunter2\n[b]\nc = 1";
        let shown = redact(text, likely_secrets(text), &mut []);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("c = 1"));
        assert!(likely_secrets("[a.grant.dirs.b]\npath = oops\n[c]\nhandles = oops").is_empty());
    }
}
