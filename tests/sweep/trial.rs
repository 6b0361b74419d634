//! One fault: the place is set back, the command runs with the fault, and everything that must hold is checked.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use super::{
    calls,
    cases::{Case, Promise},
    check::After,
    fault::{Fault, Kind},
    held::{self, Answer, Ended, Held},
    subject::Place,
};

/// How often each place was met.
pub type Counts = BTreeMap<String, u64>;

/// What a fault came to.
pub struct Outcome {
    /// Whether it happened.
    pub fired: bool,
    /// How the run ended.
    pub code: i32,
    /// What must hold and does not.
    pub wrong: Vec<String>,
}

/// Where and with what trials are made.
pub struct Bench<'a> {
    pub place: &'a Place,
    pub case: &'static Case,
    /// The processor that its runs have to themselves.
    pub processor: usize,
    /// What a reading verb prints without a fault.
    pub printed: String,
}

/// Bytes of answers after which a connection is cut, for each number.
pub const CUT_EVERY: u64 = 64;
/// Bytes of room on a disk, for each number.
pub const ROOM_EVERY: u64 = 64 << 10;

/// The library of libfaketime (Debian: libfaketime).
pub fn faketime() -> io::Result<PathBuf> {
    let known = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let mut paths = known.iter().map(|name| PathBuf::from(format!("/usr/lib/{name}/faketime/libfaketimeMT.so.1")));
    paths
        .find(|path| path.exists())
        .ok_or_else(|| io::Error::other("libfaketime is not installed: tests/run.sh --install"))
}

impl Bench<'_> {
    /// Runs the case without a fault: how often each place is met.
    pub fn count(&mut self) -> io::Result<Counts> {
        let _disk = self.prepare(None)?;
        let mut counts = Counts::new();
        let mut all = 0;
        let ended = self.held(None, |place| {
            *counts.entry(place.to_owned()).or_default() += 1;
            all += 1;
            Answer::Go
        })?;
        if ended.code() != 0 {
            let text = fs::read_to_string(self.place.root.join("err"))?;
            return Err(io::Error::other(format!(
                "{} ended with {} without any fault: {text}",
                self.case.name,
                ended.code()
            )));
        }
        self.printed = fs::read_to_string(self.place.root.join("out"))?;
        counts.insert("clock".into(), all);
        if let Some(proxy) = &self.place.proxy {
            counts.insert("connection".into(), proxy.passed().div_ceil(CUT_EVERY));
        }
        Ok(counts)
    }

    /// Runs the case with a fault, and checks.
    pub fn run(&self, fault: &Fault, thoroughly: bool) -> io::Result<Outcome> {
        let disk = self.prepare(Some(fault))?;
        let clock = matches!(fault.kind, Kind::Jump(_)).then(|| self.place.root.join("clock"));
        if let Some(clock) = &clock {
            fs::write(clock, "+0\n")?;
        }
        let (mut met, mut fired, mut broken) = (0, false, None);
        let ended = self.held(clock.as_ref(), |place| {
            if fired || (clock.is_none() && place != fault.place) {
                return Answer::Go;
            }
            met += 1;
            if met < fault.number || disk.is_some() {
                return Answer::Go;
            }
            fired = true;
            if let (Some(clock), Kind::Jump(seconds)) = (&clock, fault.kind) {
                broken = fs::write(clock, format!("{seconds:+}\n")).err();
            }
            fault.kind.answer()
        })?;
        if let Some(error) = broken {
            return Err(error);
        }
        let code = ended.code();
        fired |= self.fired_elsewhere(fault, code)?;
        let killed = fault.kind == Kind::Kill;
        let mute = fault.place.ends_with("@output");
        let denied = fault.kind == Kind::Fails(libc::ENOENT);
        let (place, case, printed) = (self.place, self.case, self.printed.as_str());
        let after = After { place, case, ended, killed, thoroughly, printed, mute, denied };
        let mut wrong = after.check()?;
        // The disk stays full for those who look, and has room again for those who go on.
        let full = disk.is_some();
        drop(disk);
        if full && self.case.promise == Promise::Backup {
            self.prepare(None)?;
        }
        if let Some(proxy) = &self.place.proxy {
            proxy.cut_after(u64::MAX);
        }
        if !full {
            wrong.extend(after.check_next()?);
        }
        Ok(Outcome { fired, code, wrong })
    }

    fn prepare(&self, fault: Option<&Fault>) -> io::Result<Option<super::small_disk::SmallDisk>> {
        let disk = fault.filter(|fault| fault.kind == Kind::Full);
        let disk = disk.and_then(|fault| Some((fault.place.strip_prefix("disk@")?, (fault.number - 1) * ROOM_EVERY)));
        let mounted = self.place.set_back(disk)?;
        if self.case.promise == Promise::Extract {
            fs::create_dir_all(self.place.root.join("restored"))?;
        }
        if let Some(proxy) = &self.place.proxy {
            let cut = fault.filter(|fault| fault.kind == Kind::Cut);
            proxy.cut_after(cut.map_or(u64::MAX, |fault| (fault.number - 1) * CUT_EVERY));
        }
        Ok(mounted)
    }

    /// What is not a call has happened when it can be seen.
    fn fired_elsewhere(&self, fault: &Fault, code: i32) -> io::Result<bool> {
        Ok(match fault.kind {
            Kind::Cut => self.place.proxy.as_ref().is_some_and(super::proxy::Proxy::has_cut),
            Kind::Full => {
                let said = ["out", "err"].map(|name| fs::read_to_string(self.place.root.join(name)));
                let words = ["No space left", "no room", "may not fit"];
                code != 0 && said.into_iter().flatten().any(|text| words.iter().any(|words| text.contains(words)))
            }
            _ => false,
        })
    }

    fn held(&self, clock: Option<&PathBuf>, mut decide: impl FnMut(&str) -> Answer) -> io::Result<Ended> {
        let mut command = self.place.command(self.case.arguments);
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", faketime()?).env("FAKETIME_TIMESTAMP_FILE", clock);
            command.env("FAKETIME_NO_CACHE", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        let held = Held::start(&command, &calls::numbers(), self.processor)?;
        let root = &self.place.root;
        held.answer(|call: &held::Call| match calls::place(call, root) {
            Some((deed, what)) => decide(&format!("{}@{what}", deed.word())),
            None => Answer::Go,
        })
    }
}
