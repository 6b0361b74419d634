//! Trees that are stored in a pass ahead, or restored piece by piece.

use strongroom_plugin::{ErrorCode, Outcome, Result, TreeReport, dirs::Dir};

/// Makes a directory and all above it, as far as they are not there.
///
/// # Errors
/// As [`Dir::create_dir`].
pub fn make_directories(dir: &Dir, path: &str) -> Result<()> {
    let mut made = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        made = if made.is_empty() { name.to_owned() } else { format!("{made}/{name}") };
        match dir.create_dir(&made) {
            Err(error) if error.code != ErrorCode::Exists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What became of several trees together.
pub fn sum(reports: impl IntoIterator<Item = TreeReport>) -> TreeReport {
    let nothing = TreeReport {
        expected: 0,
        stored: 0,
        files: 0,
        directories: 0,
        size: 0,
        new_bytes: 0,
        skipped: Vec::new(),
        skipped_count: 0,
    };
    reports.into_iter().fold(nothing, |mut one, other| {
        one.expected += other.expected;
        one.stored += other.stored;
        one.files += other.files;
        one.directories += other.directories;
        one.size += other.size;
        one.new_bytes += other.new_bytes;
        one.skipped.extend(other.skipped);
        one.skipped_count += other.skipped_count;
        one
    })
}

/// What the pass ahead stored and was purged before the second pass stays in the snapshot, beyond what that pass counted:
/// the database may refer to it.
pub fn kept_from_ahead(mut outcome: Outcome) -> Outcome {
    for receipt in &mut outcome.receipts {
        let more = receipt.actual.saturating_sub(receipt.expected);
        receipt.actual -= more;
        outcome.facts.push(("kept from the pass ahead".into(), format!("{more} entries")));
    }
    outcome
}
