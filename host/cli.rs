//! The words that a user may type, and the help. Decides nothing.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{config::Place, digest::Digest, report};

mod diff;
mod forget;
mod place;
mod repository;

pub use diff::DiffArgs;
pub use forget::{ForgetArgs, KeepArgs};
pub use repository::{
    CheckArgs, CopyArgs, KeyListArgs, KeyNewArgs, KeyRemoveArgs, KeyVerb, OthersArgs, PruneArgs, UnlockArgs,
};

/// Where the pipeline is looked for when `--config` is not given, in this order.
pub const DEFAULT_CONFIGS: [&str; 2] = ["strongroom.toml", "/etc/strongroom/strongroom.toml"];

/// Backs up and restores whole products. What a product is, plugins know: WebAssembly components that reach only what
/// the pipeline file grants them by name.
#[derive(Clone, Debug, Parser)]
#[command(name = "strongroom", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  strongroom config new --plugin files --grant dirs.source=/srv/data -o first.toml
  strongroom -c first.toml plan         what would happen; writes nothing
  strongroom -c first.toml backup       do it; 0 only when it is proven complete
  strongroom -c first.toml verify       read the latest complete snapshot back
  strongroom -c target.toml restore     bring it back into what that file grants

Exit codes: 0 done and proven, 1 failed, 2 wrong usage, 3 partial, 4 unproven or inconsistent, 5 refused, \
10 no such repository or snapshot, 11 locked by another run, 12 wrong password, 130 canceled. Treat any other as a failure.";

/// Options of every verb.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every verb")]
pub struct Global {
    /// The pipeline file [default: ./strongroom.toml, then /etc/strongroom/strongroom.toml]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Print only warnings and the last line
    #[arg(short, long, global = true, conflicts_with_all = ["verbose", "json"])]
    pub quiet: bool,
    /// Print what plugins log; twice: at level debug too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print JSON lines on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Append every event to this file: as JSON lines when its name ends in .json or .jsonl
    #[arg(long, value_name = "FILE", global = true)]
    pub log_file: Option<PathBuf>,
    /// Which events the log file takes, written as for RUST_LOG
    #[arg(
        long,
        value_name = "FILTER",
        global = true,
        env = "RUST_LOG",
        hide_env_values = true,
        default_value = "info"
    )]
    pub log_filter: String,
}

