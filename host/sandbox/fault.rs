//! How a call of a plugin failed: its own error, a trap, a limit and the host's failure are four different things.

use std::fmt;

/// `types.error-code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Code {
    NotFound,
    Denied,
    Invalid,
    Exists,
    Timeout,
    Canceled,
    Limit,
    Unavailable,
    Corrupt,
    Unsupported,
    Io,
    Internal,
    Other,
}

impl Code {
    /// The word that WIT uses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Exists => "exists",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Internal => "internal",
            Self::Other => "other",
        }
    }
}

/// Why a call brought no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The plugin returned an error.
    Plugin {
        /// Its code.
        code: Code,
        /// Its message.
        message: String,
        /// The same call may succeed later.
        retryable: bool,
    },
    /// The plugin broke: it panicked, or left its memory. The instance is dead.
    Trap(String),
    /// A limit of the step was reached; the text names it, its value and the line that would raise it.
    Limit(String),
    /// The component is not one for this host.
    Unfit(String),
    /// The run was stopped while it ran.
    Canceled,
    /// The host could not do its part.
    Host(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Lines below the first are there to be copied: nothing may stand behind them.
            Self::Plugin { code, message, .. } if message.contains('\n') => write!(f, "({}) {message}", code.word()),
            Self::Plugin { code, message, .. } => write!(f, "{message} ({})", code.word()),
            Self::Trap(what) => write!(f, "the plugin broke: {what}"),
            Self::Limit(what) | Self::Unfit(what) | Self::Host(what) => f.write_str(what),
            Self::Canceled => f.write_str("canceled"),
        }
    }
}

impl std::error::Error for Fault {}
