//! The contract in `wit/` as Rust: generated traits and types, and the error that a host function fails with.

use super::fault::Code;

wasmtime::component::bindgen!({
    path: "wit",
    world: "plugin",
    // What answers from memory is called as a function; only what may wait is worth a future.
    imports: {
        "strongroom:plugin/context.checkpoint": async | trappable,
        "strongroom:plugin/context.sleep": async | trappable,
        "strongroom:plugin/context": trappable,
        "strongroom:plugin/log": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    trappable_error_type: { "strongroom:plugin/types.error" => Fail },
    with: {
        "strongroom:plugin/streams.input-stream": crate::sandbox::stream::InputStream,
        "strongroom:plugin/streams.output-stream": crate::sandbox::stream::OutputStream,
        "strongroom:plugin/dirs.dir": crate::sandbox::imports::dirs::Dir,
        "strongroom:plugin/tools.process": crate::sandbox::imports::tools::Process,
        "strongroom:plugin/sql.database": crate::sandbox::imports::sql::Database,
        "strongroom:plugin/sql.transaction": crate::sandbox::imports::sql::Transaction,
        "strongroom:plugin/http.service": crate::sandbox::imports::http::Service,
        "strongroom:plugin/http.exchange": crate::sandbox::imports::http::Exchange,
        "strongroom:plugin/http.response": crate::sandbox::imports::http::Response,
        "strongroom:plugin/tcp.service": crate::sandbox::imports::tcp::Service,
        "strongroom:plugin/snapshot.pending": crate::sandbox::imports::snapshot::Pending,
    },
});

pub use self::strongroom::plugin as host;
pub use exports::strongroom::plugin::{about, product};

use host::types::{Error, ErrorCode};

/// How a host function fails: towards the plugin, or by ending the instance.
#[derive(Debug)]
pub enum Fail {
    /// The guest gets it as the error of its call.
    Plugin(Error),
    /// The instance ends here.
    Trap(wasmtime::Error),
}

/// What a host function that can fail gives back.
pub type Answer<T> = Result<T, Fail>;

/// An error for the guest that trying again does not mend.
pub fn fail(code: Code, message: impl Into<String>) -> Fail {
    Fail::Plugin(Error { code: code.into(), message: message.into(), retryable: false })
}

impl From<wasmtime::component::ResourceTableError> for Fail {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

macro_rules! codes {
    ($($name:ident),*) => {
        impl From<Code> for ErrorCode {
            fn from(code: Code) -> Self {
                match code { $(Code::$name => Self::$name),* }
            }
        }

        impl From<ErrorCode> for Code {
            fn from(code: ErrorCode) -> Self {
                match code { $(ErrorCode::$name => Self::$name),* }
            }
        }
    };
}

codes!(
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
    Other
);
