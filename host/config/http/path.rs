//! Paths of requests, read strictly: what two servers could read differently is refused, not interpreted.

use super::decoded;

/// How often a segment may be encoded: what servers behind proxies decode again stays harmless.
const DECODINGS_MAX: usize = 4;

/// Characters that stand for themselves in a path (RFC 3986 §3.3, `pchar` without `pct-encoded`).
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// The decoded segments of a path; an empty one at the end is its final slash.
pub(super) fn segments(path: &str) -> Result<Vec<String>, &'static str> {
    let below = path.strip_prefix('/').ok_or("it does not begin with a slash")?;
    let raw: Vec<_> = below.split('/').collect();
    let (last, before) = raw.split_last().ok_or("it is empty")?;
    if before.iter().any(|segment| segment.is_empty()) || (last.is_empty() && below.ends_with("//")) {
        return Err("it holds a doubled slash");
    }
    raw.into_iter().map(segment).collect()
}

/// Whether `path` is `prefix` or below it, whole segment by whole segment. A prefix's final slash says nothing.
pub(super) fn is_below(path: &[String], prefix: &[String]) -> bool {
    let prefix = match prefix.split_last() {
        Some((last, before)) if last.is_empty() => before,
        _ => prefix,
    };
    path.starts_with(prefix)
}

fn segment(raw: &str) -> Result<String, &'static str> {
    well_formed(raw)?;
    let mut text = raw.to_owned();
    let mut once = None;
    for _ in 0..=DECODINGS_MAX {
        let next = decoded(&text).ok_or("its percent-encoding is no UTF-8")?;
        harmless(&next)?;
        if next == text {
            return Ok(once.unwrap_or(next));
        }
        once.get_or_insert_with(|| next.clone());
        text = next;
    }
    Err("it is percent-encoded again and again")
}

fn well_formed(raw: &str) -> Result<(), &'static str> {
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let digits = byte == b'%'
            && [bytes.next(), bytes.next()].iter().flatten().filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
        if byte == b'%' && !digits {
            return Err("a % in it is not followed by two hex digits");
        }
        if byte != b'%' && !is_plain(byte) {
            return Err("it holds a character that must be percent-encoded");
        }
    }
    Ok(())
}

/// Refuses what some server makes something else of: Java's drop `;…` from a segment before they look for dots, and
/// Windows' drop dots and blanks from its end.
fn harmless(segment: &str) -> Result<(), &'static str> {
    if segment.contains(['/', '\\']) {
        return Err("it holds an encoded slash or a backslash");
    }
    if segment.contains(char::is_control) {
        return Err("it holds a control character");
    }
    let name = segment.split(';').next().unwrap_or_default();
    if name.is_empty() && !segment.is_empty() {
        return Err("it holds a segment without a name");
    }
    if !name.is_empty() && name.trim_matches(['.', ' ']).is_empty() {
        return Err("it holds a segment of dots");
    }
    Ok(())
}
