//! Finds the faults that there are, chooses among them, and shares them out to workers.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
};

use super::{
    Arguments, calls,
    cases::{self, CASES, Promise},
    fault::{self, Fault, Kind},
    subject::{Place, Tools},
    tally::Tally,
    trial::{Bench, Counts},
    wire::Server,
};

/// Most of one place's calls that are swept; there are seldom more.
const CALLS_MAX: u64 = 600;
/// Jumps of the clock, in seconds: an hour and ten years, both ways.
const JUMPS: [i64; 4] = [3600, -3600, 315_360_000, -315_360_000];
/// Which of the calls a jump comes at: every so manieth.
const JUMP_EVERY: u64 = 6;
/// A set is proved by hand after every so manieth fault.
const THOROUGHLY_EVERY: usize = 50;
/// How often a fault by name is tried until it happens: threads do not always make their calls in one order.
const TRIES: usize = 10;

/// Sweeps. Whether every fault was survived, and enough have happened.
pub fn sweep(arguments: &Arguments) -> io::Result<bool> {
    let directory = tempfile::Builder::new().prefix("strongroom-sweep-").tempdir()?;
    let tools = tools(arguments, directory.path())?;
    let faults = match &arguments.only {
        Some(name) if name.parse::<Fault>().is_ok() => {
            vec![name.parse().map_err(io::Error::other)?; TRIES]
        }
        only => chosen(arguments, all(&tools, directory.path(), only.as_deref())?),
    };
    let single = arguments.only.as_ref().is_some_and(|name| name.parse::<Fault>().is_ok());
    let tally = Mutex::new(Tally::new(arguments, faults.len()));
    let next = Mutex::new(faults.into_iter().enumerate());
    let workers = if single { 1 } else { arguments.workers };
    thread::scope(|scope| {
        let work = |number: usize| worker(number, &tools, directory.path(), &next, &tally, single);
        let going: Vec<_> = (0..workers).map(|number| scope.spawn(move || work(number))).collect();
        going.into_iter().try_for_each(|one| one.join().map_err(|_| io::Error::other("a worker broke"))?)
    })?;
    let tally = tally.into_inner().map_err(|_| io::Error::other("a worker broke"))?;
    tally.print();
    Ok(tally.good())
}

fn tools(arguments: &Arguments, directory: &Path) -> io::Result<Tools> {
    let beside = std::env::current_exe()?.ancestors().nth(2).unwrap_or(Path::new(".")).join("strongroom");
    let program = std::path::absolute(arguments.program.clone().unwrap_or(beside))?;
    let plugins = directory.join("built");
    let sources =
        ["plugins/files", "tests/guests/scripted"].map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let built = Command::new(&program).args(["plugin", "build"]).args(sources).arg("--out").arg(&plugins).output()?;
    if !built.status.success() {
        return Err(io::Error::other(format!("building plugins: {}", String::from_utf8_lossy(&built.stderr))));
    }
    Ok(Tools { program, plugins, server: Server::start() })
}

/// Every fault of every case.
fn all(tools: &Tools, directory: &Path, only: Option<&str>) -> io::Result<Vec<Fault>> {
    let (mut faults, mut places) = (Vec::new(), BTreeMap::new());
    for case in CASES {
        // A prefix shorter than the case's name may mean it too.
        if only.is_some_and(|only| !case.name.starts_with(only.split('/').next().unwrap_or_default())) {
            continue;
        }
        if !places.contains_key(case.subject) {
            places.insert(case.subject, Place::make(directory.join("count").join(case.subject), case.subject, tools)?);
        }
        let place = &places[case.subject];
        let counts = Bench { place, case, processor: 0, printed: String::new() }.count()?;
        faults.extend(of_case(case.name, case.promise, &counts));
    }
    faults.retain(|fault| only.is_none_or(|only| fault.to_string().starts_with(only)));
    Ok(faults)
}

fn of_case(case: &str, promise: Promise, counts: &Counts) -> Vec<Fault> {
    let fault = |place: &str, kind: Kind, number: u64| Fault { case: case.into(), place: place.into(), kind, number };
    let mut faults = Vec::new();
    for (place, count) in counts {
        let numbers = 1..=(*count).min(CALLS_MAX);
        match place.as_str() {
            "clock" => {
                let moments = (1..=*count).step_by(JUMP_EVERY as usize);
                faults.extend(moments.flat_map(|number| JUMPS.map(|jump| fault(place, Kind::Jump(jump), number))));
            }
            "connection" => faults.extend(numbers.map(|number| fault(place, Kind::Cut, number))),
            _ => {
                let kinds = kinds_of(place);
                faults.extend(
                    numbers
                        .flat_map(|number| kinds.iter().map(move |kind| (*kind, number)))
                        .map(|(kind, number)| fault(place, kind, number)),
                );
            }
        }
    }
    let disks: &[(&str, u64)] = match promise {
        Promise::Backup => &[("repository", 30), ("state", 1), ("tmp", 1)],
        Promise::Restore | Promise::Extract => &[("restored", 12), ("state", 1)],
        Promise::Read | Promise::Look | Promise::Forget | Promise::Recover => &[],
    };
    for (name, count) in disks {
        faults.extend((1..=*count).map(|number| fault(&format!("disk@{name}"), Kind::Full, number)));
    }
    faults
}

