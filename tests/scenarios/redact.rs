//! Replaces what differs from run to run: places, ids, times.

use std::{path::Path, sync::LazyLock};

use regex::Regex;

use crate::support::postgres::Database;

/// Patterns and what stands for what they find, in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\b\d{8}T\d{6}Z", "<time>"),
        (r"(?m)^\d\d:\d\d:\d\dZ", "<clock>"),
        // Told only where it takes a while.
        (r"(?m)^<clock> reading .*\n", ""),
        (r"\b[0-9a-f]{64}\b", "<sha256>"),
        (r"\b[0-9a-f]{16}\b", "<id>"),
        (r"\b[0-9a-f]{12}(…|\b)", "<digest>"),
        (r"room for [\d.]+ [KMGT]?i?B", "room for <size>"),
        // Components are not the same on every machine, so neither is what depends on their size.
        (r"\d+ entries and \d+ bytes read back", "<count> entries and <size> bytes read back"),
        (r"(?m)^(\S+ +- +)\d+( - +)(\.strongroom/|SHA256SUMS)", "$1<size>$2$3"),
        (r"(?m)^(\S+) +\d+:\d+ ", "$1 <owner> "),
        (r"(?m)^snapshot +pipeline .*$", "snapshot …"),
        (r"(?m) +[\d.]+ [KMGT]?i?B(  \S+\.zip)$", "  <size>$1"),
        (r"pid \d+", "pid <pid>"),
        // The last column of a table, whose width is the time's.
        (r"(?m) +(\d+(h|m|s|ms) ?)+$", "  <duration>"),
        (r"(?m)^(part .*receipts) +time$", "$1  time"),
        (r"\b(in|after) (\d+(h|m|s|ms) ?)+", "$1 <duration> "),
    ];
    rules.iter().map(|(pattern, word)| (Regex::new(pattern).unwrap(), *word)).collect()
});

/// The text, as it would be at any time on any machine.
pub(super) fn redacted(text: &str, place: &Path, database: Option<&Database>) -> String {
    let mut text = text.replace(&place.display().to_string(), "$DIR");
    if let Some(database) = database {
        text = text
            .replace(&database.name, "$DATABASE")
            .replace(&format!("127.0.0.1:{}", database.port), "127.0.0.1:$PORT");
    }
    text = text.replace(&crate::support::shared("plugins").display().to_string(), "$PLUGINS");
    text = text.replace(&rustix::system::uname().nodename().to_string_lossy()[..], "<host>");
    RULES.iter().fold(text, |text, (pattern, word)| pattern.replace_all(&text, *word).into_owned())
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let text =
        "13:03:07Z backup: snapshot 3f2a00112233aabb, plan 64879f7d6b96\nw/a  files  ok  1  2 B  1/1  1m 4s\n/tmp/x/a";
    let wanted = "<clock> backup: snapshot <id>, plan <digest>\nw/a  files  ok  1  2 B  1/1  <duration>\n$DIR/a";
    assert_eq!(redacted(text, Path::new("/tmp/x"), None), wanted);
}
