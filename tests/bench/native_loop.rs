//! Stores a directory's regular files without any plugin: what files that pass through one are measured against.
//!
//! It does the plugin's work as a program of its own would: one thread lists, looks and opens, as many threads as there
//! are cores store, into the same repository writer. Usage: `native-loop SOURCE REPOSITORY`; it prints the milliseconds
//! of the storing and of the sealing, the files and their bytes.

use std::{
    error::Error,
    fs::{self, File},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use strongroom::{
    name::RawPath,
    repository::{Draft, Identity, Meta, Pass, Repository, zip::ZipRepository},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Files that are handed over at once: threads that wake each other for each one would cost more than storing it.
const BATCH_FILES: usize = 8;
/// Batches that wait, for each thread: as many files as wait for a plugin's workers.
const BATCHES_PER_WORKER: usize = 2;

/// A file on its way.
struct Job {
    path: RawPath,
    file: File,
}

fn main() -> Outcome<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, repository] = &arguments[..] else { return Err("usage: native-loop SOURCE REPOSITORY".into()) };
    let (id, started) = ("0000000000000001", "2026-01-01T00:00:00Z");
    let draft = ZipRepository::new(repository).draft(id, "native", started)?;

    let begin = Instant::now();
    let (files, bytes) = store_all(&*draft, source)?;
    let stored = begin.elapsed().as_millis();

    let begin = Instant::now();
    let record = serde_json::json!({
        "snapshot": id, "pipeline": "native", "started": started, "state": "complete", "totals": { "bytes": bytes },
    });
    draft.seal(&serde_json::to_vec(&record)?)?;
    println!("{stored} {} {files} {bytes}", begin.elapsed().as_millis());
    Ok(())
}

fn store_all(draft: &dyn Draft, source: &Path) -> Outcome<(u64, u64)> {
    let workers = thread::available_parallelism()?.get();
    let (sender, receiver) = sync_channel(workers * BATCHES_PER_WORKER);
    let (queue, files, bytes) = (Mutex::new(receiver), AtomicU64::new(0), AtomicU64::new(0));
    let serve = || -> Outcome<()> {
        let mut outcome = Ok(());
        while let Some(batch) = next(&queue) {
            // After a failure the queue is only emptied, so that nobody waits at its other end.
            if outcome.is_ok() {
                files.fetch_add(batch.len() as u64, Ordering::Relaxed);
                outcome = batch.into_iter().try_for_each(|job| {
                    bytes.fetch_add(store(draft, job)?, Ordering::Relaxed);
                    Ok(())
                });
            }
        }
        outcome
    };
    thread::scope(|scope| {
        let servers: Vec<_> = (0..workers).map(|_| scope.spawn(serve)).collect();
        let listed = list(source, sender);
        for server in servers {
            server.join().map_err(|_| "a thread that stores has panicked")??;
        }
        listed
    })?;
    Ok((files.into_inner(), bytes.into_inner()))
}

fn next(queue: &Mutex<Receiver<Vec<Job>>>) -> Option<Vec<Job>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Walks in the order of the plugin: by name, a directory's own files before those of the directories in it.
fn list(source: &Path, batches: SyncSender<Vec<Job>>) -> Outcome<()> {
    let (mut unseen, mut batch) = (vec![PathBuf::new()], Vec::new());
    while let Some(directory) = unseen.pop() {
        let entries = fs::read_dir(source.join(&directory))?;
        let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<Outcome<Vec<_>>>()?;
        names.sort_unstable();
        for name in names {
            let path = directory.join(name);
            let kind = fs::symlink_metadata(source.join(&path))?.file_type();
            if kind.is_dir() {
                unseen.push(path);
            } else if kind.is_file() {
                let below = RawPath::from_bytes(path.as_os_str().as_encoded_bytes())?;
                let file = open(&source.join(&path))?;
                batch.push(Job { path: RawPath::from_text("files/source")?.join(&below), file });
                if batch.len() == BATCH_FILES {
                    batches.send(std::mem::take(&mut batch))?;
                }
            }
        }
    }
    Ok(batches.send(batch)?)
}

fn open(path: &Path) -> Outcome<File> {
    Ok(File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?)
}

fn store(draft: &dyn Draft, Job { path, mut file }: Job) -> Outcome<u64> {
    let metadata = file.metadata()?;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let identity = Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    };
    let meta = Meta {
        modified: Some((metadata.mtime(), metadata.mtime_nsec() as u32)),
        mode: Some(metadata.mode() & 0o7777),
        owner: Some((metadata.uid(), metadata.gid())),
        attributes: Vec::new(),
    };
    Ok(draft.put(&path, &mut file, &meta, Some(identity), Pass::InStage)?.size)
}