/// What can go wrong with what a place's name says.
fn kinds_of(place: &str) -> Vec<Kind> {
    let (word, what) = place.split_once('@').unwrap_or((place, ""));
    let mut kinds = calls::deed(word).map(fault::kinds).unwrap_or_default().to_vec();
    // A pipe that ends while its writer is there, and a file that ends early only for a tool: no system does that.
    kinds.retain(|kind| *kind != Kind::Ends || !matches!(what, "pipe" | "tool"));
    // Nor can a tool know of a connection that fails one way and stays open the other: it waits, as long as it may.
    kinds.retain(|kind| *kind == Kind::Kill || !matches!((word, what), ("send" | "receive", "tool")));
    // A repository, or a set that `forget` removes, is gone between two looks at it: that is no fault of who looks.
    kinds.retain(|kind| *kind != Kind::Fails(libc::ENOENT) || !matches!(what, "repository" | "set"));
    // What no signal comes to is not interrupted, and tools are not ready for it.
    kinds.retain(|kind| *kind != Kind::Fails(libc::EINTR) || what != "tool");
    // No disk is behind its pipes: pg_dump does not even look whether its last words were taken.
    kinds.retain(|kind| *kind == Kind::Kill || what != "tool-pipe");
    // A pipe has no disk.
    kinds.retain(|kind| *kind != Kind::Fails(libc::ENOSPC) || place != "write@pipe");
    kinds
}

/// As many as were asked for, of each place some, in an order that the seed decides.
fn chosen(arguments: &Arguments, faults: Vec<Fault>) -> Vec<Fault> {
    let mut random = arguments.seed;
    let mut by_place: BTreeMap<(String, String), Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        by_place.entry((fault.case.clone(), fault.place.clone())).or_default().push(fault);
    }
    let mut places: Vec<_> = by_place.into_values().collect();
    places.iter_mut().for_each(|faults| shuffle(faults, &mut random));
    shuffle(&mut places, &mut random);
    let count = arguments.faults.unwrap_or(usize::MAX);
    let mut all = Vec::new();
    while all.len() < count && places.iter().any(|place| !place.is_empty()) {
        all.extend(places.iter_mut().filter_map(Vec::pop));
    }
    all.truncate(count);
    all
}

/// As splitmix64 has it.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn shuffle<T>(all: &mut [T], state: &mut u64) {
    for last in (1..all.len()).rev() {
        all.swap(last, (random(state) % (last as u64 + 1)) as usize);
    }
}

/// Works until there are no faults left, or too many were not survived.
fn worker(
    number: usize,
    tools: &Tools,
    directory: &Path,
    next: &Mutex<impl Iterator<Item = (usize, Fault)>>,
    tally: &Mutex<Tally>,
    single: bool,
) -> io::Result<()> {
    let broken = |_| io::Error::other("a worker broke");
    let root: PathBuf = directory.join(format!("worker-{number}"));
    let (mut places, mut printed) = (BTreeMap::new(), BTreeMap::<&str, String>::new());
    loop {
        let taken = next.lock().map_err(|_| broken(()))?.next();
        let Some((index, fault)) = taken else { return Ok(()) };
        if tally.lock().map_err(|_| broken(()))?.enough(single) {
            return Ok(());
        }
        let case =
            cases::find(&fault.case).ok_or_else(|| io::Error::other(format!("there is no case {}", fault.case)))?;
        if !places.contains_key(case.subject) {
            places.insert(case.subject, Place::make(root.join(case.subject), case.subject, tools)?);
        }
        let mut bench = Bench { place: &places[case.subject], case, processor: number, printed: String::new() };
        if !printed.contains_key(case.name) {
            bench.count()?;
            printed.insert(case.name, std::mem::take(&mut bench.printed));
        }
        bench.printed.clone_from(&printed[case.name]);
        let outcome = bench.run(&fault, index % THOROUGHLY_EVERY == 0)?;
        tally.lock().map_err(|_| broken(()))?.add(fault, outcome);
    }
}