impl Global {
    /// The pipeline file: as given, else the first of [`DEFAULT_CONFIGS`] that exists, else the first.
    pub fn config(&self) -> PathBuf {
        let default = || DEFAULT_CONFIGS.iter().map(PathBuf::from).find(|path| path.exists());
        self.config.clone().or_else(default).unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIGS[0]))
    }

    /// How the run is reported.
    pub fn report(&self) -> report::Options {
        report::Options {
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            no_progress: self.no_progress,
            log_file: self.log_file.clone(),
            log_filter: self.log_filter.clone(),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Check a pipeline file, show what it means, or write a first one
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Make the pipeline's repository
    #[command(after_help = INIT_HELP)]
    Init,
    /// Ask every plugin what there is to do and print it; nothing is written
    Plan,
    /// Make a snapshot
    Backup(BackupArgs),
    /// List the snapshots of the repository
    Snapshots(SnapshotsArgs),
    /// Remove the pipeline's snapshots that no rule keeps
    Forget(ForgetArgs),
    /// Remove from a repository of format restic what no snapshot needs
    Prune(PruneArgs),
    /// Look whether a repository of format restic is whole
    Check(CheckArgs),
    /// List and change the passwords of a repository of format restic
    #[command(subcommand)]
    Key(KeyVerb),
    /// Remove locks that nobody holds any more from a repository of format restic
    Unlock(UnlockArgs),
    /// Copy snapshots to the pipeline's other repositories, and prove the copies
    Copy(CopyArgs),
    /// List what a snapshot holds
    Ls(LsArgs),
    /// Show how two snapshots differ
    Diff(DiffArgs),
    /// Write the content of one file of a snapshot to standard output, without any plugin
    Dump(DumpArgs),
    /// Read a snapshot back, every byte, and let its plugins check what it means
    Verify(VerifyArgs),
    /// Bring a snapshot back into what the pipeline file grants
    Restore(RestoreArgs),
    /// Undo what runs that died have left changed in products
    Recover(RecoverArgs),
    /// Build, inspect and accept plugins
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Look whether a backup could work: tools, grants, secrets, room, clocks, lock, plugins
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Print a script that completes the command line in a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
    /// Print the manual page, or write those of all verbs
    #[command(after_help = MAN_HELP)]
    Man {
        /// Write a page for strongroom and for each of its verbs into this directory, which must exist
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Compile one component into the cache; run by strongroom itself, in a process with limits
    #[command(name = "__compile", hide = true)]
    Compile {
        /// The component.
        file: PathBuf,
    },
}

const INIT_HELP: &str = "\
Example:
  strongroom -c strongroom.toml init

A repository of format restic must be made before the first backup, so that none is begun in an empty directory whose file \
system is not mounted. One of format zip is made by the first backup, too.

Exit codes: 0 made; 5 there is one already.";

const DOCTOR_HELP: &str = "\
Example:
  strongroom -c strongroom.toml doctor

One line for each thing that was looked at: ok, warning or problem. Nothing is changed and nothing is locked. Tools that \
are given a database's address are asked for their version with --version; commands of secrets are run. No secret is \
printed.

Exit codes: 0 no problem; 1 a problem.";

const COMPLETIONS_HELP: &str = "\
Examples:
  strongroom completions bash > /etc/bash_completion.d/strongroom
  strongroom completions zsh > /usr/local/share/zsh/site-functions/_strongroom
  strongroom completions fish > ~/.config/fish/completions/strongroom.fish";

const MAN_HELP: &str = "\
Examples:
  strongroom man | man -l -
  strongroom man --dir /usr/local/share/man/man1";

/// Verbs about the pipeline file.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Read the pipeline file and name every problem in it
    Validate,
    /// Print the pipeline as meant: defaults filled in, paths absolute, secrets as where they come from
    #[command(after_help = "\
Examples:
  strongroom -c strongroom.toml config show           as a pipeline file
  strongroom -c strongroom.toml config show --json    the same as one JSON object")]
    Show,
    /// Print the JSON Schema of the pipeline file, for editors and other programs
    #[command(after_help = "\
Example:
  strongroom config schema > strongroom.schema.json

What only a look at the whole file can tell (such as `after` that names no step) is said by `config validate`.")]
    Schema,
    /// Write a commented pipeline file for a plugin, from what it says that it needs
    #[command(after_help = "\
Example:
  strongroom config new --plugin files --grant dirs.source=/srv/data -o first.toml

The plugin is asked what it needs, then (with what was granted so far) what it would want, until nothing is missing. \
Its component is accepted: strongroom.lock beside the file pins it.")]
    New(ConfigNewArgs),
}

/// `config new`
#[derive(Args, Clone, Debug)]
pub struct ConfigNewArgs {
    /// A plugin's name, or the path of a component
    #[arg(long, value_name = "NAME|FILE")]
    pub plugin: String,
    /// A grant, such as dirs.home=/var/lib/product; may be repeated
    #[arg(long = "grant", value_name = "KIND.NAME=VALUE", value_parser = grant)]
    pub grants: Vec<(String, String)>,
    /// Write to this file, which must not exist [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The pipeline's name [default: the plugin's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// `backup`
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// Refuse (exit code 5) unless the plan has this hash
    #[arg(long, value_name = "HASH", value_parser = digest)]
    pub expect_plan: Option<Digest>,
    #[command(flatten)]
    pub lock: LockArgs,
}

/// How long to wait for another run.
#[derive(Args, Clone, Debug)]
pub struct LockArgs {
    /// Wait this long for another run of the pipeline, or others who use its repository, such as 90s or 2h [default: do
    /// not wait]
    #[arg(long, value_name = "DURATION", value_parser = patience)]
    pub retry_lock: Option<Duration>,
}

/// Which repository.
#[derive(Args, Clone, Debug)]
pub struct RepoArgs {
    /// The repository: its name in the pipeline file, a directory, sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET/PREFIX
    /// [default: the one that backups are written to]
    #[arg(long, value_name = "REPOSITORY", env = "STRONGROOM_REPO", hide_env_values = true, value_parser = place::PlaceParser)]
    pub repo: Option<Place>,
    /// Open encrypted snapshots with the age identities in this file [default: the pipeline file's]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Open a repository of format restic with the password in this file [default: the pipeline file's]
    #[arg(long, value_name = "FILE", env = "STRONGROOM_PASSWORD_FILE", hide_env_values = true)]
    pub password_file: Option<PathBuf>,
}

/// Which snapshot.
#[derive(Args, Clone, Debug)]
pub struct SnapshotArgs {
    /// An id, the first four or more digits of one, or `latest`
    #[arg(value_name = "SNAPSHOT", default_value = "latest", value_parser = snapshot)]
    pub snapshot: String,
    /// Let `latest` be the latest of any state, not the latest complete one
    #[arg(long)]
    pub any_state: bool,
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// Which component to believe.
#[derive(Args, Clone, Debug)]
pub struct TrustArgs {
    /// Use this component instead of the one that the snapshot holds
    #[arg(long, value_name = "FILE")]
    pub plugin: Option<PathBuf>,
    /// Trust the snapshot's component with this digest although strongroom.lock does not name it; may be repeated
    #[arg(long, value_name = "sha256:HEX", value_parser = digest)]
    pub trust_plugin: Vec<Digest>,
}

/// `snapshots`
#[derive(Args, Clone, Debug)]
pub struct SnapshotsArgs {
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `ls`
#[derive(Args, Clone, Debug)]
pub struct LsArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// Only what lies below this path, such as wiki/home
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
}

/// `dump`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom dump latest wiki/database/database.dump | pg_restore --list
  strongroom dump --repo /srv/backup/wiki 3f2a .strongroom/record.json

What is written is known to be whole only when the exit code is 0: its checksum stands at its end. Standard output holds \
nothing but the content.

Exit codes: 0 whole; 1 no such file, damage, or standard output failed; 10 no such snapshot.")]
pub struct DumpArgs {
    /// An id, the first four or more digits of one, or `latest`
    #[arg(value_name = "SNAPSHOT", value_parser = snapshot)]
    pub snapshot: String,
    /// The file's path in the snapshot, as `strongroom ls` prints it
    #[arg(value_name = "PATH")]
    pub path: String,
    /// Let `latest` be the latest of any state, not the latest complete one
    #[arg(long)]
    pub any_state: bool,
    #[command(flatten)]
    pub repo: RepoArgs,
}

/// `verify`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit codes: 0 proven; 1 damaged, or a plugin's check failed; 4 the bytes are whole, but no trusted component could check \
what they mean; 10 no such snapshot.")]
pub struct VerifyArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// `restore`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom restore -c target.toml --dry-run     what would be done or refused
  strongroom restore -c target.toml               the latest complete snapshot
  strongroom restore -c target.toml 3f2a --part database
  strongroom restore --repo /srv/backup --files out --include 'wiki/home/**'

Exit codes: 0 all that was asked for; 3 some parts failed; 1 nothing was restored; 5 refused.")]
pub struct RestoreArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    #[command(flatten)]
    pub trust: TrustArgs,
    #[command(flatten)]
    pub lock: LockArgs,
    /// Only this step; may be repeated
    #[arg(long = "step", value_name = "STEP")]
    pub steps: Vec<String>,
    /// Only this part, `PART` or `STEP/PART`; may be repeated
    #[arg(long = "part", value_name = "PART")]
    pub parts: Vec<String>,
    /// Look at snapshot and target, say what would happen, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Restore over a target that is not empty
    #[arg(long)]
    pub overwrite: bool,
    /// Restore into a target that holds parts of another snapshot
    #[arg(long)]
    pub mix: bool,
    /// Restore from a snapshot that does not verify
    #[arg(long)]
    pub force_damaged: bool,
    /// Make links although they point outside the target
    #[arg(long)]
    pub outside_links: bool,
    /// Extract plain files into this directory, without any plugin
    #[arg(long, value_name = "DIR", conflicts_with_all = ["steps", "parts", "plugin", "trust_plugin", "mix", "dry_run"])]
    pub files: Option<PathBuf>,
    /// With --files: only what matches, written as in .gitignore; may be repeated
    #[arg(long = "include", value_name = "GLOB", requires = "files")]
    pub includes: Vec<String>,
}

/// `recover`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  strongroom recover --list     what stands, since when and why; changes nothing
  strongroom recover            undo all of it

Exit codes: 0 nothing stands any more; 1 something could not be undone; 11 a run of the pipeline is going on.")]
pub struct RecoverArgs {
    /// Name what stands, and change nothing
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub lock: LockArgs,
}

/// Verbs about plugins.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginVerb {
    /// Build plugin crates into components
    Build {
        /// Directories with a Cargo.toml
        #[arg(value_name = "DIR", required = true)]
        dirs: Vec<PathBuf>,
        /// Where the components go
        #[arg(long, value_name = "DIR", default_value = "plugins")]
        out: PathBuf,
    },
    /// Show what a component imports, what it is and what it needs
    Inspect {
        /// A component's path, or a plugin's name
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
    },
    /// Show what has changed in the components and grants of the pipeline, and pin them in strongroom.lock
    Accept {
        /// Steps of the pipeline, or plugins, by name; none: all
        #[arg(value_name = "NAME")]
        plugins: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// All that may be typed, without what strongroom calls itself with: for completions and manual pages.
pub fn command() -> clap::Command {
    let whole = <Cli as clap::CommandFactory>::command();
    clap::Command::new("strongroom")
        .version(env!("CARGO_PKG_VERSION"))
        .about(whole.get_about().cloned().unwrap_or_default())
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned())
}

/// How long somebody may be told to wait.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn patience(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= PATIENCE_MAX => Ok(duration),
        Ok(_) => Err("expected a year at most".to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase().parse().map_err(|_| {
        "expected 64 hex digits, as `strongroom plan` and `strongroom plugin inspect` print them".to_owned()
    })
}

fn snapshot(text: &str) -> Result<String, String> {
    let id = text.to_ascii_lowercase();
    let hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let counted = id
        .strip_prefix("latest~")
        .is_some_and(|back| (1..=4).contains(&back.len()) && back.bytes().all(|digit| digit.is_ascii_digit()));
    match id == "latest" || counted || (hex && (4..=16).contains(&id.len())) {
        true => Ok(id),
        false => Err("expected `latest`, `latest~1` for the one before it, or 4 to 16 hex digits of an id, as \
                      `strongroom snapshots` prints them"
            .to_owned()),
    }
}

fn grant(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| {
        name.split_once('.').is_some_and(|(kind, name)| {
            ["dirs", "sql", "http", "tcp", "tools", "secrets"].contains(&kind) && !name.is_empty()
        })
    });
    let (name, value) = parts.ok_or("expected KIND.NAME=VALUE, such as dirs.home=/var/lib/product")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_every_verb_may_stand_before_or_after_it() {
        for line in ["strongroom -c a.toml --json plan", "strongroom plan --json -c a.toml"] {
            let global = parsed(line).unwrap().global;
            assert_eq!((global.config(), global.json), (PathBuf::from("a.toml"), true));
        }
    }

    #[test]
    fn a_snapshot_is_latest_unless_it_is_named() {
        let Verb::Verify(args) = parsed("strongroom verify").unwrap().verb else { panic!() };
        assert_eq!((args.snapshot.snapshot.as_str(), args.snapshot.any_state), ("latest", false));
        let Verb::Ls(args) = parsed("strongroom ls 3F2A wiki/home").unwrap().verb else { panic!() };
        assert_eq!((args.snapshot.snapshot.as_str(), args.path.as_deref()), ("3f2a", Some("wiki/home")));
        assert!(parsed("strongroom verify 3f2").is_err());
        assert!(parsed("strongroom verify last").is_err());
    }

    #[test]
    fn digests_and_grants_are_checked_at_the_door() {
        let hex = "ab".repeat(32);
        let Verb::Verify(args) = parsed(&format!("strongroom verify --trust-plugin sha256:{hex}")).unwrap().verb else {
            panic!()
        };
        assert_eq!(args.trust.trust_plugin[0].to_string(), hex);
        assert!(parsed("strongroom backup --expect-plan abc").is_err());
        assert!(parsed("strongroom backup --retry-lock 365d").is_ok());
        assert!(parsed("strongroom prune --retry-lock 99999999999y").is_err());
        assert!(parsed("strongroom config new --plugin files --grant home=/srv").is_err());
        assert!(parsed("strongroom config new --plugin files --grant dirs.home=/srv").is_ok());
    }

    #[test]
    fn plain_files_and_plugins_do_not_mix() {
        assert!(parsed("strongroom restore --files out --include wiki/**").is_ok());
        assert!(parsed("strongroom restore --include wiki/**").is_err());
        assert!(parsed("strongroom restore --files out --part database").is_err());
    }

    #[test]
    fn every_verb_explains_itself() {
        fn explained(command: &clap::Command) {
            for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
                assert!(verb.get_about().is_some(), "{}", verb.get_name());
                for argument in verb.get_arguments() {
                    assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
                }
                explained(verb);
            }
        }
        explained(&Cli::command());
    }
}
