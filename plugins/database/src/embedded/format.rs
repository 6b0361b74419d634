//! Whether a file of an embedded database is what its ending says, whole, and closed cleanly. That is all that can be
//! told without the database's own code.

use strongroom_plugin::{InputStream, Result};

/// What was seen of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Its header, and its end where the format has one, are as they should be, and it was closed cleanly.
    Closed,
    /// The same, but its database was not closed: it will be recovered when it is opened.
    Unclean,
    /// It is not what its ending says.
    Bad(&'static str),
    /// Its format tells nothing (a log, a trace).
    Untold,
}

/// H2's MVStore works with blocks of this many bytes; the header fills the first two.
const BLOCK: u64 = 4096;

/// The end of each chunk of an MVStore.
const FOOTER: u64 = 128;

/// The largest `.properties` file that is read.
const PROPERTIES_MAX: usize = 64 << 10;

/// Looks at a file of that name and size. `open` gives its content from an offset on.
///
/// # Errors
/// What `open` fails with.
pub fn check(name: &str, size: u64, open: impl Fn(u64) -> Result<InputStream>) -> Result<Health> {
    let ending = name.split_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "mv.db" => mvstore(size, open),
        "h2.db" => {
            let head = first(&open(0)?, 52)?;
            Ok(page_store(&head, size))
        }
        "properties" => {
            Ok(properties(&open(0)?.bytes(PROPERTIES_MAX).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?))
        }
        "script" => {
            let head = first(&open(0)?, 512)?;
            Ok(script(&head))
        }
        _ => Ok(Health::Untold),
    }
}

fn first(stream: &InputStream, bytes: u32) -> Result<Vec<u8>> {
    stream.peek(bytes)
}

fn mvstore(size: u64, open: impl Fn(u64) -> Result<InputStream>) -> Result<Health> {
    if size < 2 * BLOCK || !size.is_multiple_of(BLOCK) {
        return Ok(Health::Bad("its size is no whole number of blocks"));
    }
    let header = first(&open(0)?, BLOCK as u32)?;
    let Some(fields) = line(&header).filter(|fields| fields.starts_with("H:2,")) else {
        return Ok(Health::Bad("it does not begin with a sound header"));
    };
    if !fields.split(',').any(|field| field == "clean:1") {
        return Ok(Health::Unclean);
    }
    let newest = (field(fields, "chunk"), field(fields, "block"));
    let (Some(chunk), Some(block)) = newest else { return Ok(Health::Bad("its header names no chunk")) };
    let Some(start) = block.checked_mul(BLOCK).filter(|start| *start < size) else {
        return Ok(Health::Bad("it ends before its newest chunk"));
    };
    // Fields of a chunk's head carry no checksum of their own; what matters is that it is there as a whole.
    let head = String::from_utf8_lossy(&first(&open(start)?, 1024)?).into_owned();
    let head = head.split('\n').next().unwrap_or_default();
    let blocks = field(head, "len").filter(|_| field(head, "chunk") == Some(chunk)).unwrap_or(u64::MAX);
    let footer = first(&open(size - FOOTER)?, FOOTER as u32)?;
    let whole = blocks.checked_mul(BLOCK).and_then(|length| start.checked_add(length)).is_some_and(|end| end <= size);
    Ok(match whole && line(&footer).is_some_and(|fields| fields.starts_with("chunk:")) {
        true => Health::Closed,
        false => Health::Bad("it does not hold its newest chunk to the end"),
    })
}

/// A number among an MVStore's fields.
fn field(fields: &str, key: &str) -> Option<u64> {
    let value = fields.split(',').find_map(|field| field.trim().strip_prefix(key)?.strip_prefix(':'))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

/// The fields of a line of an MVStore, if its own checksum is right.
fn line(block: &[u8]) -> Option<&str> {
    let end = memchr::memchr(b'\n', block)?;
    let text = std::str::from_utf8(&block[..end]).ok()?.trim();
    let (fields, sum) = text.rsplit_once(",fletcher:")?;
    (u32::from_str_radix(sum, 16).ok()? == fletcher32(fields.as_bytes())).then_some(fields)
}

/// Fletcher's checksum over big-endian words of 16 bits, an odd byte filled with zero.
fn fletcher32(bytes: &[u8]) -> u32 {
    let (mut first, mut second) = (0xffff_u32, 0xffff_u32);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    for run in bytes.chunks(720) {
        for word in run.chunks(2) {
            first += u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0));
            second += first;
        }
        (first, second) = (fold(first), fold(second));
    }
    (first, second) = (fold(first), fold(second));
    second << 16 | first
}

