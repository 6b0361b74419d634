//! Trees that are stored in a pass ahead, or restored piece by piece.

use strongroom_plugin::{
    ErrorCode, Outcome, Result, TreeOptions, TreeReport, archive,
    dirs::{self, Dir},
};

use crate::located::Located;

/// A place in a granted directory, and what of a part goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Below the part; empty for all of it that has no place elsewhere.
    pub from: String,
    /// Where to.
    pub to: Located,
}

impl Target {
    /// The place of a whole part.
    pub fn whole(to: Located) -> Self {
        Self { from: String::new(), to }
    }

    /// Restores what of the part goes there; its directory is made where there is none.
    ///
    /// # Errors
    /// As [`archive::restore_subtree`].
    pub fn restore(&self, part: &str, options: &TreeOptions) -> Result<TreeReport> {
        let dir = dirs::get(&self.to.grant)?;
        make_directories(&dir, &self.to.path)?;
        archive::restore_subtree(part, &self.from, &dir, &self.to.path, options)
    }
}

/// Makes a directory and all above it, as far as they are not there.
fn make_directories(dir: &Dir, path: &str) -> Result<()> {
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
