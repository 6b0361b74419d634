//! Every way to wait for oneself, or for nobody.

use std::io::Write;

use strongroom_plugin::*;

/// Nobody else can write while this instance waits.
pub(super) fn read_own_pipe() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    input.read_chunk(1).map(drop)
}

/// Nobody else can read while this instance waits.
pub(super) fn fill_own_pipe() -> Result<()> {
    let (mut output, _input) = streams::pipe()?;
    let block = vec![0; 1 << 20];
    for _ in 0..8 {
        output.write_all(&block).map_err(Error::from)?;
    }
    Ok(())
}

pub(super) fn put_own_pipe() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    snapshot::put("never", input, &Meta::default()).map(drop)
}

pub(super) fn wait_for_own_pipe() -> Result<()> {
    let (output, input) = streams::pipe()?;
    let pending = snapshot::submit("never", input, &Meta::default())?;
    let result = pending.wait().map(drop);
    drop(output);
    result
}

pub(super) fn wait_for_held_half() -> Result<()> {
    let (kept, _held) = streams::tee(streams::from_bytes(&vec![0; 8 << 20][..4 << 20])?)?;
    snapshot::submit("half", kept, &Meta::default())?.wait().map(drop)
}

pub(super) fn read_parent_of_part() -> Result<()> {
    let parent = streams::from_bytes(b"0123456789")?;
    let _part = parent.take_first(4)?;
    parent.read_chunk(1).map(drop)
}

pub(super) fn drop_unfinished() -> Result<()> {
    let (mut output, input) = streams::pipe()?;
    let pending = snapshot::submit("half", input, &Meta::default())?;
    output.write_all(b"half of it").map_err(Error::from)?;
    drop(output);
    pending.wait().map(drop)
}

/// Nobody reads it any more.
pub(super) fn write_to_nobody() -> Result<()> {
    let (mut output, input) = streams::pipe()?;
    drop(input);
    output.write_all(&[0; 4096]).map_err(Error::from)
}

/// Nobody writes it any more.
pub(super) fn read_from_nobody() -> Result<()> {
    let (output, input) = streams::pipe()?;
    drop(output);
    input.read_chunk(1).map(drop)
}

/// What goes in comes out, and goes in again.
pub(super) fn pipe_into_itself() -> Result<()> {
    let (mut output, input) = streams::pipe()?;
    output.write_all(b"round and round").map_err(Error::from)?;
    output.splice(&input, u64::MAX).map(drop)
}

/// A list that is filled from a pipe which only this instance could fill.
pub(super) fn expect_from_own_pipe() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    let list = snapshot::expect("list", Evidence::SameView)?;
    list.splice(&input, u64::MAX).map(drop)
}

/// The program never ends its output.
pub(super) fn read_for_ever() -> Result<()> {
    let process = Tool::new("tool-endless").spawn()?;
    streams::digest(Algorithm::Sha256, process.stdout()?).map(drop)
}

/// The path that is told of is a secret.
pub(super) fn leave_secret_unfinished() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    snapshot::submit(&secrets::reveal("secret-key")?, input, &Meta::default()).map(drop)
}

/// The product is kept changed longer than was promised.
pub(super) fn held_for_ever() -> Result<()> {
    let second = std::time::Duration::from_secs(1);
    holds::take("kept", b"", second, holds::Scope::Part)?;
    context::sleep(second * 1_000_000)
}
