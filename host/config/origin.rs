//! A server that speaks HTTP: whether over TLS, its host and its port.

use std::fmt;

use serde::Serialize;

use super::wrong::{Wrong, wrong};

/// See the module. Printed it is a URL, `https://host:port`, the port where it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Over TLS.
    pub secure: bool,
    /// Its name or address; an IPv6 address in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Origin {
    /// Reads a URL that ends in its path, which is returned, too. `what` names the URL, `example` says what to write, and
    /// `credentials` where a user and a password belong.
    pub(super) fn read(text: &str, what: &str, example: &str, credentials: &str) -> Result<(Self, String), Wrong> {
        let url = url::Url::parse(text).map_err(|error| wrong(format!("{what} cannot be read: {error}"), example))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong(format!("{what} begins with neither https:// nor http://"), example)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(format!("{what} holds a user or a password"), credentials));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(format!("{what} ends in its path"), "take out what begins with ? or #"));
        }
        let host = url.host_str().ok_or_else(|| wrong(format!("{what} names no host"), example))?.to_owned();
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        Ok((Self { secure, host, port }, url.path().to_owned()))
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// The name or address to connect to.
    pub fn address(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}
