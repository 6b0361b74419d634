//! The words of verbs about a repository as a whole: `check`, `prune`, `copy`, `key` and `unlock`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{LockArgs, RepoArgs, patience, snapshot};
use crate::repository::restic::{MaxUnused, Reading};

/// How long to wait for others.
#[derive(Args, Clone, Debug)]
pub struct OthersArgs {
    /// Wait this long for others who use the repository, such as 90s or 2h [default: do not wait]
    #[arg(long, value_name = "DURATION", value_parser = patience)]
    pub retry_lock: Option<Duration>,
}

/// `check`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom check                             whether all that snapshots need is there
  strongroom check --read-data                 read every byte of it, too
  strongroom check --read-data-subset 3/7      a seventh of it, another one each day of the week
  strongroom check --read-data-subset 5%

For repositories of format restic; a set of format zip is checked by `verify`.

Exit codes: 0 no errors; 1 something is missing or damaged; 10 no such repository; 11 somebody removes from it; \
12 wrong password.")]
pub struct CheckArgs {
    /// Read every pack
    #[arg(long, conflicts_with = "read_data_subset")]
    pub read_data: bool,
    /// Read some packs: 2/5 is the second of five groups; 2.5% and 10G are chosen at random
    #[arg(long, value_name = "SUBSET")]
    pub read_data_subset: Option<Reading>,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub repo: RepoArgs,
}

impl CheckArgs {
    /// How much of the packs is read.
    pub fn reading(&self) -> Reading {
        if self.read_data { Reading::All } else { self.read_data_subset.unwrap_or_default() }
    }
}

/// `prune`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom forget && strongroom prune
  strongroom prune --dry-run --max-unused 0

`forget` removes snapshots of a repository of format restic, `prune` what only they needed. Nothing is lost if it is \
ended at any moment. It uses the repository alone: nobody else can read it or write to it meanwhile.

Exit codes: 0 done; 1 it cannot be told for certain what is needed, or the storage failed; 10 no such repository; \
11 somebody uses it; 12 wrong password.")]
pub struct PruneArgs {
    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Let so much stay that nobody needs, so that less is copied: 5%, 10G or unlimited
    #[arg(long, value_name = "AMOUNT", default_value = "5%")]
    pub max_unused: MaxUnused,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `copy`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom copy                          to each repository that is `copy-of` ours, what it lacks
  strongroom copy 3f2a9c01 --to offsite
  strongroom snapshots --repo offsite      what is there
  strongroom restore latest --repo offsite

`backup` copies what it made by itself; this catches up: snapshots that were made before the repository was there, or \
while it could not be reached. A copy has the snapshot's own id and record. What is written is read back.

Exit codes: 0 all of it is there and proven; 1 something was not copied; 5 the pipeline has no such repository; 10 no \
such repository or snapshot; 11 locked by another run; 12 wrong password.")]
pub struct CopyArgs {
    /// Ids, or the first four or more digits of them, or `latest` [default: all that are not there]
    #[arg(value_name = "SNAPSHOT", value_parser = snapshot)]
    pub snapshots: Vec<String>,
    /// The repository's name in the pipeline file; may be repeated [default: all that have `copy-of`]
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,
    #[command(flatten)]
    pub lock: LockArgs,
}

/// Verbs about the passwords of a repository of format restic.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// List the keys; each opens with a password of its own
    List(KeyListArgs),
    /// Add a password
    Add(KeyNewArgs),
    /// Remove a password, but not the one in use
    Remove(KeyRemoveArgs),
    /// Replace the password in use
    Passwd(KeyNewArgs),
}

/// `key list`
#[derive(Args, Clone, Debug)]
pub struct KeyListArgs {
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `key add` and `key passwd`
#[derive(Args, Clone, Debug)]
pub struct KeyNewArgs {
    /// The new password is in this file; a line break at its end is not part of it
    #[arg(long, value_name = "FILE")]
    pub new_password_file: PathBuf,
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `key remove`
#[derive(Args, Clone, Debug)]
pub struct KeyRemoveArgs {
    /// The key, or the first digits of it, as `key list` prints them
    #[arg(value_name = "KEY")]
    pub key: String,
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `unlock`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A lock whose process is gone from this machine, or that was not renewed for half an hour, keeps nobody away; this \
removes its file. Remove all only where you know that nobody uses the repository: not on another machine, either.")]
pub struct UnlockArgs {
    /// Remove locks that count, too
    #[arg(long)]
    pub remove_all: bool,
    #[command(flatten)]
    pub repo: RepoArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    #[test]
    fn how_much_is_read_is_said_as_restic_says_it() {
        let reading = |line: &str| match Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.verb) {
            Ok(Verb::Check(args)) => Some(args.reading()),
            _ => None,
        };
        assert_eq!(reading("strongroom check"), Some(Reading::Nothing));
        assert_eq!(reading("strongroom check --read-data"), Some(Reading::All));
        assert_eq!(reading("strongroom check --read-data-subset 2/5"), Some(Reading::Group { part: 2, of: 5 }));
        assert_eq!(reading("strongroom check --read-data --read-data-subset 2/5"), None);
        assert_eq!(reading("strongroom check --read-data-subset 0%"), None);
    }

    #[test]
    fn what_may_stay_is_five_hundredths_unless_said() {
        let amount = |line: &str| match Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.verb) {
            Ok(Verb::Prune(args)) => Some(args.max_unused),
            _ => None,
        };
        assert_eq!(amount("strongroom prune"), Some(MaxUnused::default()));
        assert_eq!(amount("strongroom prune --max-unused unlimited"), Some(MaxUnused::Unlimited));
        assert_eq!(amount("strongroom prune --max-unused many"), None);
    }
}
