//! What `check`, `prune`, `key` and `unlock` say: lines for people, or JSON lines.

use serde_json::json;

use super::{
    json as lines,
    table::{drawn, plain_table},
    words::{self, Paint},
};
use crate::repository::restic::{Amount, Checked, KeyListed, Pruned};

/// JSON: `check_error` and `check_remark` for each of them, then `checked`.
pub fn checked(checked: &Checked, as_json: bool, paint: Paint) -> String {
    let Checked { snapshots, trees, packs, packs_read, bytes_read, errors, remarks } = checked;
    if as_json {
        let named = |kind: &'static str| move |what: &String| lines::line(kind, json!({ "message": what }));
        let fields = json!({
            "snapshots": snapshots, "trees": trees, "packs": packs, "packs_read": packs_read, "bytes_read": bytes_read,
            "errors": errors.len(), "remarks": remarks.len(),
        });
        let said = errors.iter().map(named("check_error")).chain(remarks.iter().map(named("check_remark")));
        return said.chain([lines::line("checked", fields)]).collect();
    }
    let mut text = String::new();
    errors.iter().for_each(|what| text += &format!("{}: {}\n", paint.bad("error"), words::line(what)));
    remarks.iter().for_each(|what| text += &format!("remark: {}\n", words::line(what)));
    let read = match packs_read {
        0 => "none of them read".to_owned(),
        count => format!("{} of them ({}) read", words::count(*count), words::bytes(*bytes_read)),
    };
    let verdict = match errors.len() as u64 {
        0 => paint.good("no errors"),
        count => paint.bad(&words::counted(count, "error", "errors")),
    };
    let [snapshots, trees, packs] =
        [(*snapshots, "snapshot", "snapshots"), (*trees, "tree", "trees"), (*packs, "pack", "packs")]
            .map(|(count, one, many)| words::counted(count, one, many));
    text + &format!("checked {snapshots}, {trees} and {packs}, {read}: {verdict}\n")
}

/// JSON: `pruned`.
pub fn pruned(pruned: &Pruned, dry_run: bool, as_json: bool) -> String {
    let freed = pruned.freed_bytes();
    let Pruned { snapshots, kept, removed, unlisted, repacked, copied_bytes, unused_bytes, unfinished } = pruned;
    if as_json {
        let amount = |amount: &Amount| json!({ "packs": amount.packs, "bytes": amount.bytes });
        let fields = json!({
            "dry_run": dry_run, "snapshots": snapshots, "kept": amount(kept), "removed": amount(removed),
            "unlisted": amount(unlisted), "repacked": amount(repacked), "copied_bytes": copied_bytes,
            "unused_bytes": unused_bytes, "freed_bytes": freed, "unfinished": unfinished,
        });
        return lines::line("pruned", fields);
    }
    let amount =
        |amount: &Amount| format!("{}, {}", words::counted(amount.packs, "pack", "packs"), words::bytes(amount.bytes));
    let copied = words::bytes(*copied_bytes);
    let rows = [
        ("needed by no snapshot", amount(removed)),
        ("in no index", amount(unlisted)),
        ("partly needed", format!("{}; {copied} of it copied", amount(repacked))),
        ("left as they are", format!("{}; {} of it needed by no snapshot", amount(kept), words::bytes(*unused_bytes))),
    ];
    let left = match unfinished {
        0 => String::new(),
        count => format!("left by writers that died: {}\n", words::counted(*count, "file", "files")),
    };
    let rows: String = rows.iter().map(|(what, how)| format!("{what}: {how}\n")).collect();
    let frees = if dry_run { "would free" } else { "freed" };
    format!(
        "{rows}{left}{frees} {}; {} left\n",
        words::bytes(freed),
        words::counted(*snapshots, "snapshot", "snapshots")
    )
}

