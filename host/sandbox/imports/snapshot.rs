//! `snapshot`: what a backup stores. Bytes go from their source into the draft without passing through the plugin.

use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::component::Resource;

use self::store::{Failure, Storing};
use crate::{
    name::RawPath,
    repository::{Draft, Meta, Pass, Stored, Watch, tree, tree::TreeOptions, tree::TreeReport},
    sandbox::{
        bindings::{
            Answer, fail,
            host::{context, snapshot},
        },
        fault::Code,
        imports::dirs::{Dir, relative},
        ledger::Ledger,
        native,
        operation::{Capability, Operation},
        progress,
        state::{State, io_fail, repository_fail},
        stream::{
            Feed, InputStream, OutputStream,
            output::{FileTarget, Target},
        },
    },
    snapshot::record::Evidence,
};

mod store;
mod stores;

pub use stores::Stores;

/// What a guest's `pending` stands for.
pub struct Pending {
    path: String,
    result: oneshot::Receiver<Result<Stored, Failure>>,
    feeds: Vec<Feed>,
}

impl State {
    /// The draft, the part being stored and the pass.
    fn draft(&self) -> Answer<(Arc<dyn Draft>, Pass)> {
        self.enter(Capability::Snapshot)?;
        match (&self.session.draft, self.operation) {
            (Some(draft), Operation::Backup(pass)) => Ok((draft.clone(), pass)),
            _ => Err(fail(Code::Unsupported, "no snapshot is being written")),
        }
    }

    fn storing(&mut self, path: &str, content: Resource<InputStream>, meta: snapshot::Meta) -> Answer<Storing> {
        let (draft, pass) = self.draft()?;
        let below = relative(path)?;
        if below.is_root() {
            return Err(fail(Code::Invalid, "storing a file needs a path inside the part"));
        }
        let content = self.detach(content)?;
        Ok(Storing {
            path: self.part_path()?.join(&below),
            own: RawPath::from_text(&self.part).unwrap_or_default().join(&below),
            identity: content.source.identity(),
            content,
            meta: convert_meta(meta),
            draft,
            pass,
            ledger: self.session.ledger.clone(),
            moved: self.watch.moved.clone(),
            stop: self.stores.stop().clone(),
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// `step/part` of the part that is being served.
    fn part_path(&self) -> Answer<RawPath> {
        self.path(&self.part.clone(), "")
    }

    async fn stored(
        &mut self,
        path: &str,
        feeds: &[Feed],
        result: oneshot::Receiver<Result<Stored, Failure>>,
    ) -> Answer<snapshot::Stored> {
        let doing = format!("storing {path:?}");
        match self.moving(&doing, feeds, result).await? {
            Ok(Ok(stored)) => Ok(convert_stored(stored)),
            Ok(Err(failure)) => Err(fail(failure.code, failure.message)),
            Err(_) => Err(fail(Code::Internal, format!("{doing}: the host's thread broke"))),
        }
    }
}

impl snapshot::Host for State {
    async fn put(
        &mut self,
        path: String,
        content: Resource<InputStream>,
        meta: snapshot::Meta,
    ) -> Answer<snapshot::Stored> {
        let mut storing = self.storing(&path, content, meta)?;
        storing.stop = storing.stop.child_token();
        let (feeds, _give_up) = (storing.content.feeds(), storing.stop.clone().drop_guard());
        let (sender, result) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // Nobody waits any more: the call was ended.
            let _ = sender.send(storing.run());
        });
        self.stored(&path, &feeds, result).await
    }

    async fn submit(
        &mut self,
        path: String,
        content: Resource<InputStream>,
        meta: snapshot::Meta,
    ) -> Answer<Resource<Pending>> {
        let storing = self.storing(&path, content, meta)?;
        let feeds = storing.content.feeds();
        let doing = "waiting for a place to store";
        let submitted = self.watch.watched(self.stores.submit(storing)).await;
        let result = submitted.map_err(|stalled| self.stalled(stalled, doing))??;
        Ok(self.table.push(Pending { path, result, feeds })?)
    }

    async fn put_tree(
        &mut self,
        path: String,
        source: Resource<Dir>,
        sub_path: String,
        options: snapshot::TreeOptions,
    ) -> Answer<snapshot::TreeReport> {
        let (draft, pass) = self.draft()?;
        self.enter(Capability::Dirs)?;
        let base = self.part_path()?.join(&relative(&path)?);
        let (dir, sub) = (self.table.get(&source)?.dir.clone(), relative(&sub_path)?);
        let options = convert_options(options);
        let watch = TreeWatch::new(self);
        let _give_up = watch.stop.clone().drop_guard();
        let report = self
            .blocking(&format!("storing the tree {sub_path:?}"), move || {
                tree::put_tree(&*draft, &base, &dir, &sub, &options, pass, &watch)
            })
            .await?;
        report.map(convert_report).map_err(|error| repository_fail(&error))
    }

    async fn fix_instant(&mut self, instant: context::Instant) -> Answer<()> {
        self.enter(Capability::Snapshot)?;
        let mut instant = crate::snapshot::record::Instant::from(instant);
        instant.clock = self.mask.apply(instant.clock);
        for (key, value) in &mut instant.attributes {
            *key = self.mask.apply(std::mem::take(key));
            *value = self.mask.apply(std::mem::take(value));
        }
        Ok(self.session.ledger.fix_instant(instant)?)
    }

    async fn settled(&mut self) -> Answer<()> {
        self.enter(Capability::Snapshot)?;
        Ok(self.session.ledger.settled()?)
    }

    async fn expect(&mut self, subject: String, evidence: snapshot::Evidence) -> Answer<Resource<OutputStream>> {
        self.enter(Capability::Snapshot)?;
        let subject = self.mask.apply(subject);
        let doing = format!("listing what {subject:?} must hold");
        let list = tempfile::Builder::new().prefix("expect-").suffix(".ndjson").tempfile_in(&self.session.scratch);
        let (file, list) = list.map_err(|error| io_fail(&doing, &error))?.into_parts();
        let evidence = match evidence {
            snapshot::Evidence::SameView => Evidence::SameView,
            snapshot::Evidence::Bracketed => Evidence::Bracketed,
        };
        let (ledger, spoiled) = (self.session.ledger.clone(), self.spoiled.clone());
        let place = Box::new(move |file: std::fs::File| {
            file.sync_all()?;
            let path = list.keep().map_err(|kept| kept.error)?;
            let taken = ledger.expected(&subject, evidence, &path);
            taken.map_err(|refusal| native::Error::new(refusal.code(), refusal.to_string()).into())
        });
        let abandon = Box::new(move || Self::spoil(&spoiled, format!("{doing}: the list was not finished")));
        self.push_output(Target::File(FileTarget::new(file, place, abandon)))
    }
}

impl snapshot::HostPending for State {
    async fn wait(&mut self, this: Resource<Pending>) -> Answer<snapshot::Stored> {
        self.enter(Capability::Snapshot)?;
        let Pending { path, result, feeds } = self.table.delete(this)?;
        self.stored(&path, &feeds, result).await
    }

