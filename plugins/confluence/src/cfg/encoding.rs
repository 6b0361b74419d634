//! The encodings that a `confluence.cfg.xml` may declare.

use std::borrow::Cow;

use super::BadCfg;

/// How the file's bytes are characters. All of these agree on ASCII, so markup needs no decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

impl Encoding {
    pub(super) fn named(name: &str) -> Result<Self, BadCfg> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "us-ascii" | "ascii" => Ok(Self::Ascii),
            "iso-8859-1" | "latin1" => Ok(Self::Latin1),
            _ => Err(BadCfg::Encoding(name.to_owned())),
        }
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, BadCfg> {
        match self {
            Self::Latin1 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into()),
            Self::Utf8 | Self::Ascii => std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| BadCfg::Encoding("something else than the UTF-8 that it should be in".into())),
        }
    }

    /// XML text that stands for `value` in this encoding.
    pub(super) fn escape(self, value: &str) -> String {
        let mut text = String::with_capacity(value.len());
        for character in value.chars() {
            match character {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '\r' => text.push_str("&#xD;"),
                _ if self != Self::Utf8 && !character.is_ascii() => {
                    text.push_str(&format!("&#x{:X};", u32::from(character)));
                }
                _ => text.push(character),
            }
        }
        text
    }
}
