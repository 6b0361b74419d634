//! Readers of a run's events: a terminal, JSON lines, a log file. The only room that prints.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    time::SystemTime,
};

use crate::run::event::{Event, Observer};

pub mod accept;
pub mod diff;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod forget;
pub mod holds;
pub mod init;
pub mod json;
pub mod keep;
pub mod list;
mod live;
pub mod preview;
pub mod standing;
pub mod table;
pub mod text;
pub mod trace;
pub mod words;

pub use error::exit_error;

/// How the operator wants to be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// JSON lines on standard output, and nothing else there.
    pub json: bool,
    /// Only warnings and the last line.
    pub quiet: bool,
    /// How many `-v`: 1 shows what plugins log at level info, 2 at level debug.
    pub verbose: u8,
    /// No progress, neither bars nor lines.
    pub no_progress: bool,
    /// A file that takes every event.
    pub log_file: Option<PathBuf>,
    /// Which of them, in the syntax of `RUST_LOG`.
    pub log_filter: String,
}

/// Several observers that are told everything, in order.
#[derive(Default)]
pub struct Observers(pub Vec<Box<dyn Observer>>);

impl Observer for Observers {
    fn event(&self, at: SystemTime, event: &Event) {
        self.0.iter().for_each(|observer| observer.event(at, event));
    }
}

impl Options {
    /// The observers of one run: standard output in one form or the other, who keeps where the run is, and the log file.
    ///
    /// # Errors
    /// When the log file cannot be opened or the filter cannot be parsed. Call it once in a process.
    pub fn observers(&self) -> Result<Observers, trace::Error> {
        let told: Box<dyn Observer> = match self.json {
            true => Box::new(json::JsonLines::stdout(!self.no_progress)),
            false => Box::new(text::Terminal::new(self)),
        };
        let mut observers = vec![told, Box::new(standing::Keeper)];
        if let Some(path) = &self.log_file {
            trace::init(path, &self.log_filter)?;
            observers.push(Box::new(trace::Trace));
        }
        Ok(Observers(observers))
    }
}

/// What plugins log while they are only asked: for people, and in the log file. The answer itself is the command's.
///
/// # Errors
/// As for [`Options::observers`].
pub fn asking_observers(options: &Options) -> Result<Observers, trace::Error> {
    let mut observers = options.observers()?;
    if options.json {
        observers.0.remove(0);
    }
    Ok(observers)
}

/// Whether what is written to `stream` may be coloured: on a terminal, unless `NO_COLOR` is set.
pub fn color(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !refused && !dumb && stream.is_terminal()
}

/// Writes what a command found to standard output. A reader that has left (`| head`) is no error.
///
/// # Errors
/// When standard output fails for any other reason.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Counts(Arc<Mutex<u32>>, u32);

    impl Observer for Counts {
        fn event(&self, _: SystemTime, _: &Event) {
            *self.0.lock().unwrap() += self.1;
        }
    }

    #[test]
    fn every_observer_is_told() {
        let sum = Arc::new(Mutex::new(0));
        let observers = Observers(vec![Box::new(Counts(sum.clone(), 1)), Box::new(Counts(sum.clone(), 10))]);
        observers.event(SystemTime::UNIX_EPOCH, &Event::Stage { stage: None });
        observers.event(SystemTime::UNIX_EPOCH, &Event::Stage { stage: None });
        assert_eq!(*sum.lock().unwrap(), 22);
    }
}