    async fn drop(&mut self, this: Resource<Pending>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// Tells the run what a walk moves, and the walk when to stop.
pub struct TreeWatch {
    ledger: Arc<dyn Ledger>,
    moved: progress::Watch,
    /// Fires when nobody waits for the walk any more, too.
    pub stop: tokio_util::sync::CancellationToken,
}

impl TreeWatch {
    /// Of one call.
    pub fn new(state: &State) -> Self {
        let stop = state.watch.stop.child_token();
        Self { ledger: state.session.ledger.clone(), moved: state.watch.clone(), stop }
    }
}

impl Watch for TreeWatch {
    fn moved(&self, bytes: u64, files: u64) {
        self.moved.moved.fetch_add(bytes + files, std::sync::atomic::Ordering::Relaxed);
        self.ledger.moved(bytes, files);
    }

    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

fn convert_meta(meta: snapshot::Meta) -> Meta {
    Meta {
        modified: meta.modified.map(|at| (at.seconds, at.nanoseconds)),
        mode: meta.mode,
        owner: meta.owner,
        attributes: meta.attributes,
    }
}

fn convert_stored(stored: Stored) -> snapshot::Stored {
    snapshot::Stored {
        size: stored.size,
        sha256: stored.sha256.to_string(),
        new_bytes: stored.new_bytes,
        tail: stored.tail,
    }
}

/// Options as the repository has them. What only a restore knows is the caller's to set.
pub fn convert_options(options: snapshot::TreeOptions) -> TreeOptions {
    TreeOptions {
        includes: options.includes,
        excludes: options.excludes,
        tolerate_changes: options.tolerate_changes,
        name_digest: options.name_digest.map(Into::into),
        ..TreeOptions::default()
    }
}

/// A report for the guest.
pub fn convert_report(report: TreeReport) -> snapshot::TreeReport {
    snapshot::TreeReport {
        expected: report.expected,
        stored: report.stored,
        files: report.files,
        directories: report.directories,
        size: report.size,
        new_bytes: report.new_bytes,
        skipped: report.skipped,
        skipped_count: report.skipped_count,
    }
}

#[cfg(test)]
mod tests;
