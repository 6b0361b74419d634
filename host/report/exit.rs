//! The exit codes of every verb, in one place. `docs/operations.md` prints this table, and a test compares the two.

/// All that was asked for was done and, for a backup or a verification, proven.
pub const DONE: u8 = 0;
/// Nothing of what was asked for was done, or a verification found damage.
pub const FAILED: u8 = 1;
/// The command line could not be understood.
pub const USAGE: u8 = 2;
/// A part failed; the rest was kept or restored.
pub const PARTIAL: u8 = 3;
/// What was kept or read is whole, but its consistency is not proven.
pub const UNPROVEN: u8 = 4;
/// A rule said no: a component that is not accepted, another plan than expected, a target that is not empty.
pub const REFUSED: u8 = 5;
/// The repository or the snapshot does not exist.
pub const MISSING: u8 = 10;
/// Another run holds the pipeline's lock.
pub const LOCKED: u8 = 11;
/// The password opens no key of the repository.
pub const WRONG_PASSWORD: u8 = 12;
/// Ended by SIGINT or SIGTERM.
pub const CANCELED: u8 = 130;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: u8,
    /// The verbs that end with it.
    pub verbs: &'static str,
    /// What it means there.
    pub meaning: &'static str,
}

const fn row(code: u8, verbs: &'static str, meaning: &'static str) -> Row {
    Row { code, verbs, meaning }
}

/// Every code that this program ends with. A code that is not here must be treated as a failure.
pub const TABLE: &[Row] = &[
    row(DONE, "backup", "the snapshot is complete: every part proved what it stored"),
    row(DONE, "verify", "every byte was read back, and every plugin's check passed"),
    row(DONE, "restore", "every part that was asked for was restored"),
    row(DONE, "dump", "the content was written whole, and its checksum is right"),
    row(DONE, "doctor", "no problem was found; there may be warnings"),
    row(DONE, "recover", "no hold stands any more; with `--list`: whatever stands"),
    row(DONE, "others", "done"),
    row(FAILED, "backup", "nothing was kept: no snapshot is visible"),
    row(FAILED, "plan", "a blocker stands in the way of a backup"),
    row(FAILED, "verify", "damage, or a plugin's check failed"),
    row(
        FAILED,
        "restore",
        "nothing was restored: a target that is not empty, a damaged snapshot, or every part failed",
    ),
    row(
        FAILED,
        "dump",
        "there is no such file, it is damaged, or standard output failed: what was written is not whole",
    ),
    row(FAILED, "doctor", "a problem was found"),
    row(FAILED, "recover", "a hold could not be released: it stays in the journal. With `--list`: one cannot be read"),
    row(FAILED, "others", "failed"),
    row(USAGE, "all", "the command line is wrong"),
    row(PARTIAL, "backup", "the snapshot is partial: a part failed or its receipts differ, the rest is kept"),
    row(PARTIAL, "forget", "some snapshots that no rule keeps could not be removed, or are being read"),
    row(PARTIAL, "restore", "some parts were restored, others failed; or `--files` had to leave entries out"),
    row(UNPROVEN, "backup", "the snapshot is unproven or inconsistent"),
    row(UNPROVEN, "verify", "bytes only: they are whole, but no trusted component could check what they mean"),
    row(REFUSED, "plan, backup", "a component or its grants are not accepted, or the plan is not the expected one"),
    row(REFUSED, "restore", "a component is not trusted, or the target holds parts of another snapshot"),
    row(REFUSED, "forget", "no rule says what to keep, or the rules would keep nothing: nothing was removed"),
    row(REFUSED, "plugin accept", "nothing was accepted"),
    row(REFUSED, "init", "there is a repository already: it was left as it is"),
    row(MISSING, "backup", "a repository of format restic that was not made"),
    row(MISSING, "ls, dump, verify, restore, snapshots, forget", "no such repository or snapshot"),
    row(LOCKED, "backup, restore, forget, recover", "another run of this pipeline is going on"),
    row(LOCKED, "others", "somebody uses the repository in a way that does not go with it"),
    row(WRONG_PASSWORD, "all", "the password opens no key of the repository, or none was given"),
    row(CANCELED, "all", "ended by SIGINT or SIGTERM"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::state::State;

    #[test]
    fn every_state_of_a_snapshot_ends_with_a_documented_code() {
        for state in [State::Complete, State::Unproven, State::Inconsistent, State::Partial] {
            let documented = TABLE.iter().any(|row| {
                row.verbs == "backup" && row.code == state.exit_code() && row.meaning.contains(state.word())
            });
            assert!(documented, "{state}");
        }
    }

    #[test]
    fn the_manual_prints_this_table() {
        let manual = include_str!("../../docs/operations.md");
        for Row { code, verbs, meaning } in TABLE {
            let line = format!("| {code} | {verbs} | {meaning} |\n");
            assert!(manual.contains(&line), "{line}");
        }
    }

    #[test]
    fn no_verb_has_two_meanings_for_one_code() {
        for (index, row) in TABLE.iter().enumerate() {
            let twice = TABLE[index + 1..].iter().any(|other| other.code == row.code && other.verbs == row.verbs);
            assert!(!twice, "{row:?}");
        }
    }
}
