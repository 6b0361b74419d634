//! Signals: one stop signal for a whole process, by which SIGINT, SIGTERM and SIGHUP reach host loops, plugins and
//! children; and SIGUSR1, which only asks.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::told;

/// The exit code of a run that was stopped.
pub const EXIT_CANCELED: u8 = 130;

/// Calls `tell` whenever SIGUSR1 comes. Without this the signal would end the process.
///
/// # Errors
/// When the system does not let us listen.
pub fn on_ask(tell: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            tell();
        }
    });
    Ok(())
}

/// A token that fires at the first signal, behind which no storage is tried again. The second signal ends the process at
/// once: its children die with it, and the next run clears away what it leaves.
///
/// # Errors
/// When the system does not let us listen.
pub fn on_signals() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut signals =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let fire = token.clone();
    tokio::spawn(async move {
        let [interrupt, terminate, hangup] = &mut signals;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if fire.is_cancelled() {
                std::process::exit(i32::from(EXIT_CANCELED));
            }
            told::to_stop();
            fire.cancel();
        }
    });
    Ok(token)
}
