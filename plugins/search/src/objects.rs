//! Objects of a snapshot: documents as bulk requests, at most 8 MiB each, with a list of the ids in each.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
};

use serde::{Deserialize, Serialize};
use strongroom_plugin::{
    Error, InputStream, Meta, OutputStream, Result, archive,
    snapshot::{self, Pending},
    streams,
};

use crate::{
    document::{Document, Head},
    hash::{Hasher, Tally},
    json,
    page::HIT_BYTES_MAX,
    store,
};

/// The most bytes of an object, unless it is one document: an engine takes 100 MB, and holds a request in memory.
pub const OBJECT_BYTES_MAX: u64 = 8 << 20;
/// The most documents of an object: its list and the answer to its request are held in memory.
pub const OBJECT_DOCUMENTS_MAX: u64 = 20_000;
/// What is written at a time: a call of the host costs as much as some kilobytes.
const WRITE_BYTES: usize = 512 << 10;
/// Objects that are on their way into the repository.
const UNDER_WAY_MAX: usize = 4;

/// The first line of a list of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contents {
    /// Documents of the object.
    pub documents: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The hash over its documents.
    pub hash: String,
}

/// Writes the documents of one index.
pub struct Writer {
    index: String,
    open: Option<Object>,
    lines: Vec<u8>,
    action: Vec<u8>,
    tally: Tally,
    objects: u32,
    bytes: u64,
    under_way: VecDeque<(Pending, u64)>,
}

struct Object {
    out: OutputStream,
    pending: Pending,
    ids: Vec<u8>,
    documents: u64,
    hasher: Hasher,
    bytes: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// All documents.
    pub tally: Tally,
    /// Objects.
    pub objects: u32,
    /// Their bytes.
    pub bytes: u64,
}

impl Writer {
    /// For that index.
    pub fn new(index: &str) -> Self {
        Self {
            index: index.to_owned(),
            open: None,
            lines: Vec::new(),
            action: Vec::new(),
            tally: Tally::default(),
            objects: 0,
            bytes: 0,
            under_way: VecDeque::new(),
        }
    }

    /// One more document.
    ///
    /// # Errors
    /// `io` when the repository fails.
    pub fn add(&mut self, document: &Document) -> Result<()> {
        let mut action = std::mem::take(&mut self.action);
        action.clear();
        document.write_action(&mut action)?;
        let length = (action.len() + document.source.len() + 1) as u64;
        let full = |open: &Object| open.bytes + length > OBJECT_BYTES_MAX || open.documents >= OBJECT_DOCUMENTS_MAX;
        if self.open.as_ref().is_some_and(full) {
            self.end_object()?;
        }
        if self.open.is_none() {
            self.begin_object()?;
        }
        if let Some(open) = &mut self.open {
            open.bytes += length;
            open.documents += 1;
            open.hasher.add(document);
            json::write_text(document.id, &mut open.ids)?;
            open.ids.push(b'\n');
        }
        self.write(&action)?;
        self.action = action;
        self.write(document.source)?;
        self.write(b"\n")
    }

    /// Gathers what is short. What is long is not held twice.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.lines.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        match &mut self.open {
            Some(open) if bytes.len() > WRITE_BYTES => open.out.write_all(bytes)?,
            _ => self.lines.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// As [`Self::add`]; `corrupt` when the repository took something else than was written.
    pub fn finish(mut self) -> Result<Written> {
        self.end_object()?;
        while self.wait_for_oldest()? {}
        Ok(Written { tally: self.tally, objects: self.objects, bytes: self.bytes })
    }

    fn begin_object(&mut self) -> Result<()> {
        while self.under_way.len() >= UNDER_WAY_MAX && self.wait_for_oldest()? {}
        self.objects += 1;
        let (out, input) = streams::pipe()?;
        let pending = snapshot::submit(&store::object(&self.index, self.objects), input, &Meta::default())?;
        self.open = Some(Object { out, pending, ids: Vec::new(), documents: 0, hasher: Hasher::default(), bytes: 0 });
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(open) = &mut self.open {
            open.out.write_all(&self.lines)?;
        }
        self.lines.clear();
        Ok(())
    }

