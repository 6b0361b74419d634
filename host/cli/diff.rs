//! The words of `diff`: two snapshots, and what of them is compared.

use clap::Args;

use super::{RepoArgs, snapshot};

/// `diff`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom diff latest~1 latest                 what the last night changed
  strongroom diff 3f2a 91bc wiki/home             only what lies there
  strongroom diff --metadata --json 3f2a 91bc

Ahead of each path: + added, - removed, M other content (of a link: another target), T another type, U (with --metadata) \
only other times, modes, owners or annotations. Content is compared by the digests that the snapshots hold; it is read \
only where they hold none that can be compared. Bytes are those of added, removed and changed files, before they are \
packed. What strongroom itself adds to each snapshot is compared only when PATH leads there.

Exit codes: 0 whether or not they differ; 1 nothing at PATH, or damage; 10 no such snapshot.")]
pub struct DiffArgs {
    /// The older one: an id, the first four or more digits of one, `latest`, or `latest~1` for the one before it
    #[arg(value_name = "SNAPSHOT", value_parser = snapshot)]
    pub before: String,
    /// The newer one
    #[arg(value_name = "SNAPSHOT", value_parser = snapshot)]
    pub after: String,
    /// Only what lies at or below this path, such as wiki/home
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Show what has other times, modes, owners or annotations only, too
    #[arg(long)]
    pub metadata: bool,
    /// Let `latest` be the latest of any state, not the latest complete one
    #[arg(long)]
    pub any_state: bool,
    #[command(flatten)]
    pub repo: RepoArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Verb};

    #[test]
    fn two_snapshots_are_needed_and_may_be_counted_back_from_the_latest() {
        let Verb::Diff(args) = Cli::parse_from(["strongroom", "diff", "latest~12", "3F2A", "wiki"]).verb else {
            panic!()
        };
        assert_eq!(
            (args.before.as_str(), args.after.as_str(), args.path.as_deref()),
            ("latest~12", "3f2a", Some("wiki"))
        );
        for wrong in [&["latest"][..], &["latest~", "latest"], &["latest~-1", "latest"], &["3f2a~1", "latest"]] {
            assert!(Cli::try_parse_from(["strongroom", "diff"].iter().chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
