//! Two independent readings: what a repository loses behind everyone's back is seen in the receipts.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use strongroom::{
    config::{self, Config},
    digest::Digest,
    name::RawPath,
    plan::resolve::{Inspected, resolve},
    repository::{
        Archive, Draft, Error, Held, Identity, Kind, Listed, Meta, Pass, Repository, Stored, zip::ZipRepository,
    },
    run::{
        backup::{Backup, backup},
        event::{Event, Observer, Summary},
        inspect::{Look, inspect},
    },
    sandbox::Sandbox,
    snapshot::state::State,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    plugins,
    strongroom::Place,
    tree::{Tree, listing},
};

/// A repository whose drafts lose one entry, right after they have said that they took it.
struct Losing {
    inner: ZipRepository,
    name: &'static str,
}

struct LosingDraft {
    inner: Box<dyn Draft>,
    name: &'static str,
}

impl Repository for Losing {
    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        self.inner.snapshots()
    }
    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        self.inner.open(id)
    }
    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error> {
        Ok(Box::new(LosingDraft { inner: self.inner.draft(id, pipeline, started)?, name: self.name }))
    }
    fn forget(&self, id: &str) -> Result<(), Error> {
        self.inner.forget(id)
    }
    fn room(&self) -> Result<u64, Error> {
        self.inner.room()
    }
    fn remains(&self, pipeline: &str) -> Result<Vec<PathBuf>, Error> {
        self.inner.remains(pipeline)
    }
    fn place(&self) -> PathBuf {
        self.inner.place()
    }
    fn exists(&self) -> Result<bool, Error> {
        self.inner.exists()
    }
    fn maker(&self) -> &'static str {
        self.inner.maker()
    }
    fn init(&self) -> Result<(), Error> {
        self.inner.init()
    }
}

impl Draft for LosingDraft {
    fn put(
        &self,
        path: &RawPath,
        content: &mut dyn Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        let stored = self.inner.put(path, content, meta, identity, pass)?;
        if path.to_text().ends_with(self.name) {
            self.inner.remove(path)?;
        }
        Ok(stored)
    }
    fn put_plain(&self, path: &RawPath, kind: &Kind, meta: &Meta, pass: Pass) -> Result<(), Error> {
        self.inner.put_plain(path, kind, meta, pass)
    }
    fn find(&self, path: &RawPath) -> Result<Option<Held>, Error> {
        self.inner.find(path)
    }
    fn keep(&self, path: &RawPath, pass: Pass) -> Result<(), Error> {
        self.inner.keep(path, pass)
    }
    fn doubt(&self, path: &RawPath) -> Result<(), Error> {
        self.inner.doubt(path)
    }
    fn remove(&self, path: &RawPath) -> Result<(), Error> {
        self.inner.remove(path)
    }
    fn each(&self, prefix: &RawPath, visit: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error> {
        self.inner.each(prefix, visit)
    }
    fn scratch(&self) -> &Path {
        self.inner.scratch()
    }
    fn put_own(&self, name: &str, content: &mut dyn io::Read) -> Result<Stored, Error> {
        self.inner.put_own(name, content)
    }
    fn seal(&self, record: &[u8]) -> Result<PathBuf, Error> {
        self.inner.seal(record)
    }
}

/// Keeps what a run says.
#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Observer for Heard {
    fn event(&self, _at: SystemTime, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Backs up `files/` of the place with the plugin for directories, into a repository that may lose something.
fn back_up(place: &Place, repository: Arc<dyn Repository>) -> Summary {
    let path = place.write(
        "strongroom.toml",
        "[pipeline]\nname = \"losing\"\nstate = \"state\"\n[repository.local]\nurl = \"repository\"\nformat = \"zip\"\n\
         [step.data]\nplugin = \"files\"\n[step.data.grant.dirs.source]\npath = \"files\"\naccess = \"read\"\n",
    );
    let config = config::load(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let job = job(place, &config, repository).await;
        backup(job).await.unwrap()
    })
}

async fn job(place: &Place, config: &Config, repository: Arc<dyn Repository>) -> Backup {
    let component = plugins::component("files");
    let wasm = std::fs::read(&component).unwrap();
    let plugin = Sandbox::new(None).unwrap().load(&wasm).unwrap();
    let (step, observer, stop) = (&config.steps[0], Arc::new(Heard::default()), CancellationToken::new());
    let description = plugin.describe().await.unwrap();
    let inspection = inspect(Look {
        step: &step.name,
        plugin: &plugin,
        plugin_name: &description.name,
        config: &step.config,
        grants: Arc::new(step.grants.clone()),
        limits: &step.limits,
        archive: None,
        notes: Default::default(),
        attributes: Vec::new(),
        observer: observer.clone(),
        stop: stop.clone(),
        scratch: place.path(),
    })
    .await
    .unwrap();
    let digest = Digest::of(&wasm);
    let resolution = resolve(config, &[Inspected { step: step.name.clone(), digest, description, inspection }]);
    assert!(resolution.blockers.is_empty(), "{:?}", resolution.blockers);
    std::fs::create_dir_all(&config.state).unwrap();
    Backup {
        plan_json: resolution.plan.canonical(),
        plan: resolution.plan,
        pipeline_toml: config.text.clone(),
        pipeline_path: config.path.clone(),
        severity: BTreeMap::new(),
        seen: BTreeMap::new(),
        plugins: BTreeMap::from([(step.name.clone(), plugin)]),
        components: BTreeMap::from([(digest, component)]),
        state: config.state.clone(),
        findings: Vec::new(),
        repository,
        retry_lock: std::time::Duration::ZERO,
        observer,
        stop,
    }
}

fn furnished() -> Place {
    let place = Place::new();
    Tree::at(place.join("files")).file("kept.txt", "one").file("lost.txt", "two").file("also.txt", "three");
    assert_eq!(listing(&place.join("files")).len(), 3);
    place
}

#[test]
fn an_entry_that_is_lost_behind_the_plugins_back_makes_the_snapshot_partial() {
    let place = furnished();
    let inner = ZipRepository::new(place.join("repository"));
    let summary = back_up(&place, Arc::new(Losing { inner, name: "lost.txt" }));
    assert_eq!((summary.state, summary.exit_code), (Some(State::Partial), 3), "{}", summary.message);
    let part = &summary.record.as_ref().unwrap().steps[0].parts[0];
    assert_eq!(part.failure, None, "the plugin saw nothing wrong");
    let receipt = part.receipts.iter().find(|receipt| !receipt.holds()).expect("a receipt that differs");
    assert_eq!(receipt.expected, receipt.actual + 1, "{receipt:?}");
}

#[test]
fn the_same_backup_is_complete_when_nothing_is_lost() {
    let place = furnished();
    let summary = back_up(&place, Arc::new(ZipRepository::new(place.join("repository"))));
    assert_eq!((summary.state, summary.exit_code), (Some(State::Complete), 0), "{}", summary.message);
}
