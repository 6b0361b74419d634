//! Ends a set: lists, record, sums, directory; then makes it visible in one step.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    draft::{InSet, ZipDraft},
    header,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{
        Error, Pass,
        catalog::{Entry, Shape, Walk},
        cataloged::Cataloged,
        health::Health,
        lines::{ENTRIES, Line, RECORD, SUMS, own_meta, sum_line},
    },
    snapshot::state::State,
};

/// How the name of a set ends that is not whole yet.
pub(super) const PARTIAL: &str = ".partial";
/// Bytes of the central directory that are written at a time.
const DIRECTORY_BUFFER: usize = 1 << 20;

/// What the zip's comment says, so that a set can be listed without reading its directory. A part of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    pub snapshot: String,
    pub pipeline: String,
    pub started: String,
    /// Older versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub state: State,
    pub totals: LabelTotals,
}

impl Label {
    /// Of a record; as older versions wrote it where `plain`.
    pub(super) fn of(record: &[u8], plain: bool) -> serde_json::Result<Self> {
        let label: Self = serde_json::from_slice(record)?;
        Ok(if plain { Self { host: None, ..label } } else { label })
    }
}

/// A part of the record's totals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LabelTotals {
    pub bytes: u64,
}

/// Writes what is left, syncs, renames, syncs the directory.
pub(super) fn seal(draft: &ZipDraft, record: &[u8]) -> Result<PathBuf, Error> {
    let label: Label = serde_json::from_slice(record)
        .map_err(|why| Error::Refused(format!("a record that cannot be read back is not sealed: {why}")))?;
    draft.health.check()?;
    add(draft, ENTRIES, &mut Generated::new(draft.catalog.walk()?, entries_line))?;
    add(draft, RECORD, &mut &record[..])?;
    add(draft, SUMS, &mut Generated::new(draft.catalog.walk()?, sums_line))?;
    write_directory(draft, &label)?;
    draft.set.sync()?;
    let sealed = draft.files.sealed(label.state);
    publish(&draft.health, &draft.files.partial, &sealed).map(|()| sealed)
}

fn add(draft: &ZipDraft, name: &str, content: &mut dyn Read) -> Result<(), Error> {
    let path = RawPath::from_bytes(name.as_bytes())?;
    draft.take(&path, content, &own_meta(), None, Pass::InStage).map(|_| ())
}

fn entries_line(entry: &Entry<InSet>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Line::of_entry(entry))?;
    line.push(b'\n');
    Ok(line)
}

fn sums_line(entry: &Entry<InSet>) -> io::Result<Vec<u8>> {
    Ok(match entry.shape {
        Shape::File => sum_line(&Digest::from_bytes(entry.sha256), &entry.path),
        _ => Vec::new(),
    })
}

/// The directory lists what is live, in the order of storing; what was replaced stays behind unlisted.
fn write_directory(draft: &ZipDraft, label: &Label) -> Result<(), Error> {
    let start = draft.set.end();
    let (mut buffer, mut entries, mut size) = (Vec::with_capacity(DIRECTORY_BUFFER), 0, 0);
    for entry in draft.catalog.walk()? {
        let (entry, _) = entry?;
        let name = header::name(&entry.path, entry.shape);
        let offset = draft.set.resolve(entry.stored.place);
        let line = header::central(&name, entry.shape, &entry.meta(), entry.content(), offset);
        entries += 1;
        size += line.len() as u64;
        buffer.extend(line);
        if buffer.len() >= DIRECTORY_BUFFER - (64 << 10) {
            draft.set.append(&buffer)?;
            buffer.clear();
        }
    }
    let comment = serde_json::to_vec(label).map_err(|cause| Error::io("writing the comment")(cause.into()))?;
    buffer.extend(header::end(entries, start, size, &comment));
    draft.set.append(&buffer).map(|_| ())
}

/// Makes a whole file visible under its name, so that it stays so after a crash.
pub(super) fn publish(health: &Health, partial: &Path, sealed: &Path) -> Result<(), Error> {
    let directory = sealed.parent().unwrap_or(Path::new("."));
    let renaming = || format!("renaming {} to {}", partial.display(), sealed.display());
    health.run(renaming, || fs::rename(partial, sealed))?;
    let syncing = || format!("syncing {}", directory.display());
    let synced = health.run(syncing, || File::open(directory)?.sync_all());
    if synced.is_err() {
        // Nobody knows whether it would still be there after a crash, so it must not be seen now.
        let _ = fs::rename(sealed, partial);
    }
    synced
}

/// Text that is made from the catalog while it is read.
struct Generated<'a> {
    entries: Walk<'a, InSet>,
    line: fn(&Entry<InSet>) -> io::Result<Vec<u8>>,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Generated<'a> {
    fn new(entries: Walk<'a, InSet>, line: fn(&Entry<InSet>) -> io::Result<Vec<u8>>) -> Self {
        Self { entries, line, buffer: Vec::new(), at: 0 }
    }
}

impl Read for Generated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            let Some(entry) = self.entries.next() else { return Ok(0) };
            let (entry, _) = entry.map_err(io::Error::other)?;
            (self.buffer, self.at) = ((self.line)(&entry)?, 0);
        }
        let count = buffer.len().min(self.buffer.len() - self.at);
        buffer[..count].copy_from_slice(&self.buffer[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
