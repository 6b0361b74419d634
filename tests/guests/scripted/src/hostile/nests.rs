//! Streams that are made of streams that are made of streams.

use strongroom_plugin::*;

fn deeper(mut make: impl FnMut(InputStream) -> Result<InputStream>) -> Result<()> {
    let mut stream = streams::from_bytes(b"x")?;
    for _ in 0..1_000_000 {
        stream = make(stream)?;
    }
    stream.drain().map(drop)
}

pub(super) fn concat() -> Result<()> {
    deeper(|stream| streams::concat([stream]))
}

pub(super) fn tee() -> Result<()> {
    deeper(|stream| streams::tee(stream).map(|(first, _)| first))
}

/// Each part keeps the stream that it was taken from.
pub(super) fn take() -> Result<()> {
    let mut kept = Vec::new();
    deeper(|stream| {
        let part = stream.take_first(1)?;
        kept.push(stream);
        Ok(part)
    })
}

/// Twice as long each time.
pub(super) fn doubled() -> Result<()> {
    deeper(|stream| streams::tee(stream).and_then(|(first, second)| streams::concat([first, second])))
}
