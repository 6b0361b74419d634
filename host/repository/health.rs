//! Whether a draft's storage still works: after one failed write nothing more is believed.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use crate::repository::Error;

/// The first failure, which every later call repeats.
#[derive(Default)]
pub(super) struct Health {
    failure: Mutex<Option<Failure>>,
    /// Tests let the n-th operation fail.
    #[cfg(test)]
    pub countdown: std::sync::atomic::AtomicI64,
}

struct Failure {
    doing: String,
    code: Option<i32>,
    kind: io::ErrorKind,
    message: String,
}

impl Failure {
    fn error(&self) -> Error {
        let cause = match self.code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.kind, self.message.clone()),
        };
        Error::Io { doing: self.doing.clone(), cause }
    }
}

impl Health {
    /// The first failure, if there was one.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.error()),
            None => Ok(()),
        }
    }

    /// Does `operation` unless something failed before; remembers its failure.
    pub(super) fn run<T>(
        &self,
        doing: impl FnOnce() -> String,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, Error> {
        self.check()?;
        self.rehearse().and_then(|()| operation()).map_err(|cause| self.fail(doing(), cause))
    }

    fn fail(&self, doing: String, cause: io::Error) -> Error {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, kind, message) = (cause.raw_os_error(), cause.kind(), cause.to_string());
        failure.get_or_insert(Failure { doing, code, kind, message }).error()
    }

    #[cfg(not(test))]
    fn rehearse(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn rehearse(&self) -> io::Result<()> {
        match self.countdown.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) {
            1 => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Ok(()),
        }
    }
}
