//! `archive`: the snapshot that is being read. A plugin sees the parts of its own step only.

use std::{collections::BTreeSet, sync::Arc};

use wasmtime::component::Resource;

use super::{
    dirs::{Dir, relative},
    snapshot::{TreeWatch, convert_options, convert_report},
};
use crate::{
    digest::Algorithm,
    name::RawPath,
    repository::{Archive, Error, Item, Kind, extract},
    sandbox::{
        bindings::{
            Answer, fail,
            host::{archive, snapshot, streams, types::Timestamp},
        },
        fault::Code,
        operation::Capability,
        state::{State, repository_fail},
        stream::{
            InputStream,
            source::{Body, Source},
        },
    },
};

mod names;

/// Items of a page.
const PAGE_ITEMS: usize = 1000;

impl State {
    fn archive(&self) -> Answer<Arc<dyn Archive>> {
        self.enter(Capability::Archive)?;
        self.session.archive.clone().ok_or_else(|| fail(Code::Unsupported, "no snapshot is being read"))
    }

    /// Whether the operator consents to `what` (`context.run.attributes`).
    fn consents(&self, what: &str) -> bool {
        self.session.attributes.iter().any(|(key, value)| key == what && value == "yes")
    }
}

impl archive::Host for State {
    async fn parts(&mut self) -> Answer<Vec<String>> {
        let (archive, step) = (self.archive()?, self.path("", "")?);
        let parts = self.blocking("listing the snapshot's parts", move || parts(&*archive, &step)).await?;
        parts.map_err(|error| repository_fail(&error))
    }

    async fn items(&mut self, part: String, prefix: String, after: Option<String>) -> Answer<Vec<archive::Item>> {
        let (archive, base) = (self.archive()?, self.path(&part, "")?);
        let prefix = base.join(&relative(&prefix)?);
        let after = after.map(|after| relative(&after).map(|after| base.join(&after))).transpose()?;
        let items = self
            .blocking("listing the snapshot", move || archive.items(&prefix, after.as_ref(), PAGE_ITEMS))
            .await?
            .map_err(|error| repository_fail(&error))?;
        Ok(items.into_iter().map(|item| convert(item, &base)).collect())
    }

    async fn stat(&mut self, part: String, path: String) -> Answer<archive::Item> {
        let (archive, base, path) = (self.archive()?, self.path(&part, "")?, self.path(&part, &path)?);
        let item = self.blocking("looking into the snapshot", move || archive.stat(&path)).await?;
        item.map(|item| convert(item, &base)).map_err(|error| repository_fail(&error))
    }

    async fn open(&mut self, part: String, path: String, offset: u64) -> Answer<Resource<InputStream>> {
        let (archive, path) = (self.archive()?, self.path(&part, &path)?);
        let reader = self.blocking("opening in the snapshot", move || archive.open(&path, offset)).await?;
        let reader = reader.map_err(|error| repository_fail(&error))?;
        self.push_input(Source::new(Body::Blocking(reader)), Vec::new())
    }

    async fn restore_tree(
        &mut self,
        part: String,
        path: String,
        target: Resource<Dir>,
        sub_path: String,
        options: snapshot::TreeOptions,
    ) -> Answer<snapshot::TreeReport> {
        let archive = self.archive()?;
        let (dir, base, sub) = (self.writable(&target)?, self.path(&part, &path)?, relative(&sub_path)?);
        let mut options = convert_options(options);
        options.overwrite = self.consents("overwrite");
        options.outside_links = self.consents("outside-links");
        let (making, watch) = (self.making(&target)?, TreeWatch::new(self));
        let _give_up = watch.stop.clone().drop_guard();
        let report = self
            .blocking(&format!("restoring the tree {path:?}"), move || {
                let made = |path: &RawPath| making(path).map_err(|refusal| Error::Refused(refusal.to_string()));
                extract::restore_tree(&*archive, &base, &dir, &sub, &options, &made, &watch)
            })
            .await?;
        report.map(convert_report).map_err(|error| repository_fail(&error))
    }

    async fn check_names(
        &mut self,
        part: String,
        prefix: String,
        algorithm: streams::Algorithm,
    ) -> Answer<snapshot::TreeReport> {
        let (archive, base) = (self.archive()?, self.path(&part, "")?);
        let prefix = base.join(&relative(&prefix)?);
        let (watch, algorithm) = (TreeWatch::new(self), Algorithm::from(algorithm));
        let _give_up = watch.stop.clone().drop_guard();
        let report = self
            .blocking("checking names against contents", move || {
                names::check(&*archive, &base, &prefix, algorithm, &watch)
            })
            .await?;
        report.map(convert_report).map_err(|error| repository_fail(&error))
    }
}

/// Names below `step`. One look for each part: what lies below a part is jumped over.
fn parts(archive: &dyn Archive, step: &RawPath) -> Result<Vec<String>, crate::repository::Error> {
    let (mut parts, mut after) = (BTreeSet::new(), None);
    while let Some(item) = archive.items(step, after.as_ref(), 1)?.into_iter().next() {
        after = Some(item.path.clone());
        let Some(below) = item.path.below(step).filter(|below| !below.is_root()) else { continue };
        let part = below.as_bytes().split(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
        let part = RawPath::from_bytes(&part)?;
        // No file system has a name that comes after 255 bytes of 0xff.
        let last = RawPath::from_bytes(&[0xff; 255])?;
        if parts.insert(part.to_text()) && below != part {
            after = Some(step.join(&part).join(&last));
        }
    }
    Ok(parts.into_iter().collect())
}

/// An item as the guest sees it.
fn convert(item: Item, base: &RawPath) -> archive::Item {
    archive::Item {
        path: item.path.below(base).unwrap_or_default().to_text(),
        kind: match item.kind {
            Kind::File => archive::Kind::File,
            Kind::Directory => archive::Kind::Directory,
            Kind::Symlink(target) => archive::Kind::Symlink(crate::name::text(&target)),
        },
        size: item.size,
        meta: snapshot::Meta {
            modified: item.meta.modified.map(|(seconds, nanoseconds)| Timestamp { seconds, nanoseconds }),
            mode: item.meta.mode,
            owner: item.meta.owner,
            attributes: item.meta.attributes,
        },
    }
}
