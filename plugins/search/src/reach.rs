//! How a plugin reaches an engine: by its grants, in its own words, and no faster than it may.

use strongroom_plugin::{Result, context};

use crate::{client::Client, view::Pace};

/// An engine, and what a plugin was granted beside it.
pub struct Reach {
    /// The engine.
    pub client: Client,
    /// The name of the directory grant where the engine leaves files for the host.
    pub snapshots: &'static str,
    /// That directory as the engine sees it; none where it is not granted.
    pub location: Option<String>,
    /// How documents are read.
    pub pace: Pace,
    /// A repository of the engine's own in which snapshots stay, where the operator names one.
    pub repository: Option<String>,
}

impl Reach {
    /// Asks the engine behind `http.ENGINE` which it is. `location` is where it sees `dirs.SNAPSHOTS`; by itself, where
    /// that is granted.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect(engine: &str, snapshots: &'static str, location: Option<&str>, pace: Pace) -> Result<Self> {
        let location = granted(snapshots).map(|path| location.map_or(path, str::to_owned));
        Ok(Self { client: Client::connect(engine)?, snapshots, location, pace, repository: None })
    }

    /// With a repository in which snapshots stay.
    #[must_use]
    pub fn staying_in(self, repository: Option<String>) -> Self {
        Self { repository, ..self }
    }
}

/// The path of a granted directory on this machine.
fn granted(name: &str) -> Option<String> {
    let grants = context::grants();
    let granted = grants.find("dirs", name)?;
    let path = granted.display.rsplit_once(',').map_or(granted.display.as_str(), |(path, _)| path);
    Some(path.to_owned())
}
