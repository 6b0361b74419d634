//! What no plugin should do: loops, hoards, traps, floods, and every way to wait for oneself.

use std::hint::black_box;

use strongroom_plugin::*;

mod floods;
mod lies;
mod nests;
mod waits;

pub(crate) fn perform(what: &str) -> Result<()> {
    match what {
        "loop" => endless(),
        "panic" => panic!("as scripted"),
        "recurse" => {
            black_box(recurse(0));
            Ok(())
        }
        "sleep" => context::sleep(std::time::Duration::from_secs(1_000_000)),
        "hoard" => floods::memory(),
        "log-flood" => floods::log_lines(),
        "log-fields" => floods::log_fields(),
        "progress-flood" => floods::progress(),
        "handles" => floods::handles(),
        "streams" => floods::streams(),
        "open-files" => floods::files(),
        "open-dirs" => floods::directories(),
        "held-bytes" => floods::held_bytes(),
        "peeks" => floods::peeks(),
        "pipes" => floods::pipes(),
        "tees" => floods::tees(),
        "tools" => floods::tools(),
        "transactions" => floods::transactions(),
        "requests" => floods::requests(),
        "connections" => floods::connections(),
        "holds" => floods::holds(),
        "notes" => floods::notes(),
        "values" => floods::values(),
        "lists" => floods::lists(),
        "patterns" => floods::patterns(),
        "big-message" => Err(Error::other("y".repeat(32 << 20))),
        "nested-concat" => nests::concat(),
        "nested-tee" => nests::tee(),
        "nested-take" => nests::take(),
        "doubled" => nests::doubled(),
        "read-own-pipe" => waits::read_own_pipe(),
        "fill-own-pipe" => waits::fill_own_pipe(),
        "put-own-pipe" => waits::put_own_pipe(),
        "wait-for-own-pipe" => waits::wait_for_own_pipe(),
        "wait-for-held-half" => waits::wait_for_held_half(),
        "read-parent-of-part" => waits::read_parent_of_part(),
        "drop-unfinished" => waits::drop_unfinished(),
        "write-to-nobody" => waits::write_to_nobody(),
        "read-from-nobody" => waits::read_from_nobody(),
        "pipe-into-itself" => waits::pipe_into_itself(),
        "expect-from-own-pipe" => waits::expect_from_own_pipe(),
        "read-for-ever" => waits::read_for_ever(),
        "fail-with-secret" => Err(Error::other(secrets::reveal("secret-key")?)),
        "panic-with-secret" => panic!("{}", secrets::reveal("secret-key")?),
        "leave-secret-unfinished" => waits::leave_secret_unfinished(),
        "fake-part" => snapshot::put_bytes("../other/file", b"x").map(drop),
        "odd-paths" => lies::odd_paths(),
        "long-path" => snapshot::put_bytes(&"x/".repeat(50_000), b"x").map(drop),
        "big-attributes" => lies::big_attributes(),
        "put-twice" => lies::put_twice(),
        "file-as-directory" => lies::file_as_directory(),
        "greedy-sizes" => lies::greedy_sizes(),
        "stdout-twice" => lies::stdout_twice(),
        "late-instant" => snapshot::fix_instant(&lies::instant()),
        "parameters" => lies::parameters(),
        "statements" => lies::statements(),
        "bad-list" => lies::bad_list(),
        "wrong-export" => lies::wrong_export(),
        "odd-holds" => lies::odd_holds(),
        "held-for-ever" => waits::held_for_ever(),
        "headers" => lies::headers(),
        "urls" => lies::urls(),
        "endpoints" => lies::endpoints(),
        other => Err(Error::invalid(format!("nobody knows how to {other}"))),
    }
}

fn endless() -> Result<()> {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    recurse(depth + 1) + here[0]
}
