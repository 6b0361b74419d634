//! The one error of a plugin: what the host answered, or what the plugin has to say.

use std::{fmt, io};

use crate::bindings::strongroom::plugin::types;
pub use crate::bindings::strongroom::plugin::types::ErrorCode;

/// What went wrong: a code for programs, a sentence for people, and whether the same call may succeed later.
///
/// ```
/// use strongroom_plugin::{Context, Error, ErrorCode, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     text.parse().map_err(|_| Error::invalid(format!("{text:?} is no port"))).context("reading server.xml")
/// }
/// let error = port("https").unwrap_err();
/// assert_eq!(error.code, ErrorCode::Invalid);
/// assert_eq!(error.to_string(), "reading server.xml: \"https\" is no port");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub code: ErrorCode,
    /// What was being done, to what, and what to try. Lower case, no full stop.
    pub message: String,
    /// The same call may succeed later.
    pub retryable: bool,
}

/// What nearly every function of the kit returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident $code:ident;)*) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl Into<String>) -> Self { Self::new(ErrorCode::$code, message) })*
        }
    };
}

constructors! {
    /// What was asked for is not there.
    not_found NotFound;
    /// It is not allowed.
    denied Denied;
    /// The question makes no sense: a bad path, a broken configuration file.
    invalid Invalid;
    /// It is there already.
    exists Exists;
    /// A service does not answer.
    unavailable Unavailable;
    /// Content is not what it must be.
    corrupt Corrupt;
    /// This plugin, product or version cannot do it.
    unsupported Unsupported;
    /// More than was allowed.
    limit Limit;
    /// Reading or writing failed.
    io Io;
    /// None of the others.
    other Other;
}

impl Error {
    /// An error that trying again does not help.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// The same, where the same call may succeed later.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// The same, with what was being done in front.
    #[must_use]
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self { message: format!("{doing}: {}", self.message), ..self }
    }

    /// Whether nothing was there.
    pub fn is_not_found(&self) -> bool {
        self.code == ErrorCode::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self { code: error.code, message: error.message, retryable: error.retryable }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self { code: error.code, message: error.message, retryable: error.retryable }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// An error of the host that went through `std::io` comes out as it went in.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Self::not_found(error.to_string()),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::corrupt(error.to_string()),
                _ => Self::io(error.to_string()),
            },
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<std::string::FromUtf8Error> for Error {
    fn from(error: std::string::FromUtf8Error) -> Self {
        Self::corrupt(error.to_string())
    }
}

impl From<std::num::ParseIntError> for Error {
    fn from(error: std::num::ParseIntError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts `doing` in front of the error's message.
    ///
    /// # Errors
    /// The same error, longer.
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(doing))
    }
}
