//! The bytes of a zip file: local headers, the central directory and its end.
//!
//! Layout after PKWARE's APPNOTE.TXT 6.3.10 and Info-ZIP's `proginfo/extrafld.txt`. Facts that a zip has no field for
//! are in an extra field of our own (`SR`) of the local header; the central directory stays small.

use std::io;

use crate::{
    plan::inspection::Attributes,
    repository::{Meta, catalog::Shape},
};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const END64_AT: u32 = 0x0706_4b50;

const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_TIME: u16 = 0x5455;
const EXTRA_OWNER: u16 = 0x7875;
const EXTRA_OWN: u16 = 0x5253;

const UNIX: u16 = 3 << 8;
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
const FLAG_UTF8: u16 = 1 << 11;
const MAX32: u64 = 0xffff_ffff;

/// Own extra: the modification time is known.
const KNOWN_MODIFIED: u8 = 1;
/// Own extra: the mode is known, not a default.
const KNOWN_MODE: u8 = 2;

/// Bytes that attributes of one entry may take.
pub(super) const ATTRIBUTES_MAX: usize = 48 << 10;
/// Bytes that a name may take.
pub(super) const NAME_MAX: usize = 0xfffe;

/// How content is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Method {
    #[default]
    Stored,
    Deflated,
}

impl Method {
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// What both headers say of an entry's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub method: Method,
    pub crc: u32,
    pub size: u64,
    pub packed: u64,
}

impl Content {
    /// Of what has none.
    pub(super) const NONE: Self = Self { method: Method::Stored, crc: 0, size: 0, packed: 0 };
}

/// Little-endian bytes on their way.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn all(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }
}

/// The name as zip writes it: a directory's ends in a slash.
pub(super) fn name(path: &[u8], shape: Shape) -> Vec<u8> {
    let mut name = path.to_vec();
    if shape == Shape::Directory {
        name.push(b'/');
    }
    name
}

/// A local header. `wide` ones have room for sizes that are not known yet: their length depends on nothing else.
pub(super) fn local(name: &[u8], meta: &Meta, content: Content, wide: bool) -> Vec<u8> {
    let (time, date) = dos_time(meta);
    let mut extra = Bytes::default();
    if wide {
        extra.u16(EXTRA_ZIP64).u16(16).u64(content.size).u64(content.packed);
    }
    extra.all(&extras(meta));
    let size = |size: u64| if wide { u32::MAX } else { size as u32 };
    let mut bytes = Bytes(Vec::with_capacity(30 + name.len() + extra.0.len()));
    bytes.u32(LOCAL).u16(if wide { VERSION_ZIP64 } else { VERSION }).u16(flags(name)).u16(content.method.number());
    bytes.u16(time).u16(date).u32(content.crc).u32(size(content.packed)).u32(size(content.size));
    bytes.u16(name.len() as u16).u16(extra.0.len() as u16).all(name).all(&extra.0);
    bytes.0
}

/// An entry of the central directory.
pub(super) fn central(name: &[u8], shape: Shape, meta: &Meta, content: Content, offset: u64) -> Vec<u8> {
    let (time, date) = dos_time(meta);
    let mut extra = Bytes::default();
    for value in [content.size, content.packed, offset].into_iter().filter(|value| *value >= MAX32) {
        extra.u64(value);
    }
    let wide = !extra.0.is_empty();
    let small = |value: u64| value.min(MAX32) as u32;
    let version = if wide { VERSION_ZIP64 } else { VERSION };
    let mut bytes = Bytes(Vec::with_capacity(50 + name.len() + extra.0.len()));
    bytes.u32(CENTRAL).u16(UNIX | VERSION_ZIP64).u16(version).u16(flags(name)).u16(content.method.number());
    bytes.u16(time).u16(date).u32(content.crc).u32(small(content.packed)).u32(small(content.size));
    bytes.u16(name.len() as u16).u16(if wide { extra.0.len() as u16 + 4 } else { 0 });
    bytes.u16(0).u16(0).u16(0).u32(external(shape, meta)).u32(small(offset)).all(name);
    if wide {
        bytes.u16(EXTRA_ZIP64).u16(extra.0.len() as u16).all(&extra.0);
    }
    bytes.0
}

