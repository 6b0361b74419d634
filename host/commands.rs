//! One file a verb, each of them a recipe. Here `anyhow` begins, and here an error gets its exit code.

use crate::{
    cli::{Cli, ConfigVerb, PluginVerb, Verb},
    report::{exit, standing},
    repository::Error,
    run::{locks, stop},
    sandbox::{compile, engine},
    told,
};

pub mod backup;
pub mod completions;
pub mod config;
pub mod copy;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod forget;
pub mod keep;
pub mod ls;
pub mod man;
mod pipeline;
pub mod plan;
pub mod plugin;
mod reading;
pub mod recover;
mod repository;
pub mod restore;
mod select;
pub mod snapshots;
pub mod verify;

/// An end that has an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Exit {
    /// See [`exit`].
    pub code: u8,
    /// What the operator must know; a line that begins with `help:` says what to try.
    pub message: String,
}

impl Exit {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A rule said no.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(exit::REFUSED, message)
    }
}

/// Does what was asked for, and says how the process ends.
///
/// # Errors
/// Whatever kept it from being done; [`code_of`] tells the exit code.
pub async fn run(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.verb {
        // A child that compiles has nothing to tell, and must not die of being asked.
        Verb::Compile { .. } => stop::on_ask(|| ())?,
        _ => stop::on_ask(standing::tell)?,
    }
    match verb(cli).await {
        // Whatever then failed, failed in a run that was to end.
        Err(why) if told::is_to_stop() && code_of(&why) != exit::CANCELED => {
            Err(why.context(Exit::new(exit::CANCELED, "canceled")))
        }
        done => done,
    }
}

async fn verb(cli: &Cli) -> anyhow::Result<u8> {
    let global = &cli.global;
    match &cli.verb {
        Verb::Config(ConfigVerb::Validate) => config::validate(global),
        Verb::Config(ConfigVerb::Show) => config::show(global),
        Verb::Config(ConfigVerb::Schema) => config::schema(),
        Verb::Config(ConfigVerb::New(args)) => config::new(global, args).await,
        Verb::Init => repository::init(global),
        Verb::Plan => plan::plan(global).await,
        Verb::Backup(args) => backup::backup(global, args).await,
        Verb::Snapshots(args) => snapshots::snapshots(global, args),
        Verb::Forget(args) => forget::forget(global, args).await,
        Verb::Prune(args) => keep::prune(global, args).await,
        Verb::Check(args) => keep::check(global, args).await,
        Verb::Key(verb) => keep::key(global, verb),
        Verb::Unlock(args) => keep::unlock(global, args),
        Verb::Copy(args) => copy::copy(global, args).await,
        Verb::Ls(args) => ls::ls(global, args),
        Verb::Diff(args) => diff::diff(global, args),
        Verb::Dump(args) => dump::dump(global, args),
        Verb::Verify(args) => verify::verify(global, args).await,
        Verb::Restore(args) => restore::restore(global, args).await,
        Verb::Recover(args) => recover::recover(global, args).await,
        Verb::Plugin(PluginVerb::Build { dirs, out }) => plugin::build(global, dirs, out),
        Verb::Plugin(PluginVerb::Inspect { plugin }) => plugin::inspect(global, plugin).await,
        Verb::Plugin(PluginVerb::Accept { plugins, yes }) => plugin::accept(global, plugins, *yes).await,
        Verb::Doctor => doctor::doctor(global).await,
        Verb::Completions { shell } => completions::completions(shell),
        Verb::Man { dir } => man::man(dir.as_deref()),
        Verb::Compile { file } => {
            Ok(u8::try_from(compile::child_main(file, engine::cache_directory())).unwrap_or(exit::FAILED))
        }
    }
}

/// The exit code of an error: that of one that was canceled, else of the innermost that has one of its own, else 1.
pub fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<Exit>().is_some_and(|own| own.code == exit::CANCELED) {
        return exit::CANCELED;
    }
    let own = |cause: &(dyn std::error::Error + 'static)| {
        let busy = matches!(cause.downcast_ref(), Some(locks::Error::Busy { .. }));
        let of_repository = cause.downcast_ref::<Error>().and_then(code_of_repository);
        cause.downcast_ref::<Exit>().map(|exit| exit.code).or(busy.then_some(exit::LOCKED)).or(of_repository)
    };
    error.chain().filter_map(own).last().unwrap_or(exit::FAILED)
}

/// The exit code of what a repository refuses: restic's.
fn code_of_repository(error: &Error) -> Option<u8> {
    match error {
        Error::NoRepository(_) => Some(exit::MISSING),
        Error::Busy(_) => Some(exit::LOCKED),
        Error::WrongPassword(_) => Some(exit::WRONG_PASSWORD),
        _ => None,
    }
}
