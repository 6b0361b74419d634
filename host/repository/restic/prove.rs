//! Reads a whole snapshot back and names every difference: each blob to its name, each file to `SHA256SUMS`.

use std::{
    io,
    iter::Peekable,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    archive::{Content, ResticSet},
    node::Node,
};
use crate::{
    diagnostic::causes,
    digest::{self, Digest},
    name::RawPath,
    repository::{
        Archive, Error, Item, Kind, Proof, Watch,
        damage::Damage,
        lines::{Lines, RECORD, SUMS},
        queue,
        watched::Watched,
    },
    snapshot::record::Record,
};

/// Files on their way to the threads that read them.
const QUEUE_MAX: usize = 64;

/// A file, its node, and what `SHA256SUMS` says of it.
type File = (RawPath, Node, Option<Digest>);

/// See the module.
pub(super) fn prove(set: &ResticSet, watch: &dyn Watch) -> Result<Proof, Error> {
    let proving =
        Proving { set, watch, damage: Damage::default(), entries: AtomicU64::new(0), bytes: AtomicU64::new(0) };
    proving.check_record();
    queue::share(QUEUE_MAX, set.readers(), |send| proving.list(send), |file| proving.check(&file))?;
    if watch.stopped() {
        return Err(Error::Canceled);
    }
    let (entries, bytes) = (proving.entries.into_inner(), proving.bytes.into_inner());
    Ok(Proof { entries, bytes, damage: proving.damage.named() })
}

struct Proving<'a> {
    set: &'a ResticSet,
    watch: &'a dyn Watch,
    damage: Damage,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Proving<'_> {
    fn check_record(&self) {
        // What another program wrote has none, and none of our sums.
        if !self.set.is_ours() {
            return;
        }
        match self.set.record().map(|record| serde_json::from_slice::<Record>(&record)) {
            Err(why) => self.damage.name(causes(&why)),
            Ok(Err(why)) => self.damage.name(format!("{RECORD} cannot be understood: {why}")),
            Ok(Ok(record)) if !self.set.is_labelled_as(&record) => {
                self.damage.name(format!("the snapshot's tags differ from {RECORD}"));
            }
            Ok(Ok(_)) => {}
        }
    }

    /// Goes through trees and sums side by side: both are in byte order.
    fn list(&self, send: &mut dyn FnMut(File)) -> Result<(), Error> {
        let mut sums = if self.set.is_ours() { Some(self.sums()?.peekable()) } else { None };
        let walked = self.set.walk(&RawPath::root(), None, &mut |item, node| {
            let own = item.path.as_bytes() == SUMS.as_bytes();
            self.entries.fetch_add(u64::from(!own), Ordering::Relaxed);
            if item.kind == Kind::File {
                let sum = sums.as_mut().filter(|_| !own).and_then(|sums| self.sum_of(&item, sums));
                send((item.path, node.clone(), sum));
            }
            !self.watch.stopped()
        });
        match walked {
            // What a tree holds that cannot be read is not known: neither is what comes after it.
            Err(Error::Damaged(why)) => self.damage.name(format!("{why}; what follows was not compared")),
            walked => {
                walked?;
                if !self.watch.stopped() {
                    sums.into_iter().flatten().for_each(|(_, path)| self.damage.name(format!("{path}: missing")));
                }
            }
        }
        Ok(())
    }

    /// The sum of a file; sums that come ahead of it are of files that are not there.
    fn sum_of(&self, item: &Item, sums: &mut Peekable<impl Iterator<Item = (Digest, RawPath)>>) -> Option<Digest> {
        while let Some((_, path)) = sums.next_if(|(_, path)| *path < item.path) {
            self.damage.name(format!("{path}: missing"));
        }
        let sum = sums.next_if(|(_, path)| *path == item.path).map(|(sum, _)| sum);
        if sum.is_none() {
            self.damage.name(format!("{}: not in {SUMS}", item.path));
        }
        sum
    }

    fn sums(&self) -> Result<impl Iterator<Item = (Digest, RawPath)> + '_, Error> {
        let content = match self.set.open(&RawPath::from_bytes(SUMS.as_bytes())?, 0) {
            Ok(content) => content,
            Err(why @ (Error::NotFound(_) | Error::Damaged(_))) => {
                self.damage.name(format!("{SUMS}: {why}"));
                Box::new(io::empty())
            }
            Err(why) => return Err(why),
        };
        let mut sums = Lines::new(SUMS, content);
        Ok(std::iter::from_fn(move || match sums.next_sum() {
            Ok(sum) => sum,
            Err(why) => {
                self.damage.name(why);
                None
            }
        }))
    }

    /// Reads content to its end. A blob is checked against its name when it is opened: where there is but one, that name
    /// is the digest.
    fn digest(&self, mut content: Watched<'_, Content>, node: &Node) -> io::Result<Digest> {
        match node.content.as_deref() {
            Some([only]) => io::copy(&mut content, &mut io::sink()).map(|_| *only),
            _ => digest::of_reader(content).map(|(_, digest)| digest),
        }
    }

    fn check(&self, (path, node, sum): &File) {
        if self.watch.stopped() {
            return;
        }
        let content = self.set.content(path, node, 0).map_err(|why| format!("{path}: {}", causes(&why)));
        let read = content.and_then(|inner| {
            self.digest(Watched::counting(inner, self.watch, &self.bytes), node).map_err(|why| why.to_string())
        });
        self.watch.moved(0, 1);
        match read {
            Err(_) if self.watch.stopped() => {}
            Err(why) => self.damage.name(why),
            Ok(found) => {
                if sum.is_some_and(|sum| sum != found) {
                    self.damage.name(format!("{path}: content differs from {SUMS}"));
                }
            }
        }
    }
}
