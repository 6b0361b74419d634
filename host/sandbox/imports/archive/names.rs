//! Whether each file's name is the digest of its content.

use std::io::Read;

use crate::{
    digest::{Algorithm, Hasher},
    name::RawPath,
    repository::{
        Archive, Error, Item, Kind, Watch,
        tree::{SKIPPED_MAX, TreeReport},
    },
};

const PAGE_ITEMS: usize = 1000;
const CHUNK_BYTES: usize = 256 << 10;

/// Reads every file below `prefix`. Paths in the report are relative to `base`.
pub fn check(
    archive: &dyn Archive,
    base: &RawPath,
    prefix: &RawPath,
    algorithm: Algorithm,
    watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    let (mut report, mut after) = (TreeReport::default(), None);
    loop {
        let items = archive.items(prefix, after.as_ref(), PAGE_ITEMS)?;
        let Some(last) = items.last() else { return Ok(report) };
        after = Some(last.path.clone());
        for item in &items {
            match item.kind {
                Kind::File => check_one(archive, base, item, algorithm, watch, &mut report)?,
                Kind::Directory => report.directories += 1,
                Kind::Symlink(_) => {}
            }
        }
    }
}

fn check_one(
    archive: &dyn Archive,
    base: &RawPath,
    item: &Item,
    algorithm: Algorithm,
    watch: &dyn Watch,
    report: &mut TreeReport,
) -> Result<(), Error> {
    report.expected += 1;
    report.files += 1;
    report.size += item.size;
    let digest = match digest(archive, item, algorithm, watch) {
        Ok(digest) => digest,
        Err(Error::Canceled) => return Err(Error::Canceled),
        Err(error) => {
            wrong(report, base, item, error.to_string());
            return Ok(());
        }
    };
    match item.path.file_name() == digest.as_bytes() {
        true => report.stored += 1,
        false => wrong(report, base, item, format!("its content has the digest {digest}")),
    }
    Ok(())
}

fn wrong(report: &mut TreeReport, base: &RawPath, item: &Item, why: String) {
    report.skipped_count += 1;
    if report.skipped.len() < SKIPPED_MAX {
        report.skipped.push((item.path.below(base).unwrap_or_default().to_text(), why));
    }
}

fn digest(archive: &dyn Archive, item: &Item, algorithm: Algorithm, watch: &dyn Watch) -> Result<String, Error> {
    let mut reader = archive.open(&item.path, 0)?;
    let (mut hasher, mut buffer) = (Hasher::new(algorithm), vec![0; CHUNK_BYTES]);
    loop {
        if watch.stopped() {
            return Err(Error::Canceled);
        }
        match reader.read(&mut buffer).map_err(Error::source(&item.path))? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                watch.moved(count as u64, 0);
            }
        }
    }
    watch.moved(0, 1);
    Ok(hasher.finish().iter().map(|byte| format!("{byte:02x}")).collect())
}
