//! Compares packs with what the index says, and reads them: the sum of each, its list, and every blob in it.

use std::{
    collections::HashMap,
    io::{self, BufReader, Read},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{
    Bad, pack_path,
    sheet::{Sheet, Sheets},
};
use crate::{
    diagnostic::causes,
    digest::{self, Digest, Summing},
    repository::{
        Error, Watch,
        damage::Damage,
        restic::{
            index::Index,
            pack::{self, Blob},
            reader,
            storage::{Found, Kind, Name},
            vault::Vault,
        },
        workers,
    },
};

/// Bytes of a pack that are read at a time.
const WINDOW: usize = 1 << 20;
/// Packs with a damaged list whose blobs are looked for in the index; of more than these all blobs count as damaged.
const DOUBTFUL_MAX: usize = 1000;

/// See the module.
pub(super) struct Packs<'a> {
    pub vault: &'a Vault,
    pub sheets: &'a Sheets,
    pub errors: &'a Damage,
    pub bad: &'a Mutex<Bad>,
    pub watch: &'a dyn Watch,
}

impl Packs<'_> {
    fn bad(&self) -> MutexGuard<'_, Bad> {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names packs that are gone or of the wrong size; returns those that are there.
    pub(super) fn compare(&self, found: Vec<Found>, remarks: &mut Vec<String>) -> Vec<(Digest, u64)> {
        let mut sizes: HashMap<Digest, u64> =
            found.into_iter().filter_map(|found| Some((found.name.parse().ok()?, found.size))).collect();
        let mut there = Vec::new();
        for (id, sheet) in &self.sheets.packs {
            let size = sizes.remove(id);
            let path = pack_path(self.vault, id);
            match size {
                None => self.errors.name(format!("{path}: it is not there, nor are {} blobs in it", sheet.blobs())),
                Some(size) if size != sheet.size() => {
                    self.errors.name(format!("{path}: it has {size} bytes, and should have {}", sheet.size()));
                }
                Some(_) => {}
            }
            if size != Some(sheet.size()) {
                self.bad().packs.insert(*id, size.unwrap_or_default());
            }
            there.extend(size.map(|size| (*id, size)));
        }
        if !sizes.is_empty() {
            let (count, bytes) = (sizes.len(), sizes.values().sum::<u64>());
            remarks.push(format!(
                "{count} packs of {bytes} bytes stand in no index file: a run that died, or one that goes on, stored \
                 them; the next backup uses them, prune removes them"
            ));
        }
        there
    }

    /// Reads packs; returns how many, and their bytes.
    pub(super) fn read(&self, packs: Vec<(Digest, u64)>, index: &Index) -> Result<(u64, u64), Error> {
        let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let doubtful = Mutex::new(HashMap::new());
        let work = || {
            while let Some((id, size)) = packs.get(next.fetch_add(1, Ordering::Relaxed))
                && !self.watch.stopped()
            {
                if !self.read_one(id, *size) {
                    doubtful.lock().unwrap_or_else(PoisonError::into_inner).insert(*id, Vec::new());
                }
                bytes.fetch_add(*size, Ordering::Relaxed);
                self.watch.moved(0, 1);
            }
        };
        std::thread::scope(|scope| workers::start_many(scope, self.vault.readers(), work))?;
        self.read_doubtful(doubtful.into_inner().unwrap_or_else(PoisonError::into_inner), index);
        match self.watch.stopped() {
            true => Err(Error::Canceled),
            false => Ok((packs.len() as u64, bytes.into_inner())),
        }
    }

    /// Reads a pack; returns whether its list could be believed, and so which blobs are damaged is known.
    fn read_one(&self, id: &Digest, size: u64) -> bool {
        let Vault { storage, key, .. } = self.vault;
        let list = pack::blobs(&**storage, key, &id.to_string(), size).map_err(|why| causes(&why));
        let listed = list.and_then(|blobs| match self.sheets.packs.get(id) {
            Some(sheet) if *sheet == Sheet::of(blobs.iter().copied()) => Ok(blobs),
            _ => Err("the index says that other blobs are in it".to_owned()),
        });
        let name = Name::new(Kind::Pack, id);
        let mut content = BufReader::with_capacity(WINDOW, Bytes { packs: self, name, at: 0, size });
        let whole = match &listed {
            Ok(blobs) => self.read_blobs(id, blobs, &mut content),
            Err(why) => digest::of_reader(content).map(|(_, sum)| (sum, Some(why.clone()))),
        };
        let wrong = match whole {
            _ if self.watch.stopped() => return true,
            Ok((sum, why)) if sum == *id => why,
            Ok((_, why)) => Some(format!("its content is not what its name says{}", and(why))),
            Err(why) => Some(format!("it cannot be read: {why}")),
        };
        if let Some(why) = &wrong {
            self.errors.name(format!("{}: {why}", pack_path(self.vault, id)));
        }
        listed.is_ok()
    }

    /// Opens every blob of a pack; returns its sum, and what is wrong with blobs.
    fn read_blobs(
        &self,
        pack: &Digest,
        blobs: &[Blob],
        content: &mut impl Read,
    ) -> io::Result<(Digest, Option<String>)> {
        let (mut sum, mut sealed) = (Summing::default(), Vec::new());
        let (mut first, mut count) = (None, 0_usize);
        for blob in blobs {
            sealed.resize(blob.length as usize, 0);
            if let Err(why) = content.read_exact(&mut sealed) {
                let mut bad = self.bad();
                blobs.iter().filter(|other| other.offset >= blob.offset).for_each(|blob| bad.add(pack, blob));
                return Err(why);
            }
            sum.update(&sealed);
            if let Err(why) = pack::open(&self.vault.key, blob, &mut sealed) {
                count += 1;
                first.get_or_insert_with(|| format!("{} at byte {}: {why}", blob.id, blob.offset));
                self.bad().add(pack, blob);
            }
        }
        sealed.clear();
        content.read_to_end(&mut sealed)?;
        sum.update(&sealed);
        Ok((sum.finish(), first.map(|first| format!("{count} of {} blobs are damaged, first {first}", blobs.len()))))
    }

    /// Reads the blobs that the index says are in packs whose own list is not to be believed.
    fn read_doubtful(&self, mut packs: HashMap<Digest, Vec<Blob>>, index: &Index) {
        while packs.len() > DOUBTFUL_MAX
            && let Some(id) = packs.keys().next().copied()
        {
            packs.remove(&id);
            self.bad().packs.insert(id, 0);
        }
        if packs.is_empty() {
            return;
        }
        index.each_blob(&mut |pack, blob, _| {
            if let Some(blobs) = packs.get_mut(pack) {
                blobs.push(blob);
            }
        });
        for (pack, blobs) in packs {
            for blob in blobs {
                if !self.watch.stopped() && reader::fetch(self.vault, &pack, &blob).is_err() {
                    self.bad().add(&pack, &blob);
                }
            }
        }
    }
}

fn and(why: Option<String>) -> String {
    why.map(|why| format!("; {why}")).unwrap_or_default()
}

/// A pack from its begin to its end, in windows: storages that are far away answer few calls.
struct Bytes<'a> {
    packs: &'a Packs<'a>,
    name: Name,
    at: u64,
    size: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.packs.watch.stopped() {
            return Err(io::Error::other("stopped"));
        }
        let count = (self.size - self.at).min(buffer.len() as u64) as usize;
        self.packs.vault.storage.read_at(&self.name, self.at, &mut buffer[..count])?;
        self.at += count as u64;
        self.packs.watch.moved(count as u64, 0);
        Ok(count)
    }
}
