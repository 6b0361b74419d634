//! How a native program or a database behind a grant failed: in the words that a plugin gets.

use std::io;

use crate::sandbox::fault::Code;

/// A failure that a plugin is told of. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure.
    pub code: Code,
    /// What was being done, to what, and what to try.
    pub message: String,
    /// The same call may succeed later.
    pub retryable: bool,
}

impl Error {
    /// A failure that will come again.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// The same, but it may go away by itself.
    pub fn passing(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: true }
    }

    /// The failure that a stream of this room ended in, when `error` carries one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streams_error_keeps_its_code() {
        let error = Error::passing(Code::Unavailable, "the server went away");
        let carried = io::Error::from(error.clone());
        assert_eq!(Error::of(&carried), Some(&error));
        assert_eq!(Error::of(&io::ErrorKind::BrokenPipe.into()), None);
    }
}
