//! Reads a Java properties file as Nuxeo's launcher does, and remembers where each assignment stands.
//!
//! The grammar is that of `java.util.Properties.load(Reader)`. Charsets, trimming and the generated block are those of
//! `ConfigurationLoader` and `ConfigurationMarshaller` in Nuxeo's nuxeo-launcher-commons.

use std::ops::Range;

use self::lines::{Kind, Lines};

mod charset;
mod escape;
mod lines;

pub use charset::Charset;
pub(super) use {escape::encode, lines::ending};

/// The largest file that is read: real ones have a few dozen KiB.
pub const BYTES_MAX: usize = 4 << 20;
/// The most assignments that a file may have: real ones have a few hundred.
pub const ASSIGNMENTS_MAX: usize = 100_000;

/// How the launcher marks the part that it writes itself.
pub const BLOCK_BEGIN: &str = "### BEGIN - DO NOT EDIT BETWEEN BEGIN AND END ###";
/// The end of that part.
pub const BLOCK_END: &str = "### END - DO NOT EDIT BETWEEN BEGIN AND END ###";

/// How the entry point of Nuxeo's image marks what it appends, at the first start of a container.
const APPENDED: &str = "## ENTRYPOINT: Append properties from ";

/// The one name that is read by the start script and not as a property; each line adds to it.
const JAVA_OPTS: &str = "JAVA_OPTS";

/// Why a file cannot be read, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProperties {
    /// More than [`BYTES_MAX`] bytes.
    #[error("it has {0} bytes, more than the {BYTES_MAX} that such a file may have")]
    TooLarge(usize),
    /// More than [`ASSIGNMENTS_MAX`] assignments.
    #[error("it sets more than {ASSIGNMENTS_MAX} properties")]
    TooMany,
    /// An escape that Java refuses; the number is that of the line.
    #[error("line {0} has a \\u without four hexadecimal digits behind it, which Nuxeo cannot read either: correct it")]
    Escape(u32),
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Properties {
    /// How its bytes are characters.
    pub charset: Charset,
    /// Every assignment except those of `JAVA_OPTS`, in the file's order.
    pub assignments: Vec<Assignment>,
    /// What each line adds to `JAVA_OPTS`.
    pub java_opts: Vec<Assignment>,
    /// Whether it has a generated block.
    pub block: bool,
    /// Paths of the files that a container appended to it.
    pub appended: Vec<String>,
    /// Where a line of the user's can be added: behind the last line before the generated block.
    pub(super) room: usize,
}

/// One `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its name, escapes decoded.
    pub key: String,
    /// Its value, escapes decoded, trimmed.
    pub value: String,
    /// The line it begins on, from 1.
    pub line: u32,
    /// Whether it stands in the block that the launcher generates.
    pub block: bool,
    /// The bytes from the end of the key to the end of the value.
    pub(super) tail: Range<usize>,
    /// The bytes of the value, continuation lines included; none where nothing but blanks separates it from the key.
    pub(super) spot: Option<Range<usize>>,
}

impl Properties {
    /// Reads a whole file.
    ///
    /// # Errors
    /// When it is too large, or Java itself would refuse it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadProperties> {
        if bytes.len() > BYTES_MAX {
            return Err(BadProperties::TooLarge(bytes.len()));
        }
        let charset = Charset::of(bytes);
        let mut read = Self {
            charset,
            assignments: Vec::new(),
            java_opts: Vec::new(),
            block: false,
            appended: Vec::new(),
            room: 0,
        };
        let mut inside = false;
        for line in Lines::new(bytes) {
            match line.kind {
                Kind::Comment(text) if text.starts_with(BLOCK_BEGIN.as_bytes()) => {
                    inside = true;
                    read.block = true;
                }
                Kind::Comment(text) if text.starts_with(BLOCK_END.as_bytes()) => inside = false,
                Kind::Comment(text) => {
                    let path = text.strip_prefix(APPENDED.as_bytes());
                    read.appended.extend(path.map(|path| trim(&charset.decode(path)).to_owned()));
                }
                Kind::Assignment(pieces) => {
                    let text =
                        |raw: &[u8]| escape::decode(&charset.decode(raw)).ok_or(BadProperties::Escape(line.number));
                    let (key, value) = (text(&pieces.key)?, text(&pieces.value)?);
                    let value = trim(&value).to_owned();
                    let (tail, spot) = (pieces.tail, pieces.spot);
                    read.add(Assignment { key, value, line: line.number, block: inside, tail, spot })?;
                }
            }
            if !read.block {
                read.room = line.after;
            }
        }
        Ok(read)
    }

    /// The last assignment of that name, which is the one that counts.
    pub fn get(&self, key: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|one| one.key == key)
    }

    fn add(&mut self, one: Assignment) -> Result<(), BadProperties> {
        if self.assignments.len() + self.java_opts.len() >= ASSIGNMENTS_MAX {
            return Err(BadProperties::TooMany);
        }
        match one.key == JAVA_OPTS {
            true => self.java_opts.push(one),
            false => self.assignments.push(one),
        }
        Ok(())
    }
}

/// As `String.trim()`: everything up to the blank goes, at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

#[cfg(test)]
mod tests;