/// Versions of H2 before 1.4, and those with `MV_STORE=FALSE`.
fn page_store(head: &[u8], size: u64) -> Health {
    if !head.starts_with(b"-- H2 0.5/B -- \n") {
        return Health::Bad("it does not begin with H2's signature");
    }
    let page = head.get(48..52).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    match page >= 64 && page.is_power_of_two() && size.is_multiple_of(u64::from(page)) {
        true => Health::Closed,
        false => Health::Bad("its size is no whole number of pages"),
    }
}

/// HSQLDB writes `modified=yes` while it is open, and `no` when it is shut down.
fn properties(text: &str) -> Health {
    let value = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    match (value("version"), value("modified")) {
        (Some(_), Some("no")) => Health::Closed,
        (Some(_), Some(_)) => Health::Unclean,
        _ => Health::Bad("it does not say which version of HSQLDB wrote it"),
    }
}

/// Version 1.8 begins with its schema, 2 with settings.
fn script(head: &[u8]) -> Health {
    match head.starts_with(b"CREATE SCHEMA ") || head.starts_with(b"SET DATABASE ") {
        true => Health::Closed,
        false => Health::Bad("it does not begin with a statement of HSQLDB"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use strongroom_plugin::{dirs, testing::Host};

    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/embedded");

    fn health(path: &Path) -> Health {
        let _host = Host::new().dir("d", path.parent().unwrap());
        look(path.file_name().unwrap().to_str().unwrap())
    }

    fn look(name: &str) -> Health {
        let dir = dirs::get("d").unwrap();
        let size = dir.stat(name).unwrap().size;
        check(name, size, |offset| {
            let stream = dir.open(name)?;
            stream.skip(offset)?;
            Ok(stream)
        })
        .unwrap()
    }

    fn fixture(path: &str) -> PathBuf {
        Path::new(FIXTURES).join(path)
    }

    #[test]
    fn files_of_every_format_are_known_closed_or_not() {
        for closed in [
            "h2-1.4/h2db.mv.db",
            "h2-2/h2db.mv.db",
            "h2-pagestore/h2db.h2.db",
            "hsqldb-1.8/confluencedb.properties",
            "hsqldb-1.8/confluencedb.script",
        ] {
            assert_eq!(health(&fixture(closed)), Health::Closed, "{closed}");
        }
        for unclean in ["h2-2-killed/h2db.mv.db", "hsqldb-1.8-killed/confluencedb.properties"] {
            assert_eq!(health(&fixture(unclean)), Health::Unclean, "{unclean}");
        }
        assert_eq!(health(&fixture("hsqldb-1.8-killed/confluencedb.log")), Health::Untold);
    }

    #[test]
    fn damaged_and_truncated_files_are_told() {
        let damage = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let host = Host::new().target("d", &[]);
            let mut bytes = std::fs::read(fixture(path)).unwrap();
            change(&mut bytes);
            let name = path.rsplit('/').next().unwrap();
            std::fs::write(host.path("d").join(name), bytes).unwrap();
            look(name)
        };
        for path in ["h2-1.4/h2db.mv.db", "h2-2/h2db.mv.db"] {
            assert!(matches!(damage(path, &|bytes| bytes[4] ^= 1), Health::Bad(_)));
            assert!(matches!(damage(path, &|bytes| bytes.truncate(bytes.len() - 4096)), Health::Bad(_)));
            assert!(matches!(damage(path, &|bytes| bytes.truncate(bytes.len() - 1)), Health::Bad(_)));
            assert!(matches!(damage(path, &Vec::clear), Health::Bad(_)));
        }
        assert!(matches!(damage("h2-pagestore/h2db.h2.db", &|bytes| bytes.truncate(5000)), Health::Bad(_)));
        assert!(matches!(damage("hsqldb-1.8/confluencedb.script", &Vec::clear), Health::Bad(_)));
        assert!(matches!(damage("hsqldb-1.8/confluencedb.properties", &Vec::clear), Health::Bad(_)));
    }
}
