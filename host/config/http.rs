//! A granted web service: where it is, what may be asked of it, and what the host adds to each request.

use std::{path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::{
    ClientCertificate,
    origin::Origin,
    wrong::{Wrong, wrong},
};
use crate::secret::Source;

mod path;
#[cfg(test)]
mod tests;

/// A web service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpGrant {
    /// Its server. Over TLS that one's certificate is checked.
    #[serde(flatten)]
    pub origin: Origin,
    /// The path that every request's path is put behind: `/search`, or nothing.
    pub base: String,
    /// What may be done.
    pub methods: Vec<String>,
    /// Paths, relative to the base, at or below which requests may go.
    pub paths: Vec<String>,
    /// PEM file of the authorities that are trusted; none: the system's.
    pub ca: Option<PathBuf>,
    /// What proves to the server who asks.
    pub identity: Option<ClientCertificate>,
    /// What the host adds to each request.
    pub credential: Option<Credential>,
    /// How long to wait for the head of an answer once the request has been sent.
    #[serde(serialize_with = "super::seconds_of")]
    pub timeout: Duration,
    /// How long a connection may take, encryption included.
    #[serde(serialize_with = "super::seconds_of")]
    pub connect_timeout: Duration,
}

/// Who asks, as a header says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// Without a colon.
        user: String,
        /// Its password.
        password: Source,
    },
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(Source),
    /// Any other header.
    Header {
        /// The header's name.
        name: String,
        /// Its whole value.
        value: Source,
    },
}

/// How long to wait for an answer's head where nothing is said.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take where nothing is said.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest path with its query, in bytes: servers commonly refuse more.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// Why a request is refused before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It makes no sense, or could be read in two ways: how.
    Invalid(String),
    /// It is none of those that are granted.
    Outside,
}

impl HttpGrant {
    /// `https://host:port/base`, the port where it is not the scheme's own.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.base)
    }

    /// Whether the plugin may ask with that method.
    pub fn allows_method(&self, method: &str) -> bool {
        self.methods.iter().any(|allowed| allowed == method)
    }

    /// What is asked of the server when the plugin asks for `path_and_query`.
    ///
    /// # Errors
    /// When the path is not granted, or is written in a way that a server might read differently.
    pub fn target(&self, path_and_query: &str) -> Result<String, Refused> {
        let invalid = |why: &str| Refused::Invalid(why.to_owned());
        if path_and_query.len() > TARGET_BYTES_MAX {
            return Err(invalid("it is longer than 8 KiB"));
        }
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let segments = path::segments(path).map_err(invalid)?;
        if !query.bytes().all(|byte| path::is_plain(byte) || matches!(byte, b'%' | b'/' | b'?')) {
            return Err(invalid("its query holds a character that must be percent-encoded"));
        }
        let granted = |prefix: &String| path::segments(prefix).is_ok_and(|prefix| path::is_below(&segments, &prefix));
        match self.paths.iter().any(granted) {
            true => Ok(format!("{}{path_and_query}", self.base)),
            false => Err(Refused::Outside),
        }
    }
}

/// Headers that say how a message travels or where it ends: nobody but the host's client sets them.
const TRAVEL: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "expect",
    "http2-settings",
];

/// Headers that say who asks, or have servers and proxies answer another request than the one that was granted.
const MEANING: [&str; 9] = [
    "authorization",
    "cookie",
    "forwarded",
    "x-real-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether no credential may be put into a header of that name.
pub fn is_travel_header(name: &str) -> bool {
    // Some servers take the one for the other (RFC 3875 §4.1.18 makes both `_`).
    let name = name.to_ascii_lowercase().replace('_', "-");
    TRAVEL.contains(&&name[..]) || name.starts_with("proxy-")
}

/// Whether a plugin may not set a header of that name.
pub fn is_reserved_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    is_travel_header(name) || MEANING.contains(&&lower[..]) || lower.starts_with("x-forwarded-")
}

/// Whether `name` may name a header or a method (RFC 9110 §5.6.2, "token").
pub fn is_token(name: &str) -> bool {
    let mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// Whether requests can be granted with that method: not those that turn a connection into something else.
pub(super) fn is_method(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    !name.is_empty() && name.len() <= 32 && plain && !matches!(name, "CONNECT" | "TRACE" | "TRACK")
}

/// Where a service is, as its URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) origin: Origin,
    pub(super) base: String,
}

const EXAMPLE: &str = "write https://HOST:PORT/PATH";
const CREDENTIALS: &str = "take it out and add basic = { user = \"…\", password = { file = \"/path/of/a/file\" } }";

/// Reads a URL.
pub(super) fn location(text: &str) -> Result<Location, Wrong> {
    let (origin, whole) = Origin::read(text, "a service's URL", EXAMPLE, CREDENTIALS)?;
    let base = whole.trim_end_matches('/').to_owned();
    if !base.is_empty() {
        path::segments(&base).map_err(|why| wrong(format!("a service's URL has a path that is unclear: {why}"), ""))?;
    }
    Ok(Location { origin, base })
}

/// What is wrong with a path prefix.
pub(super) fn prefix_fault(prefix: &str) -> Option<&'static str> {
    match prefix.contains('?') {
        true => Some("a prefix ends before the query"),
        false => path::segments(prefix).err(),
    }
}

/// Decodes once.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
