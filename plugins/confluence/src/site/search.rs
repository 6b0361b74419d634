//! What holds a site's search index: Lucene in files of each node, or OpenSearch for all of them.

use std::fmt;

use super::{Installed, plain};
use crate::{
    cfg::{Cfg, Homes},
    jdbc,
};

/// What holds the search index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Files on each node.
    Lucene {
        /// The index's directory, as Confluence sees it.
        index: String,
    },
    /// An engine of its own, from Confluence 8.9 on.
    OpenSearch {
        /// Its addresses, without credentials.
        urls: Vec<String>,
    },
}

impl Search {
    /// A Java system property counts before `confluence.cfg.xml`, as Atlassian's "Configuring OpenSearch for Confluence" has it.
    pub(super) fn read(cfg: &Cfg, installed: &Installed, homes: Homes<'_>) -> Self {
        let value = |name: &str| {
            let option = installed.system_property(name).map(|(value, _)| value);
            option.or_else(|| cfg.get(name).map(str::to_owned))
        };
        if value("search.platform").is_some_and(|platform| platform.trim() == "opensearch") {
            let urls = value("opensearch.http.url").unwrap_or_default();
            return Self::OpenSearch { urls: urls.split(',').map(|url| jdbc::mask(url.trim())).collect() };
        }
        let index = cfg.path("lucene.index.dir", homes).map(|path| plain(&path).trim_end_matches('/').to_owned());
        Self::Lucene { index: index.unwrap_or_else(|| format!("{}/index", homes.local)) }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lucene { index } => write!(f, "Lucene in {index}"),
            Self::OpenSearch { urls } => write!(f, "OpenSearch at {}", urls.join(", ")),
        }
    }
}
