//! What no plugin should do: loops, hoards, traps, floods, and every way to wait for oneself.

use std::{hint::black_box, io::Write};

use strongroom_plugin::*;

pub(crate) fn perform(what: &str) -> Result<()> {
    match what {
        "loop" => endless(),
        "hoard" => hoard(),
        "panic" => panic!("as scripted"),
        "recurse" => {
            black_box(recurse(0));
            Ok(())
        }
        "log-flood" => {
            (0..100_000).for_each(|line| log::info(format!("line {line} {}", "x".repeat(100))));
            Ok(())
        }
        "handles" => hoard_handles(),
        "streams" => hoard_streams(),
        "sleep" => context::sleep(std::time::Duration::from_secs(1_000_000)),
        "read-own-pipe" => read_own_pipe(),
        "fill-own-pipe" => fill_own_pipe(),
        "put-own-pipe" => put_own_pipe(),
        "wait-for-own-pipe" => wait_for_own_pipe(),
        "wait-for-held-half" => wait_for_held_half(),
        "read-parent-of-part" => read_parent_of_part(),
        "drop-unfinished" => drop_unfinished(),
        "fail-with-secret" => Err(Error::other(secrets::reveal("secret-key")?)),
        "panic-with-secret" => panic!("{}", secrets::reveal("secret-key")?),
        "leave-secret-unfinished" => {
            let (_output, input) = streams::pipe()?;
            snapshot::submit(&secrets::reveal("secret-key")?, input, &Meta::default()).map(drop)
        }
        "fake-part" => snapshot::put_bytes("../other/file", b"x").map(drop),
        "big-message" => Err(Error::other("y".repeat(32 << 20))),
        other => Err(Error::invalid(format!("nobody knows how to {other}"))),
    }
}

fn endless() -> Result<()> {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

fn hoard() -> Result<()> {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    recurse(depth + 1) + here[0]
}

fn hoard_handles() -> Result<()> {
    let mut all = Vec::new();
    loop {
        all.push(dirs::get("dir-source")?);
    }
}

fn hoard_streams() -> Result<()> {
    let mut all = Vec::new();
    loop {
        all.push(streams::from_bytes(b"x")?);
    }
}

/// Nobody else can write while this instance waits.
fn read_own_pipe() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    input.read_chunk(1).map(drop)
}

/// Nobody else can read while this instance waits.
fn fill_own_pipe() -> Result<()> {
    let (mut output, _input) = streams::pipe()?;
    let block = vec![0; 1 << 20];
    for _ in 0..8 {
        output.write_all(&block).map_err(Error::from)?;
    }
    Ok(())
}

fn put_own_pipe() -> Result<()> {
    let (_output, input) = streams::pipe()?;
    snapshot::put("never", input, &Meta::default()).map(drop)
}

fn wait_for_own_pipe() -> Result<()> {
    let (output, input) = streams::pipe()?;
    let pending = snapshot::submit("never", input, &Meta::default())?;
    let result = pending.wait().map(drop);
    drop(output);
    result
}

fn wait_for_held_half() -> Result<()> {
    let (kept, _held) = streams::tee(streams::from_bytes(&vec![0; 8 << 20][..4 << 20])?)?;
    snapshot::submit("half", kept, &Meta::default())?.wait().map(drop)
}

fn read_parent_of_part() -> Result<()> {
    let parent = streams::from_bytes(b"0123456789")?;
    let _part = parent.take_first(4)?;
    parent.read_chunk(1).map(drop)
}

fn drop_unfinished() -> Result<()> {
    let (mut output, input) = streams::pipe()?;
    let pending = snapshot::submit("half", input, &Meta::default())?;
    output.write_all(b"half of it").map_err(Error::from)?;
    drop(output);
    pending.wait().map(drop)
}
