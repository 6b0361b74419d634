//! What a product, a machine or an archive may hand us that is not as it ought to be: each ends in a clear error that
//! names the thing, with no half snapshot, no process left, and no secret told.

use crate::support::{Place, pipeline};

/// Names, links and files that change while they are read.
mod files;
/// Native tools and databases that fail in every way.
mod services;
/// Services over TCP, and files that others have open.
mod network;
/// Disks that are full.
mod disk;
/// Runs that are killed at many moments.
mod killed;
/// Sets that are cut or changed.
mod damage;
/// Archives that somebody made by hand.
mod forged;
/// Where secrets must not be seen.
mod secrets;

pub use disk::Small;

/// A pipeline of the files plugin that backs up `files/` of the place, and one that restores into `restored/`.
fn files_pipelines(place: &Place) {
    place.write("target.toml", &pipeline::files("target", "restored", "write"));
    place.write("strongroom.toml", &pipeline::files("test", "files", "read"));
    place.accept();
}
