//! The charsets that the launcher tries, in its order.

/// How a file's bytes are characters: the first of these three that decodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// US-ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
    /// ISO-8859-1, which decodes everything.
    Latin1,
}

impl Charset {
    /// That of a file.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Self::Ascii,
            Ok(_) => Self::Utf8,
            Err(_) => Self::Latin1,
        }
    }

    /// A piece of the file that begins and ends beside ASCII characters.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Self::Ascii | Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}
