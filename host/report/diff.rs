//! How two snapshots differ, as `restic diff` says it: a line for each change, then all of them together.

use serde_json::json;

use super::{json as lines, words};
use crate::repository::{
    Item, Kind,
    difference::{Change, Counts, Totals},
};

/// What is compared, for people.
pub fn begin([before, after]: [&str; 2], json: bool) -> String {
    if json { String::new() } else { format!("comparing snapshot {before} to {after}:\n\n") }
}

/// One change. JSON: `message_type` is `change`.
pub fn line(change: Change, item: &Item, json: bool) -> String {
    let modifier = match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Type => 'T',
        Change::Content => 'M',
        Change::Metadata => 'U',
    };
    let slash = if item.kind == Kind::Directory { "/" } else { "" };
    let path = format!("{}{slash}", item.path.to_text());
    match json {
        true => lines::line("change", json!({ "path": path, "modifier": modifier })),
        false => format!("{modifier}    {}\n", words::line(&path)),
    }
}

/// All changes. JSON: `message_type` is `summary`, with restic's fields and ours.
pub fn summary([before, after]: [&str; 2], totals: &Totals, json: bool) -> String {
    let Totals { added, removed, changed, metadata, .. } = totals;
    if json {
        let sized = |counts: &Counts| json!({ "files": counts.files, "dirs": counts.dirs, "others": counts.others, "bytes": counts.bytes });
        let counted = |counts: &Counts| json!({ "files": counts.files, "dirs": counts.dirs, "others": counts.others });
        let fields = json!({
            "operation": "diff", "source_snapshot": before, "target_snapshot": after, "changed_files": changed.files,
            "added": sized(added), "removed": sized(removed), "changed": counted(changed),
            "metadata": counted(metadata),
        });
        return lines::line("summary", fields);
    }
    let row = |what: &str, of: fn(&Counts) -> u64| {
        let [added, removed, changed] = [added, removed, changed].map(|counts| words::count(of(counts)));
        format!("{what:<7} {added:>9} new, {removed:>9} removed, {changed:>9} changed\n")
    };
    let rows = [
        row("Files:", |counts| counts.files),
        row("Dirs:", |counts| counts.dirs),
        row("Others:", |counts| counts.others),
    ];
    let same = metadata.files + metadata.dirs + metadata.others;
    let only = match same {
        0 => String::new(),
        _ => format!("  Only times, modes, owners or annotations: {}\n", words::count(same)),
    };
    let bytes = [("Added:", added.bytes), ("Removed:", removed.bytes)];
    let bytes: String = bytes.iter().map(|(what, bytes)| format!("  {what:<9} {}\n", words::bytes(*bytes))).collect();
    format!("\n{}{only}{bytes}", rows.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::RawPath, repository::Meta};

    #[test]
    fn a_change_is_a_letter_and_a_path_that_cannot_play_tricks() {
        let path = RawPath::from_bytes(b"wiki/a\x1b[2J").unwrap();
        let file = Item { path: path.clone(), kind: Kind::File, size: 1, meta: Meta::default() };
        assert_eq!(line(Change::Content, &file, false), "M    wiki/a\\u{1b}[2J\n");
        let directory = Item { kind: Kind::Directory, ..file };
        assert_eq!(line(Change::Added, &directory, false), "+    wiki/a\\u{1b}[2J/\n");
        let json: serde_json::Value = serde_json::from_str(&line(Change::Removed, &directory, true)).unwrap();
        assert_eq!((&json["message_type"], &json["modifier"]), (&"change".into(), &"-".into()));
    }

    #[test]
    fn a_summary_counts_what_is_new_gone_and_changed() {
        let added = Counts { files: 1, dirs: 2, others: 0, bytes: 2048 };
        let changed = Counts { files: 3, ..Counts::default() };
        let totals = Totals { added, changed, metadata: changed, ..Totals::default() };
        insta::assert_snapshot!(summary(["a", "b"], &totals, false), @r"
        Files:          1 new,         0 removed,         3 changed
        Dirs:           2 new,         0 removed,         0 changed
        Others:         0 new,         0 removed,         0 changed
          Only times, modes, owners or annotations: 3
          Added:    2.0 KiB
          Removed:  0 B
        ");
        let json: serde_json::Value = serde_json::from_str(&summary(["a", "b"], &totals, true)).unwrap();
        assert_eq!((&json["changed_files"], &json["added"]["bytes"]), (&3.into(), &2048.into()));
        assert_eq!((&json["source_snapshot"], &json["target_snapshot"]), (&"a".into(), &"b".into()));
    }
}
