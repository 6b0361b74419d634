//! Stores an index as of one moment: all its documents, and what it is made of.

use strongroom_plugin::{Error, Result, context, log};

use crate::{
    client::Client,
    document::Hit,
    index::{Index, Source},
    objects::Writer,
    store::Manifest,
    view::{Pace, View},
};

/// An index whose moment is fixed: what it will store no longer depends on time.
pub struct Export<'c> {
    client: &'c Client,
    view: View<'c>,
    index: Index,
    manifest: Manifest,
}

impl<'c> Export<'c> {
    /// Fixes the moment.
    ///
    /// # Errors
    /// `not-found`; when the engine does not answer; `other` when the index is made anew meanwhile.
    pub fn open(client: &'c Client, name: &str, pace: Pace) -> Result<Self> {
        let before = Index::read(client, name)?;
        let view = View::open(client, name, pace)?;
        let now = context::now();
        // Behind the view's moment, so that its documents have no field that the mapping lacks.
        let index = Index::read(client, name)?;
        same(&before, &index)?;
        let taken = now.seconds.saturating_mul(1000).saturating_add(i64::from(now.nanoseconds / 1_000_000));
        let manifest = Manifest { expected: view.total(), ..Manifest::of(&index, client.engine(), taken) };
        Ok(Self { client, view, index, manifest })
    }

    /// How many documents there are, as the engine counts them.
    pub fn total(&self) -> u64 {
        self.view.total()
    }

    /// Stores it, and lets the engine forget the moment.
    ///
    /// # Errors
    /// What the engine or the repository says; `other` when the index was made anew meanwhile.
    pub fn store(mut self, pace: Pace) -> Result<Manifest> {
        let stored = self.documents(pace);
        self.view.close();
        stored?;
        same(&self.index, &Index::read(self.client, &self.index.name)?)?;
        self.manifest.put()?;
        Ok(self.manifest)
    }

    fn documents(&mut self, pace: Pace) -> Result<()> {
        let (keeps, total) = (self.manifest.source != Source::None, self.view.total());
        let mut writer = Writer::new(&self.index.name);
        let (mut line, mut done) = (Vec::new(), 0_u64);
        let mut each = |hit: &Hit| {
            if keeps && !hit.has_source() {
                return Err(Error::corrupt(format!(
                    "the engine gives the document {:?} without its source",
                    hit.key().0
                )));
            }
            writer.add(&hit.document(&mut line))?;
            done += 1;
            if done.is_multiple_of(10_000) {
                log::progress("documents", done, Some(total));
            }
            Ok(())
        };
        self.view.read(&self.index, pace, &mut each)?;
        let written = writer.finish()?;
        let manifest = &mut self.manifest;
        (manifest.documents, manifest.hash) = (written.tally.documents, written.tally.hash());
        (manifest.objects, manifest.bytes) = (written.objects, written.bytes);
        Ok(())
    }
}

/// An index that was deleted and made again under its name is another one.
///
/// # Errors
/// `other` when it was.
pub fn same(before: &Index, after: &Index) -> Result<()> {
    if before.uuid == after.uuid {
        return Ok(());
    }
    let message = format!("the index {} was deleted and made anew while it was saved: try again", before.name);
    Err(Error::other(message))
}

#[cfg(test)]
mod tests;
