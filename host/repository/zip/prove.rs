//! Reads a whole set back and names every difference: content to `SHA256SUMS`, all else to the list of entries.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{archive::ZipSet, seal::Label};
use crate::{
    diagnostic::causes,
    digest::{self, Digest},
    name::RawPath,
    repository::{
        Archive, Error, Item, Proof, Watch,
        catalog::Shape,
        damage::Damage,
        lines::{ENTRIES, Line, Lines, RECORD, SUMS, own_meta},
        watched::Watched,
        workers,
    },
    snapshot::record::Record,
};

/// See the module.
pub(super) fn prove(set: &ZipSet, watch: &dyn Watch) -> Result<Proof, Error> {
    let proving = Proving {
        set,
        watch,
        lists: Mutex::new(None),
        seen: Mutex::new(vec![false; set.len()]),
        damage: Damage::default(),
        entries: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    proving.check_record();
    if proving.open_lists() {
        std::thread::scope(|scope| workers::start(scope, || proving.work()))?;
        proving.check_rest();
    }
    if watch.stopped() {
        return Err(Error::Canceled);
    }
    Ok(proving.proof())
}

/// What the list of entries says of the content of each file, by the directory's numbers. What cannot be read says
/// nothing: whoever asks must read the content then.
pub(super) fn sums(set: &ZipSet) -> Vec<Option<Digest>> {
    let mut sums = vec![None; set.len()];
    let Ok(mut lines) = Lines::open(set, ENTRIES) else { return sums };
    while let Ok(Some(line)) = lines.next() {
        let Ok(line) = serde_json::from_slice::<Line>(&line) else { break };
        let number = RawPath::from_text(&line.path).ok().and_then(|path| set.number(&path));
        if let Some(sum) = number.and_then(|number| sums.get_mut(number)) {
            *sum = line.sha256;
        }
    }
    sums
}

struct Proving<'a> {
    set: &'a ZipSet,
    watch: &'a dyn Watch,
    lists: Mutex<Option<Lists>>,
    /// Which entries of the directory were proven or named.
    seen: Mutex<Vec<bool>>,
    damage: Damage,
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// Both lists, read side by side: they were written in the same order.
struct Lists {
    entries: Lines,
    sums: Lines,
}

/// What the lists say of one entry.
struct Wanted {
    path: RawPath,
    line: Option<Line>,
    sum: Option<Digest>,
}

impl Proving<'_> {
    fn damaged(&self, what: String) {
        self.damage.name(what);
    }

    fn check_record(&self) {
        let record = match self.set.record() {
            Ok(record) => record,
            Err(why) => return self.damaged(causes(&why)),
        };
        if let Err(why) = serde_json::from_slice::<Record>(&record) {
            self.damaged(format!("{RECORD} cannot be understood: {why}"));
        }
        let plain = self.set.label.as_ref().is_some_and(|label| label.host.is_none());
        let label = Label::of(&record, plain).ok();
        let bytes = label.as_ref().and_then(|label| serde_json::to_vec(label).ok());
        // Its bytes, too: what is not understood is no part of the record.
        if self.set.label != label || bytes.is_none_or(|bytes| bytes != self.set.comment) {
            self.damaged(format!("the set's comment differs from {RECORD}"));
        }
    }

    fn open_lists(&self) -> bool {
        let open = |name: &'static str| match Lines::open(self.set, name) {
            Ok(lines) => Some(lines),
            Err(why) => {
                self.damaged(format!("{name}: {}", causes(&why)));
                None
            }
        };
        let (Some(entries), Some(sums)) = (open(ENTRIES), open(SUMS)) else { return false };
        *self.lists.lock().unwrap_or_else(PoisonError::into_inner) = Some(Lists { entries, sums });
        true
    }

    fn work(&self) {
        while !self.watch.stopped() {
            let next = {
                let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(open) = lists.as_mut() else { return };
                let next = open.next();
                if !matches!(next, Ok(Some(_))) {
                    *lists = None;
                }
                next
            };
            match next {
                Ok(Some(wanted)) => self.check(&wanted),
                Ok(None) => return,
                Err(why) => return self.damaged(why),
            }
        }
    }

    fn check(&self, wanted: &Wanted) {
        let Some(number) = self.set.number(&wanted.path) else {
            return self.damaged(format!("{}: missing", wanted.path));
        };
        if std::mem::replace(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner)[number], true) {
            return self.damaged(format!("{}: listed twice", wanted.path));
        }
        if let Err(why) = self.compare(number, wanted) {
            self.damaged(why.to_string());
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    fn compare(&self, number: usize, wanted: &Wanted) -> Result<(), Error> {
        let listing = self.set.listing(number)?;
        let local = self.set.local(&listing)?;
        let mut found = None;
        if listing.shape == Shape::File {
            let content = Watched::counting(self.set.content(&listing, &local), self.watch, &self.bytes);
            found = Some(digest::of_reader(content).map_err(|why| Error::Damaged(why.to_string()))?.1);
            self.watch.moved(0, 1);
            if found != wanted.sum {
                self.damaged(format!("{}: content differs from {SUMS}", wanted.path));
            }
        }
        let item = self.set.item(&listing, local)?;
        let Some(line) = &wanted.line else {
            self.check_own(&item);
            return Ok(());
        };
        for fact in line.differences(&Line::of_item(&item, found)) {
            self.damaged(format!("{}: {fact} differs from {ENTRIES}", wanted.path));
        }
        Ok(())
    }

    /// What the list of entries cannot list: itself and what was added after it.
    fn check_own(&self, item: &Item) {
        let known = [ENTRIES, RECORD, SUMS].iter().any(|name| item.path.as_bytes() == name.as_bytes());
        if !known {
            self.damaged(format!("{}: not in {ENTRIES}", item.path));
        } else if item.meta != own_meta() {
            self.damaged(format!("{}: not as it was written: mode, owner or time", item.path));
        }
    }

    /// What the directory has and the lists have not.
    fn check_rest(&self) {
        if self.watch.stopped() {
            return;
        }
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        for (number, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let item = self.set.listing(number).and_then(|listing| self.set.item(&listing, self.set.local(&listing)?));
            match item {
                Ok(item) if item.path.as_bytes() == SUMS.as_bytes() => self.check_own(&item),
                Ok(item) => self.damaged(format!("{}: not in {SUMS} or {ENTRIES}", item.path)),
                Err(why) => self.damaged(why.to_string()),
            }
        }
    }

    fn proof(self) -> Proof {
        let damage = self.damage.named();
        Proof { entries: self.entries.into_inner(), bytes: self.bytes.into_inner(), damage }
    }
}

impl Lists {
    /// The next entry. After the last line of the list of entries come the files that are only in the sums.
    fn next(&mut self) -> Result<Option<Wanted>, String> {
        let Some(line) = self.entries.next()? else {
            let Some((sum, path)) = self.sums.next_sum()? else { return Ok(None) };
            return Ok(Some(Wanted { path, line: None, sum: Some(sum) }));
        };
        let line: Line = serde_json::from_slice(&line).map_err(|why| self.entries.wrong(&why.to_string()))?;
        let path = RawPath::from_text(&line.path).map_err(|why| self.entries.wrong(&why.to_string()))?;
        let mut sum = None;
        if line.kind == Shape::File {
            let (digest, named) = self.sums.next_sum()?.ok_or_else(|| self.sums.wrong("it ends early"))?;
            if named != path {
                return Err(self.sums.wrong(&format!("it names {named} where {ENTRIES} names {path}")));
            }
            sum = Some(digest);
        }
        Ok(Some(Wanted { path, line: Some(line), sum }))
    }
}
