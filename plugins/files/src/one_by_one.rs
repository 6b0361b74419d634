//! Stores regular files through the plugin, one call each: how a product's plugin handles files that it must choose.

use std::collections::VecDeque;

use strongroom_plugin::{
    Meta, Outcome, Part, Result,
    dirs::{Dir, Kind},
    snapshot::{self, Pending, Stored},
    tree,
};

/// How many files are on their way at once.
const PENDING_MAX: usize = 256;

/// What is on its way, and what has arrived.
#[derive(Default)]
struct Flow {
    pending: VecDeque<Pending>,
    seen: u64,
    stored: u64,
    bytes: u64,
}

impl Flow {
    fn submit(&mut self, source: &Dir, path: &str, meta: &Meta) -> Result<()> {
        if self.pending.len() == PENDING_MAX {
            self.wait_for_oldest()?;
        }
        self.seen += 1;
        self.pending.push_back(snapshot::submit(path, source.open(path)?, meta)?);
        Ok(())
    }

    /// Returns false when nothing is on its way.
    fn wait_for_oldest(&mut self) -> Result<bool> {
        let Some(oldest) = self.pending.pop_front() else { return Ok(false) };
        let Stored { size, .. } = oldest.wait()?;
        self.stored += 1;
        self.bytes += size;
        Ok(true)
    }
}

/// Walks `source` and stores each regular file.
pub(crate) fn backup(part: &Part, source: &Dir) -> Result<Outcome> {
    let mut flow = Flow::default();
    let mut unseen = vec![String::new()];
    while let Some(directory) = unseen.pop() {
        for entry in source.entries(&directory) {
            let entry = entry?;
            let path = if directory.is_empty() { entry.name } else { format!("{directory}/{}", entry.name) };
            match entry.stat.kind {
                Kind::Directory => unseen.push(path),
                Kind::File => flow.submit(source, &path, &Meta::from(&entry.stat))?,
                Kind::Symlink | Kind::Other => {}
            }
        }
    }
    while flow.wait_for_oldest()? {}
    tree::noted(part, flow.stored)?;
    Ok(Outcome::new(format!("{} files, {} bytes", flow.stored, flow.bytes)).receipt("files", flow.seen, flow.stored))
}
