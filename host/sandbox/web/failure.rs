//! What a broken exchange means for whoever asked: a code, and what to try.

use std::{error::Error as _, io};

use super::Why;
use crate::{
    diagnostic::causes,
    sandbox::{fault::Code, native::Error, tls},
};

/// Why no connection came about.
pub(super) fn connecting(doing: &str, name: &str, cause: &io::Error) -> Error {
    let text = causes(cause);
    if tls::is_refusal(cause) {
        return Error::new(
            Code::Denied,
            format!("{doing}: {text}: check url, ca and certificate in grant.http.{name}"),
        );
    }
    Error::passing(Code::Unavailable, format!("{doing}: {text}"))
}

/// Why there is no answer. A request that may be `repeated` can be sent again.
pub(super) fn asking(label: &str, why: &Why, repeated: bool) -> Error {
    let error = match why {
        Why::Silent(timeout) => {
            let within = humantime::format_duration(*timeout);
            Error::new(Code::Timeout, format!("{label}: no answer within {within}, the longest that it may take"))
        }
        Why::Broken(cause) if cause.is_user() => body_of(label, cause),
        Why::Broken(cause) if cause.is_parse() => return malformed(label, cause),
        Why::Broken(cause) => match carried(cause).filter(|inner| tls::is_refusal(inner)) {
            Some(refusal) => return Error::new(Code::Denied, format!("{label}: {}", causes(refusal))),
            None => Error::new(Code::Unavailable, format!("{label}: the connection broke: {}", causes(cause))),
        },
    };
    Error { retryable: error.retryable || repeated, ..error }
}

fn malformed(label: &str, cause: &hyper::Error) -> Error {
    // hyper's client keeps the difference for its message.
    match causes(cause) {
        text if text.contains("too large") => head(label),
        text => Error::new(Code::Corrupt, format!("{label}: the answer is no HTTP: {text}")),
    }
}

/// The answer's head is longer than the host reads.
pub(super) fn head(label: &str) -> Error {
    Error::new(Code::Limit, format!("{label}: the answer's head is larger than 64 KiB or has more than 100 lines"))
}

/// The request's own body broke.
pub(super) fn body(label: &str, cause: &io::Error) -> Error {
    let (code, retryable) = Error::of(cause).map_or((Code::Io, false), |error| (error.code, error.retryable));
    let message = format!("{label} was broken off because its body broke: {}", causes(cause));
    Error { code, message, retryable }
}

fn body_of(label: &str, cause: &hyper::Error) -> Error {
    match carried(cause) {
        Some(cause) => body(label, cause),
        None => Error::new(Code::Io, format!("{label} was broken off: {}", causes(cause))),
    }
}

/// Why the body of an answer ended before its end.
pub(super) fn reading(label: &str, cause: &hyper::Error) -> Error {
    use io::ErrorKind as K;
    let doing = format!("reading the answer to {label}");
    let broken = cause.is_incomplete_message()
        || carried(cause)
            .is_some_and(|inner| matches!(inner.kind(), K::UnexpectedEof | K::InvalidData | K::InvalidInput));
    match broken {
        true => {
            Error::new(Code::Corrupt, format!("{doing}: it is shorter than announced or malformed: {}", causes(cause)))
        }
        false => Error::passing(Code::Unavailable, format!("{doing}: the connection broke: {}", causes(cause))),
    }
}

fn carried(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref() {
            return Some(io);
        }
        source = cause.source();
    }
    None
}
