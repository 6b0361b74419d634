//! Reads and rewrites the JDBC URL of a database, and says which vendor it names.
//!
//! The forms are the drivers' own: PostgreSQL's "Initializing the Driver", MySQL Connector/J's "Connection URL Syntax",
//! Microsoft's "Building the connection URL", Oracle's "Data Sources and URLs", H2's "Database URL Overview" and
//! HSQLDB's "Connecting to a Database".

use std::ops::Range;

mod file;
mod mask;
mod server;
mod vendor;

pub use file::FileUrl;
pub use mask::mask;
pub use server::{Server, percent_decode};
pub use vendor::Vendor;

/// A URL in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Url {
    /// It names a database server.
    Server(Server),
    /// It names files of an embedded database.
    File(FileUrl),
}

/// A URL that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database URL {0:?} is not of a form that is known, such as jdbc:postgresql://host:port/name")]
pub struct BadUrl(String);

impl Url {
    /// Parses every form that the vendors of [`Vendor`] document for one database.
    ///
    /// # Errors
    /// Anything else; secrets are masked in the message.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let parsed = Vendor::of_url(url).and_then(|vendor| match vendor.embedded() {
            true => file::parse(vendor, url).map(Self::File),
            false => server::parse(vendor, url).map(Self::Server),
        });
        parsed.ok_or_else(|| BadUrl(mask(url)))
    }

    /// The server, if it names one.
    pub fn server(self) -> Option<Server> {
        match self {
            Self::Server(server) => Some(server),
            Self::File(_) => None,
        }
    }

    /// The files, if it names some.
    pub fn file(self) -> Option<FileUrl> {
        match self {
            Self::File(file) => Some(file),
            Self::Server(_) => None,
        }
    }
}

/// `text` with that range replaced.
fn splice(text: &str, range: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}
