//! A snapshot that is kept in memory.

use std::{cell::RefCell, rc::Rc};

use super::{
    dirs::Dir,
    streams::{InputStream, OutputStream, digest_of},
};
use crate::{
    Algorithm, Evidence, Instant, Meta, TreeOptions, TreeReport,
    bindings::strongroom::plugin::{
        snapshot::Stored,
        types::{Error, ErrorCode},
    },
    testing::{Held, fail, state, trees},
};

struct Job {
    path: String,
    meta: Meta,
    content: Option<InputStream>,
    stored: Option<Result<Stored, Error>>,
}

/// Content that is read when it is waited for, or when the test asks what was stored.
#[derive(Clone)]
pub(crate) struct Pending(Rc<RefCell<Job>>);

impl Pending {
    pub(crate) fn wait(this: Self) -> Result<Stored, Error> {
        this.run()
    }

    pub(crate) fn run(&self) -> Result<Stored, Error> {
        let mut job = self.0.borrow_mut();
        if let Some(content) = job.content.take() {
            job.stored = Some(store(&job.path, &content, &job.meta));
        }
        job.stored.clone().unwrap_or_else(|| Err(fail(ErrorCode::Internal, "waited for twice")))
    }
}

fn store(path: &str, content: &InputStream, meta: &Meta) -> Result<Stored, Error> {
    use sha2::Digest;
    let content = content.all()?;
    let size = content.len() as u64;
    let sha256 = sha2::Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let tail = content[content.len().saturating_sub(256)..].to_vec();
    state(|state| state.stored.insert(path.into(), Held::File(content, meta.clone())));
    Ok(Stored { size, sha256, new_bytes: size, tail })
}

fn fresh(path: &str) -> Result<(), Error> {
    let taken = state(|state| {
        state.stored.contains_key(path) || state.submitted.iter().any(|(submitted, _)| submitted == path)
    });
    match taken {
        true => Err(fail(ErrorCode::Exists, format!("{path} was stored before in this pass"))),
        false => Ok(()),
    }
}

pub(crate) fn put(path: &str, content: InputStream, meta: &Meta) -> Result<Stored, Error> {
    fresh(path)?;
    store(path, &content, meta)
}

pub(crate) fn submit(path: &str, content: InputStream, meta: &Meta) -> Result<Pending, Error> {
    fresh(path)?;
    let job = Job { path: path.into(), meta: meta.clone(), content: Some(content), stored: None };
    let pending = Pending(Rc::new(RefCell::new(job)));
    state(|state| state.submitted.push((path.into(), pending.clone())));
    Ok(pending)
}

pub(crate) fn put_tree(path: &str, source: &Dir, sub_path: &str, options: &TreeOptions) -> Result<TreeReport, Error> {
    let entries = trees::walk(&source.below(sub_path)?, options)?;
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let stored = entries.iter().map(|(below, held)| (format!("{prefix}{below}"), held.clone()));
    state(|state| state.stored.extend(stored));
    let mut report = trees::report(&entries, entries.len() as u64);
    if let Some(algorithm) = options.name_digest {
        report.skipped = misnamed(&entries, algorithm)?;
        report.skipped_count = report.skipped.len() as u64;
    }
    Ok(report)
}

/// Files whose names are not the digests of their content.
fn misnamed(entries: &[(String, Held)], algorithm: Algorithm) -> Result<Vec<(String, String)>, Error> {
    let mut wrong = Vec::new();
    for (path, held) in entries {
        let Held::File(content, _) = held else { continue };
        let digest: String = digest_of(algorithm, content)?.iter().map(|byte| format!("{byte:02x}")).collect();
        if path.rsplit('/').next() != Some(digest.as_str()) {
            wrong.push((path.clone(), format!("its content's digest is {digest}, not its name")));
        }
    }
    Ok(wrong)
}

pub(crate) fn fix_instant(instant: &Instant) -> Result<(), Error> {
    state(|state| match state.fixed.is_empty() {
        true => {
            state.fixed.push(instant.clone());
            state.settled = true;
            Ok(())
        }
        false => Err(fail(ErrorCode::Invalid, "this part has fixed its instant before")),
    })
}

pub(crate) fn settled() -> Result<(), Error> {
    state(|state| state.settled = true);
    Ok(())
}

pub(crate) fn expect(subject: &str, evidence: Evidence) -> Result<OutputStream, Error> {
    let subject = subject.to_owned();
    Ok(OutputStream::into(move |list| {
        state(|state| state.expected.push((subject, evidence, list)));
        Ok(())
    }))
}