/// What ends a zip file whose central directory of `size` bytes lies at `start`.
pub(super) fn end(entries: u64, start: u64, size: u64, comment: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::default();
    if entries >= 0xffff || start >= MAX32 || size >= MAX32 {
        bytes.u32(END64).u64(44).u16(UNIX | VERSION_ZIP64).u16(VERSION_ZIP64).u32(0).u32(0);
        bytes.u64(entries).u64(entries).u64(size).u64(start);
        bytes.u32(END64_AT).u32(0).u64(start + size).u32(1);
    }
    let count = entries.min(0xffff) as u16;
    bytes.u32(END).u16(0).u16(0).u16(count).u16(count);
    bytes.u32(size.min(MAX32) as u32).u32(start.min(MAX32) as u32).u16(comment.len() as u16).all(comment);
    bytes.0
}

/// The comment of a zip file, from its last bytes: a whole file ends with it.
pub(super) fn comment(ending: &[u8]) -> Option<&[u8]> {
    let starts = (0..=ending.len().checked_sub(22)?).rev();
    starts.map(|start| &ending[start..]).find_map(|end| {
        let length = u16::from_le_bytes([end[20], end[21]]);
        (end.starts_with(&END.to_le_bytes()) && end.len() == 22 + usize::from(length)).then(|| &end[22..])
    })
}

/// What unix has to say of an entry, and DOS's mark of a directory.
fn external(shape: Shape, meta: &Meta) -> u32 {
    let (kind, default) = shape.mode();
    let mode = kind | meta.mode.unwrap_or(default) & 0o7777;
    mode << 16 | u32::from(shape == Shape::Directory) << 4
}

fn flags(name: &[u8]) -> u16 {
    if std::str::from_utf8(name).is_ok() { FLAG_UTF8 } else { 0 }
}

/// Time and date in UTC as DOS has them, from 1980 to 2107; for readers that know no better.
fn dos_time(meta: &Meta) -> (u16, u16) {
    let seconds = meta.modified.map_or(0, |(seconds, _)| seconds).clamp(315_532_800, 4_354_819_199);
    let Ok(stamp) = jiff::Timestamp::from_second(seconds) else { return (0, 0x21) };
    let at = stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let time = (at.hour() as u16) << 11 | (at.minute() as u16) << 5 | (at.second() as u16 / 2);
    let date = (at.year() as u16 - 1980) << 9 | (at.month() as u16) << 5 | (at.day() as u16);
    (time, date)
}

/// Extra fields of a local header: Info-ZIP's time and owner, and ours.
fn extras(meta: &Meta) -> Vec<u8> {
    let mut extra = Bytes::default();
    if let Some(seconds) = meta.modified.and_then(|(seconds, _)| i32::try_from(seconds).ok()) {
        extra.u16(EXTRA_TIME).u16(5).all(&[1]).u32(seconds as u32);
    }
    if let Some((user, group)) = meta.owner {
        extra.u16(EXTRA_OWNER).u16(11).all(&[1, 4]).u32(user).all(&[4]).u32(group);
    }
    let own = own_extra(meta);
    extra.u16(EXTRA_OWN).u16(own.len() as u16).all(&own);
    extra.0
}

fn own_extra(meta: &Meta) -> Vec<u8> {
    let mut own = Bytes::default();
    let (seconds, nanoseconds) = meta.modified.unwrap_or_default();
    let known = u8::from(meta.modified.is_some()) * KNOWN_MODIFIED + u8::from(meta.mode.is_some()) * KNOWN_MODE;
    own.all(&[known]).u64(seconds as u64).u32(nanoseconds);
    if !meta.attributes.is_empty() {
        // Text alone always has a JSON form.
        own.all(&serde_json::to_vec(&meta.attributes).unwrap_or_default());
    }
    own.0
}

/// A local header, as read back.
#[derive(Debug, Default)]
pub(super) struct Local {
    pub name: Vec<u8>,
    pub method: u16,
    pub crc: u32,
    pub size: u64,
    pub packed: u64,
    pub modified: Option<(i64, u32)>,
    pub owner: Option<(u32, u32)>,
    /// Whether the mode that the central directory gives was known when it was written.
    pub mode_known: bool,
    pub attributes: Attributes,
    /// Bytes from the header's start to the content.
    pub length: u64,
}

