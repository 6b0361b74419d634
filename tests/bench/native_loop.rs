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

/// Open files that wait for a thread, for each thread: as many as wait for a plugin's workers.
const WAITING_PER_WORKER: usize = 16;

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
    let (sender, receiver) = sync_channel(workers * WAITING_PER_WORKER);
    let (queue, files, bytes) = (Mutex::new(receiver), AtomicU64::new(0), AtomicU64::new(0));
    let serve = || -> Outcome<()> {
        let mut outcome = Ok(());
        while let Some(job) = next(&queue) {
            // After a failure the queue is only emptied, so that nobody waits at its other end.
            if outcome.is_ok() {
                outcome = store(draft, job).map(|size| {
                    bytes.fetch_add(size, Ordering::Relaxed);
                    files.fetch_add(1, Ordering::Relaxed);
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

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Walks in the order of the plugin: by name, a directory's own files before those of the directories in it.
fn list(source: &Path, jobs: SyncSender<Job>) -> Outcome<()> {
    let mut unseen = vec![PathBuf::new()];
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
                jobs.send(Job {
                    path: RawPath::from_text("files/source")?.join(&below),
                    file: open(&source.join(&path))?,
                })?;
            }
        }
    }
    Ok(())
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