/// JSON: `key` for each, `warning` for those that cannot be read.
pub fn keys(keys: &[KeyListed], unreadable: &[String], as_json: bool) -> String {
    if as_json {
        let line = |key: &KeyListed| {
            let KeyListed { id, username, hostname, created, in_use } = key;
            let fields = json!({
                "id": id, "username": username, "hostname": hostname, "created": created, "in_use": in_use,
            });
            lines::line("key", fields)
        };
        let warning = |why: &String| lines::line("warning", json!({ "message": why }));
        return keys.iter().map(line).chain(unreadable.iter().map(warning)).collect();
    }
    let mut table = plain_table(&["key", "made by", "on", "at", ""], Paint::default());
    for key in keys {
        let in_use = if key.in_use { "in use" } else { "" };
        let facts = [key.short(), &key.username, &key.hostname, &key.created, in_use];
        table.add_row(facts.map(words::line).to_vec());
    }
    let warnings: String = unreadable.iter().map(|why| format!("unreadable: {}\n", words::line(why))).collect();
    drawn(&mut table, &[]) + &warnings
}

/// A key that was `added`, `removed` or `changed`. JSON: `key_added` and so on.
pub fn key(done: &str, id: &str, as_json: bool) -> String {
    if as_json {
        return lines::line(&format!("key_{done}"), json!({ "id": id }));
    }
    let short = id.get(..8).unwrap_or(id);
    match done {
        "changed" => format!("changed: the new key is {short}; the old password opens nothing any more\n"),
        done => format!("{done} the key {short}\n"),
    }
}

/// JSON: `unlocked`.
pub fn unlocked(removed: usize, as_json: bool) -> String {
    match as_json {
        true => lines::line("unlocked", json!({ "removed": removed })),
        false => format!("removed {}\n", words::counted(removed as u64, "lock", "locks")),
    }
}

/// A verb for which a repository of format zip has no use. JSON: `nothing_to_do`.
pub fn nothing(message: &str, as_json: bool) -> String {
    match as_json {
        true => lines::line("nothing_to_do", json!({ "message": message })),
        false => format!("{message}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_names_what_is_wrong_and_ends_in_a_verdict() {
        let bad = Checked {
            snapshots: 1,
            trees: 2,
            packs: 3,
            errors: vec!["a\u{1b}b".into()],
            remarks: vec!["c".into()],
            ..Checked::default()
        };
        let text = checked(&bad, false, Paint::default());
        assert_eq!(
            text,
            "error: a\\u{1b}b\nremark: c\nchecked 1 snapshot, 2 trees and 3 packs, none of them read: 1 error\n"
        );
        let good = Checked { packs_read: 2, bytes_read: 1 << 20, ..Checked::default() };
        assert!(checked(&good, false, Paint::default()).ends_with("2 of them (1.0 MiB) read: no errors\n"));
        let lines = checked(&bad, true, Paint::default());
        let kinds: Vec<_> =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
        let kinds: Vec<_> = kinds.iter().map(|line| line["message_type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["check_error", "check_remark", "checked"]);
    }

    #[test]
    fn a_prune_says_what_it_freed() {
        let amount = |bytes| Amount { packs: 1, bytes };
        let done = Pruned { removed: amount(3072), repacked: amount(2048), copied_bytes: 1024, ..Pruned::default() };
        assert!(pruned(&done, false, false).ends_with("freed 4.0 KiB; 0 snapshots left\n"));
        assert!(pruned(&done, true, false).contains("would free 4.0 KiB"));
        let line: serde_json::Value = serde_json::from_str(&pruned(&done, true, true)).unwrap();
        assert_eq!((&line["freed_bytes"], &line["dry_run"]), (&json!(4096), &json!(true)));
    }

    #[test]
    fn keys_are_listed_by_eight_digits_and_the_one_in_use_is_marked() {
        let listed = KeyListed {
            id: "0123456789abcdef".into(),
            username: "me".into(),
            hostname: "here".into(),
            created: "2026-11-21T13:00:00Z".into(),
            in_use: true,
        };
        let text = keys(std::slice::from_ref(&listed), &["why".into()], false);
        assert!(text.contains("01234567 ") && text.contains("in use") && text.ends_with("unreadable: why\n"), "{text}");
        assert!(keys(&[listed], &[], true).contains("\"id\":\"0123456789abcdef\""));
    }
}