    fn end_object(&mut self) -> Result<()> {
        self.flush()?;
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.out.finish()?;
        let tally = open.hasher.tally();
        let contents = Contents { documents: tally.documents, bytes: open.bytes, hash: tally.hash() };
        let mut list = serde_json::to_vec(&contents)?;
        list.push(b'\n');
        list.extend_from_slice(&open.ids);
        snapshot::put_bytes(&store::ids(&self.index, self.objects), &list)?;
        self.tally.join(&tally);
        self.bytes += open.bytes;
        self.under_way.push_back((open.pending, open.bytes));
        Ok(())
    }

    fn wait_for_oldest(&mut self) -> Result<bool> {
        let Some((pending, bytes)) = self.under_way.pop_front() else { return Ok(false) };
        match pending.wait()?.size {
            size if size == bytes => Ok(true),
            size => Err(Error::corrupt(format!("an object of {bytes} bytes was stored with {size}"))),
        }
    }
}

/// Lines of a file of a snapshot, none longer than a plugin can hold.
pub struct Lines {
    lines: BufReader<InputStream>,
    line: Vec<u8>,
}

impl Lines {
    /// Those of a file.
    ///
    /// # Errors
    /// `not-found`.
    pub fn open(part: &str, path: &str) -> Result<Self> {
        Ok(Self { lines: BufReader::with_capacity(1 << 20, archive::open(part, path)?), line: Vec::new() })
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// `corrupt` when its end is missing, `limit` when it is too long; what ended the file.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let most = HIT_BYTES_MAX as u64 + 1;
        let count = (&mut self.lines).take(most).read_until(b'\n', &mut self.line)? as u64;
        match self.line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(&self.line)),
            Some(_) if count == most => Err(Error::limit(format!("a line is longer than {HIT_BYTES_MAX} bytes"))),
            Some(_) => Err(Error::corrupt("the last line has no end")),
        }
    }
}

/// The list of an object: what it says of the object, then its ids.
pub struct Ids {
    lines: Lines,
    count: u64,
}

impl Ids {
    /// Opens it.
    ///
    /// # Errors
    /// `not-found`; `corrupt` when it is no list.
    pub fn open(part: &str, index: &str, number: u32) -> Result<(Contents, Self)> {
        let mut lines = Lines::open(part, &store::ids(index, number))?;
        let first = lines.next_line()?.unwrap_or_default();
        let contents = store::parse(&String::from_utf8_lossy(first))?;
        Ok((contents, Self { lines, count: 0 }))
    }

    /// The next id.
    ///
    /// # Errors
    /// `corrupt` when it is none, or there are more than an object may have.
    pub fn next_id(&mut self) -> Result<Option<String>> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        self.count += 1;
        if self.count > OBJECT_DOCUMENTS_MAX {
            return Err(Error::corrupt(format!("it names more than {OBJECT_DOCUMENTS_MAX} documents")));
        }
        store::parse(std::str::from_utf8(line).map_err(|_| Error::corrupt("an id that is no text"))?).map(Some)
    }
}

/// Reads the documents of an object.
///
/// # Errors
/// `corrupt` when a line is not what it must be; those of `each`.
pub fn read(part: &str, path: &str, mut each: impl FnMut(&Document) -> Result<()>) -> Result<()> {
    let mut lines = Lines::open(part, path)?;
    let mut action = Vec::new();
    while let Some(line) = lines.next_line()? {
        action.clear();
        action.extend_from_slice(line);
        let head = Head::parse(&action)?;
        let source = lines.next_line()?;
        let missing = || Error::corrupt(format!("the document {:?} has no second line", head.id()));
        each(&head.with(source.ok_or_else(missing)?)?)?;
    }
    Ok(())
}