impl Local {
    /// Reads the header that begins at `offset`, with `read_exact_at`.
    pub(super) fn read(read: impl Fn(&mut [u8], u64) -> io::Result<()>, offset: u64) -> io::Result<Self> {
        let mut fixed = [0; 30];
        read(&mut fixed, offset)?;
        let u16_at = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        if u32_at(0) != LOCAL {
            return Err(io::Error::other("no local header where the directory says"));
        }
        let name_length = usize::from(u16_at(26));
        let mut name = vec![0; name_length + usize::from(u16_at(28))];
        read(&mut name, offset + 30)?;
        let extra = name.split_off(name_length);
        let length = 30 + name_length as u64 + extra.len() as u64;
        let mut local = Self {
            name,
            method: u16_at(8),
            crc: u32_at(14),
            packed: u32_at(18).into(),
            size: u32_at(22).into(),
            length,
            ..Self::default()
        };
        local.take_extras(&extra).ok_or_else(|| io::Error::other("a broken extra field"))?;
        Ok(local)
    }

    fn take_extras(&mut self, mut extra: &[u8]) -> Option<()> {
        while !extra.is_empty() {
            let (head, rest) = extra.split_at_checked(4)?;
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let (body, rest) = rest.split_at_checked(length)?;
            extra = rest;
            match u16::from_le_bytes([head[0], head[1]]) {
                EXTRA_ZIP64 => self.take_sizes(body)?,
                EXTRA_OWNER => self.owner = Some(owner(body)?),
                EXTRA_OWN => self.take_own(body)?,
                EXTRA_TIME if self.modified.is_none() => self.modified = Some((i64::from(time(body)?), 0)),
                _ => {}
            }
        }
        Some(())
    }

    fn take_sizes(&mut self, mut body: &[u8]) -> Option<()> {
        for field in [&mut self.size, &mut self.packed] {
            if *field == MAX32 {
                let (value, rest) = body.split_first_chunk()?;
                *field = u64::from_le_bytes(*value);
                body = rest;
            }
        }
        Some(())
    }

    fn take_own(&mut self, body: &[u8]) -> Option<()> {
        let (known, rest) = body.split_first()?;
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanoseconds, attributes) = rest.split_first_chunk()?;
        let modified = (i64::from_le_bytes(*seconds), u32::from_le_bytes(*nanoseconds));
        (known & !(KNOWN_MODIFIED | KNOWN_MODE) == 0).then_some(())?;
        self.modified = (known & KNOWN_MODIFIED != 0).then_some(modified);
        self.mode_known = known & KNOWN_MODE != 0;
        if !attributes.is_empty() {
            self.attributes = serde_json::from_slice(attributes).ok()?;
        }
        Some(())
    }
}

fn owner(body: &[u8]) -> Option<(u32, u32)> {
    let (head, rest) = body.split_first_chunk::<2>()?;
    let (user, rest) = rest.split_first_chunk()?;
    let (length, group) = rest.split_first()?;
    (*head == [1, 4] && *length == 4).then_some(())?;
    Some((u32::from_le_bytes(*user), u32::from_le_bytes(group.try_into().ok()?)))
}

fn time(body: &[u8]) -> Option<i32> {
    Some(i32::from_le_bytes(*body.get(1..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn meta() -> Meta {
        Meta {
            modified: Some((-5, 123)),
            mode: Some(0o4755),
            owner: Some((70_000, 3)),
            attributes: vec![("kind".into(), "a \"b\"".into())],
        }
    }

    #[test]
    fn a_local_header_reads_back_as_it_was_written() {
        let content = Content { method: Method::Deflated, crc: 7, size: 5 << 32, packed: 3 };
        for wide in [true, false] {
            let content = if wide { content } else { Content { size: 9, ..content } };
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&local(b"caf\xc3\xa9", &meta(), content, wide), 10).unwrap();
            let local = Local::read(|bytes, at| file.read_exact_at(bytes, at), 10).unwrap();
            assert_eq!((local.size, local.packed, local.crc, local.method), (content.size, 3, 7, 8));
            assert_eq!((local.modified, local.owner), (meta().modified, meta().owner));
            assert_eq!((local.attributes, local.mode_known), (meta().attributes, true));
            assert_eq!(local.length, file.metadata().unwrap().len() - 10);
        }
    }

    #[test]
    fn a_wide_header_keeps_its_length_whatever_the_sizes_are() {
        let content = Content { method: Method::Deflated, crc: 7, size: 5 << 32, packed: 3 };
        assert_eq!(local(b"n", &meta(), content, true).len(), local(b"n", &meta(), Content::NONE, true).len());
    }

    #[test]
    fn the_comment_is_found_only_where_the_file_ends_with_it() {
        let file = end(3, 100, 50, b"PK\x05\x06 hello");
        assert_eq!(comment(&file), Some(&b"PK\x05\x06 hello"[..]));
        assert_eq!(comment(&file[..file.len() - 1]), None);
        assert_eq!(comment(b"short"), None);
    }
}
