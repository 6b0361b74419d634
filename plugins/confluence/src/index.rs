//! What of a site's search index can be saved, and where it is: an index that is older than its database is brought up to
//! date when Confluence starts; one that is newer lacks documents for ever, and nobody is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_database::{embedded, trees::Target};
use strongroom_plugin::{
    Error, Result, context,
    dirs::{self, Kind},
};

use crate::{
    backup::note,
    describe::grant,
    grants,
    home::{INDEX_SNAPSHOTS, SHARED},
    settings::SearchIndex,
    site::{Located, Place, Site, search::Search},
};

/// How far a node has read the journal of changes: belongs to its index.
const JOURNAL: &str = "journal";
const INDEX: &str = "index";
/// Confluence's own sign that it runs.
const LOCK: &str = "lock";

/// What is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The copies that a node of Data Center makes of its index every day.
    Snapshots(Places),
    /// Lucene's own files with their journal.
    Files(Places),
    /// The indices of an OpenSearch.
    Engine,
    /// Nothing, for this reason.
    Nothing(String),
}

/// Directories by their name in the part, each as its grant, a slash and its path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(BTreeMap<String, String>);

impl Places {
    fn one(mut self, name: &str, at: &Located) -> Self {
        self.0.insert(name.to_owned(), format!("{}/{}", at.grant, at.path));
        self
    }

    /// Those of a part's setting or note.
    ///
    /// # Errors
    /// `invalid` when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// Those that the backup noted.
    ///
    /// # Errors
    /// `not-found` where it noted none, `invalid`.
    pub fn noted() -> Result<Self> {
        let noted = context::note(note::PLACES)?;
        Self::parse(&noted.ok_or_else(|| Error::not_found("the snapshot does not say where its search index was"))?)
    }

    /// For a setting or a note.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Names in the part, and where they are.
    pub fn all(&self) -> impl Iterator<Item = (&str, Located)> {
        self.0.iter().map(|(name, at)| {
            let (grant, path) = at.split_once('/').unwrap_or((at, ""));
            (name.as_str(), Located::new(grant, path))
        })
    }

    /// Where they are.
    pub fn located(&self) -> Vec<Located> {
        self.all().map(|(_, at)| at).collect()
    }

    /// Whether these are Lucene's own files, which Confluence changes while it runs.
    pub fn are_live(&self) -> bool {
        self.0.contains_key(INDEX)
    }

    /// Whether index and journal are both there: one is worth nothing without the other.
    pub fn are_pair(&self) -> bool {
        self.0.contains_key(INDEX) && self.0.contains_key(JOURNAL)
    }

    /// Where a restore puts them.
    pub fn targets(&self) -> Vec<Target> {
        self.all().map(|(name, to)| Target { from: name.to_owned(), to }).collect()
    }

    /// Who uses them; none when it is proven that nobody does, and that Confluence is stopped.
    ///
    /// # Errors
    /// As [`embedded::used`].
    pub fn used(&self) -> Result<Option<String>> {
        embedded::used([Located::new(grant::HOME, LOCK)].into_iter().chain(self.located()))
    }
}

/// What the site and the operator's settings come to.
///
/// # Errors
/// When a home cannot be looked at.
pub fn choose(site: &Site) -> Result<Choice> {
    let mode = site.settings.search_index;
    if mode == SearchIndex::None {
        return Ok(Choice::Nothing("search-index is none".into()));
    }
    match &site.search {
        Search::OpenSearch { .. } if mode == SearchIndex::Files => {
            Ok(Choice::Nothing("search-index is files, and the index is in OpenSearch".into()))
        }
        Search::OpenSearch { .. } if grants::has("http", grant::OPENSEARCH) => Ok(Choice::Engine),
        Search::OpenSearch { .. } => {
            Ok(Choice::Nothing(format!("it is in OpenSearch, which is not granted as http.{}", grant::OPENSEARCH)))
        }
        Search::Lucene { .. } if mode == SearchIndex::Files => Ok(Choice::Files(files(site)?)),
        Search::Lucene { .. } => Ok(match snapshots(site)? {
            Some(places) => Choice::Snapshots(places),
            None => Choice::Nothing(format!(
                "there is no {INDEX_SNAPSHOTS} with something in it, and Lucene's own files can only be copied while \
                 Confluence is stopped, with search-index = \"files\""
            )),
        }),
    }
}

/// Whether a snapshot has its search index from an OpenSearch.
///
/// # Errors
/// As [`context::note`].
pub fn is_engine() -> Result<bool> {
    Ok(context::note(note::PLACES)?.is_none())
}

/// What other parts leave out: what is in the part, and an index that lies where nobody would look for it.
///
/// # Errors
/// As [`choose`].
pub fn own(site: &Site) -> Result<Vec<Located>> {
    let mut own = match choose(site)? {
        Choice::Snapshots(places) | Choice::Files(places) => places.located(),
        Choice::Engine | Choice::Nothing(_) => Vec::new(),
    };
    own.extend(index(site)?.filter(|at| !at.path.is_empty() && *at != Located::new(grant::HOME, INDEX)));
    Ok(own)
}

/// The first place of copies that holds one.
fn snapshots(site: &Site) -> Result<Option<Places>> {
    let shared = site.cluster.is_some() && grants::has("dirs", grant::SHARED_HOME);
    let shared = shared.then(|| Located::new(grant::SHARED_HOME, INDEX_SNAPSHOTS));
    let own = [format!("{SHARED}/{INDEX_SNAPSHOTS}"), INDEX_SNAPSHOTS.to_owned()];
    for at in shared.into_iter().chain(own.map(|path| Located::new(grant::HOME, path))) {
        if is_directory(&at)? && !dirs::get(&at.grant)?.is_empty(&at.path)? {
            return Ok(Some(Places::default().one(INDEX_SNAPSHOTS, &at)));
        }
    }
    Ok(None)
}

/// Index and journal of this node, as far as they are there.
fn files(site: &Site) -> Result<Places> {
    let mut places = Places::default();
    let journal = Located::new(grant::HOME, JOURNAL);
    for (name, at) in [(INDEX, index(site)?), (JOURNAL, Some(journal))] {
        let Some(at) = at else { continue };
        if is_directory(&at)? {
            places = places.one(name, &at);
        }
    }
    Ok(places)
}

fn is_directory(at: &Located) -> Result<bool> {
    Ok(at.find()?.is_some_and(|stat| stat.kind == Kind::Directory))
}

/// Whether a restore's target has an index of its own already.
///
/// # Errors
/// When the home cannot be looked at.
pub fn stands() -> Result<bool> {
    if !grants::has("dirs", grant::HOME) {
        return Ok(false);
    }
    let Some(home) = Located::new(grant::HOME, "").dir()? else { return Ok(false) };
    Ok(home.exists(INDEX)? || home.exists(JOURNAL)?)
}

/// Where Lucene's index is; none where it lies outside what is granted, or is no index of files.
fn index(site: &Site) -> Result<Option<Located>> {
    let Search::Lucene { index } = &site.search else { return Ok(None) };
    Ok(match site.place(index)? {
        Place::Granted(grant, path) => Some(Located::new(grant, path)),
        Place::Outside => None,
    })
}
