//! A talk in frames: a byte that says what kind, a length of four bytes that counts itself, a body.

use std::io::Write;

use serde::Deserialize;
use strongroom_plugin::*;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Talk {
    tcp: String,
    endpoint: String,
    turns: Vec<Turn>,
    /// Frames of this kind are stored, without going through the plugin, as `path/0`, `path/1`, …
    keep: char,
    path: String,
}

/// What is said, in hexadecimal, and the kind of the last frame of the answer.
#[derive(Deserialize)]
struct Turn {
    say: String,
    until: char,
}

impl Talk {
    pub(crate) fn perform(&self) -> Result<()> {
        let (input, mut output) = tcp::get(&self.tcp)?.connect(&self.endpoint)?;
        let mut kept = 0;
        for turn in &self.turns {
            output.write_all(&bytes(&turn.say)?)?;
            loop {
                let header = input.peek(5)?;
                let [kind, length @ ..] = <[u8; 5]>::try_from(header).map_err(|_| Error::corrupt("no whole header"))?;
                let (kind, length) = (char::from(kind), u64::from(u32::from_be_bytes(length)));
                log::info(format!("a frame {kind} of {length} bytes"));
                input.skip(5)?;
                if kind == self.keep {
                    snapshot::put(&format!("{}/{kept}", self.path), input.take_first(length - 4)?, &Meta::default())?;
                    kept += 1;
                } else {
                    input.skip(length - 4)?;
                }
                if kind == turn.until {
                    break;
                }
            }
        }
        output.finish()
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let byte = |pair: Option<&str>| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
    pairs.map(|pair| byte(pair).ok_or_else(|| Error::invalid(format!("{hex:?} is not hexadecimal")))).collect()
}
