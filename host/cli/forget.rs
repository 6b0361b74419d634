//! The words of `forget`: rules by restic's names.

use clap::Args;

use super::{LockArgs, RepoArgs};
use crate::config::keep::{Count, GroupBy, Keep, Period, Reach, Rule, Unit};

/// `forget`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom forget --dry-run                     what [policy.keep] of the pipeline file keeps, and what goes
  strongroom forget --keep-daily 7 --keep-monthly 12
  strongroom forget --keep-within 30d --keep-within-monthly 1y
  strongroom forget --group-by host --keep-last 7         seven of each machine
  strongroom forget --repo offsite --keep-weekly 52       of a copy, by rules of its own

The rules have restic's names and meanings. With one or more of them on the command line, those of the file do not count. \
Complete snapshots are judged by themselves: one that is not complete takes no place of one that is. So does none whose \
date cannot be right; it is kept and named. Only the pipeline's own snapshots are ever judged, whatever the groups are: \
others have rules and a lock of their own.")]
pub struct ForgetArgs {
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Judge together what has the same of these, as in `host` or `host,pipeline`; '' is `pipeline`
    #[arg(long, value_name = "GROUPS", default_value = "pipeline")]
    pub group_by: GroupBy,
    /// Say what would be kept and removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Remove although no snapshot of the pipeline, or of a group, would be left
    #[arg(long)]
    pub unsafe_allow_remove_all: bool,
    #[command(flatten)]
    pub repo: RepoArgs,
    #[command(flatten)]
    pub lock: LockArgs,
}

/// Rules, in place of the pipeline file's.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Rules")]
pub struct KeepArgs {
    /// Keep the latest N, or `unlimited`
    #[arg(long, value_name = "N")]
    pub keep_last: Option<Count>,
    /// Keep the latest of each of the last N hours that have one
    #[arg(long, value_name = "N")]
    pub keep_hourly: Option<Count>,
    /// Keep the latest of each of the last N days that have one
    #[arg(long, value_name = "N")]
    pub keep_daily: Option<Count>,
    /// Keep the latest of each of the last N weeks (Monday to Sunday) that have one
    #[arg(long, value_name = "N")]
    pub keep_weekly: Option<Count>,
    /// Keep the latest of each of the last N months that have one
    #[arg(long, value_name = "N")]
    pub keep_monthly: Option<Count>,
    /// Keep the latest of each of the last N years that have one
    #[arg(long, value_name = "N")]
    pub keep_yearly: Option<Count>,
    /// Keep all from this long before the latest, such as 1y5m7d2h
    #[arg(long, value_name = "PERIOD")]
    pub keep_within: Option<Period>,
    /// Keep the latest of each hour from this long before the latest
    #[arg(long, value_name = "PERIOD")]
    pub keep_within_hourly: Option<Period>,
    /// Keep the latest of each day from this long before the latest
    #[arg(long, value_name = "PERIOD")]
    pub keep_within_daily: Option<Period>,
    /// Keep the latest of each week from this long before the latest
    #[arg(long, value_name = "PERIOD")]
    pub keep_within_weekly: Option<Period>,
    /// Keep the latest of each month from this long before the latest
    #[arg(long, value_name = "PERIOD")]
    pub keep_within_monthly: Option<Period>,
    /// Keep the latest of each year from this long before the latest
    #[arg(long, value_name = "PERIOD")]
    pub keep_within_yearly: Option<Period>,
}

impl KeepArgs {
    /// The rules; none when none was given.
    pub fn rules(&self) -> Option<Keep> {
        let counts =
            [self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly];
        let periods = [
            self.keep_within,
            self.keep_within_hourly,
            self.keep_within_daily,
            self.keep_within_weekly,
            self.keep_within_monthly,
            self.keep_within_yearly,
        ];
        let reaches = counts.map(|count| count.map(Reach::Buckets)).into_iter().zip(Unit::ALL);
        let reaches = reaches.chain(periods.map(|period| period.map(Reach::Within)).into_iter().zip(Unit::ALL));
        let rules: Vec<_> = reaches.filter_map(|(reach, unit)| Some(Rule { unit, reach: reach? })).collect();
        (!rules.is_empty()).then(|| Keep::new(rules))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Verb};

    #[test]
    fn rules_on_the_command_line_are_in_place_of_the_files() {
        let keep = |line: &str| match Cli::try_parse_from(line.split_whitespace()).unwrap().verb {
            Verb::Forget(args) => args.keep.rules().map(|keep| keep.to_string()),
            verb => panic!("{verb:?}"),
        };
        assert_eq!(keep("strongroom forget -n"), None);
        assert_eq!(keep("strongroom forget --keep-last 0").as_deref(), Some("nothing"));
        let line = "strongroom forget --keep-within-daily 1y2d --keep-yearly unlimited --keep-daily 7";
        assert_eq!(keep(line).as_deref(), Some("daily 7, yearly unlimited, within-daily 1y2d"));
        assert!(Cli::try_parse_from(["strongroom", "forget", "--keep-within", "3w"]).is_err());
        assert!(Cli::try_parse_from(["strongroom", "forget", "--keep-last", "-1"]).is_err());
    }
}
