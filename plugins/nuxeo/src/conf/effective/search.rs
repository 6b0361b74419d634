//! Elasticsearch or OpenSearch, and whether it holds the only copy of the audit log.

use super::{Password, Values, Version, kafka::Address};

/// How an instance searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Whether it uses a search engine at all.
    pub enabled: bool,
    /// How it reaches the engine.
    pub client: Client,
    /// The engine's nodes.
    pub nodes: Vec<Node>,
    /// The user that it logs in as.
    pub user: Option<String>,
    /// That user's password.
    pub password: Password,
    /// The repository's index, which can be built anew.
    pub index: String,
    /// Where the audit log is.
    pub audit: AuditIndex,
    /// The index of sequences, where the engine keeps them: the number is the document's version.
    pub uid_index: Option<String>,
    /// Whether an embedded engine answers HTTP on port 9200.
    pub http_enabled: bool,
    /// Whether the names are aliases of indexes.
    pub aliases: bool,
    /// Whether the repository's index is built anew at the start when it is empty.
    pub reindexes_at_start: bool,
}

/// How the engine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// HTTP.
    Rest,
    /// The engine's own protocol: the nodes' ports are not those of HTTP.
    Transport,
    /// It runs inside Nuxeo, with its files in the data directory.
    Embedded,
    /// There is none.
    None,
}

/// A node of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host and port.
    pub address: Address,
}

/// Where the audit log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditIndex {
    /// In this index, and nowhere else: it must be captured.
    Must(String),
    /// In the SQL database.
    Sql,
    /// In the MongoDB.
    Mongo,
}

impl Search {
    pub(super) fn of(values: &Values<'_>, version: Option<Version>, mongo: bool) -> Self {
        match version.map_or_else(|| looks_recent(values), Version::has_search_clients) {
            true => Self::by_clients(values, mongo),
            false => Self::by_elasticsearch(values),
        }
    }

    /// Up to LTS 2023.
    fn by_elasticsearch(values: &Values<'_>) -> Self {
        let enabled = values.flag("elasticsearch.enabled");
        let addresses = values.list("elasticsearch.addressList");
        let client = match (enabled, values.text("elasticsearch.client").as_str()) {
            (false, _) => Client::None,
            _ if addresses.is_empty() => Client::Embedded,
            (true, "TransportClient") => Client::Transport,
            _ => Client::Rest,
        };
        let audit = match () {
            () if enabled && values.flag("audit.elasticsearch.enabled") => {
                AuditIndex::Must(values.text("audit.elasticsearch.indexName"))
            }
            () if values.has_template("mongodb-audit") => AuditIndex::Mongo,
            () => AuditIndex::Sql,
        };
        Self {
            enabled,
            client,
            nodes: nodes(&addresses, client),
            user: values.set("elasticsearch.restClient.username"),
            password: Password::of(values, "elasticsearch.restClient.password"),
            index: values.text("elasticsearch.indexName"),
            audit,
            uid_index: enabled.then(|| values.text("seqgen.elasticsearch.indexName")),
            http_enabled: values.flag("elasticsearch.httpEnabled"),
            aliases: values.flag("elasticsearch.manageAlias.enabled"),
            reindexes_at_start: values.flag("elasticsearch.reindex.onStartup"),
        }
    }

    /// From LTS 2025 on: templates choose what is kept in the engine, and `audit.elasticsearch.enabled` is ignored.
    fn by_clients(values: &Values<'_>, mongo: bool) -> Self {
        let mut addresses = values.list("nuxeo.opensearch1.client.server");
        if addresses.is_empty() {
            addresses = values.list("elasticsearch.addressList");
        }
        let client = if addresses.is_empty() { Client::None } else { Client::Rest };
        let audit = match () {
            () if values.has_template("opensearch1-audit") => {
                AuditIndex::Must(values.text("nuxeo.audit.backend.default.opensearch1.index.name"))
            }
            () if values.has_template("mongodb-audit") => AuditIndex::Mongo,
            () if values.has_template("sql-audit") => AuditIndex::Sql,
            () if mongo => AuditIndex::Mongo,
            () => AuditIndex::Sql,
        };
        let enabled = client != Client::None;
        let sequences = values.text("nuxeo.uidsequencer.default.opensearch1.index.name");
        Self {
            enabled,
            client,
            nodes: nodes(&addresses, client),
            user: values.set("nuxeo.opensearch1.client.username"),
            password: Password::of(values, "nuxeo.opensearch1.client.password"),
            index: values.text("nuxeo.search.client.default.opensearch1.index.name"),
            audit,
            uid_index: enabled.then_some(sequences),
            http_enabled: false,
            aliases: false,
            reindexes_at_start: false,
        }
    }
}

/// Without a version, keys and templates that only LTS 2025 has tell it.
fn looks_recent(values: &Values<'_>) -> bool {
    let recent = |name: &str| name.starts_with("opensearch1") || name == "sql-audit";
    values.set("nuxeo.opensearch1.client.server").is_some()
        || values.chain.templates.iter().any(|template| template.included() && recent(template.name()))
}

fn nodes(addresses: &[String], client: Client) -> Vec<Node> {
    addresses.iter().map(|address| node(address, client)).collect()
}

/// `http[s]://host[:port][/path]`, or `host:port`.
fn node(address: &str, client: Client) -> Node {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let tls = scheme.eq_ignore_ascii_case("https");
    let port = match (client, address.contains("://")) {
        (Client::Transport, _) => 9300,
        (_, true) if tls => 443,
        (_, true) => 80,
        (_, false) => 9200,
    };
    let place = rest.split(['/', '?']).next().unwrap_or(rest);
    let place = place.rsplit('@').next().unwrap_or(place);
    Node { tls, address: Address::parse(place, port) }
}
