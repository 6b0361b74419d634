//! Which engine answers, and what follows from it: nothing is done differently for another reason.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use strongroom_plugin::{Error, ErrorCode, Result};

use crate::client::{Client, Question};

/// Whose engine it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Product {
    /// Elastic's.
    #[default]
    Elasticsearch,
    /// The OpenSearch Project's.
    OpenSearch,
}

/// Its version, without what follows the second number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 7 of 7.17.29.
    pub major: u32,
    /// 17 of 7.17.29.
    pub minor: u32,
}

impl Version {
    /// Reads `7.17.29`.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let mut numbers = text.split(['.', '-']).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(Error::corrupt(format!("the engine says that its version is {text:?}"))),
        }
    }
}

/// What answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engine {
    /// Whose it is.
    pub product: Product,
    /// Which.
    pub version: Version,
    /// As it says it, `2.19.5`.
    pub number: String,
    /// The cluster's own name.
    pub cluster: String,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = match self.product {
            Product::Elasticsearch => "Elasticsearch",
            Product::OpenSearch => "OpenSearch",
        };
        write!(f, "{product} {}", self.number)
    }
}

/// How a point in time is opened and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointInTime {
    /// `POST /INDEX/_pit`
    Elasticsearch,
    /// `POST /INDEX/_search/point_in_time`
    OpenSearch,
}

#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    cluster_name: String,
    version: Number,
    #[serde(default)]
    tagline: String,
}

#[derive(Deserialize)]
struct Number {
    number: String,
    #[serde(default)]
    distribution: String,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    cluster_name: String,
    nodes: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    version: String,
}

impl Engine {
    /// Asks `GET /`; where that is not answered, or by an OpenSearch that calls itself Elasticsearch 7.10.2 for the sake of
    /// old clients (`compatibility.override_main_response_version`), the node that answers.
    pub(crate) fn ask(client: &Client) -> Result<Self> {
        let root = match client.ask::<Root>(&Question::get("/")) {
            Ok(root) => Some(root),
            Err(error) if matches!(error.code, ErrorCode::Other | ErrorCode::NotFound) => None,
            Err(error) => return Err(error),
        };
        let product = match &root {
            Some(root) if root.version.distribution == "opensearch" || root.tagline.contains("OpenSearch") => {
                Product::OpenSearch
            }
            _ => Product::Elasticsearch,
        };
        if let Some(Root { cluster_name, version, .. }) = root
            && (product == Product::Elasticsearch || !version.number.starts_with("7."))
        {
            return Self::of(product, version.number, cluster_name);
        }
        let nodes: Nodes = client.ask(&Question::get("/_nodes/_local?filter_path=cluster_name,nodes.*.version"))?;
        let node = nodes.nodes.into_values().next();
        let node = node.ok_or_else(|| Error::corrupt("the engine names no node of its own"))?;
        Self::of(product, node.version, nodes.cluster_name)
    }

    fn of(product: Product, number: String, cluster: String) -> Result<Self> {
        Ok(Self { product, version: Version::parse(&number)?, number, cluster })
    }

    fn since(&self, elasticsearch: (u32, u32), opensearch: (u32, u32)) -> bool {
        let (major, minor) = match self.product {
            Product::Elasticsearch => elasticsearch,
            Product::OpenSearch => opensearch,
        };
        self.version >= Version { major, minor }
    }

    /// Elasticsearch from 7.10 and OpenSearch from 2.4 keep the view of a moment.
    pub fn point_in_time(&self) -> Option<PointInTime> {
        self.since((7, 10), (2, 4)).then_some(match self.product {
            Product::Elasticsearch => PointInTime::Elasticsearch,
            Product::OpenSearch => PointInTime::OpenSearch,
        })
    }

    /// What orders all documents of a point in time. `_shard_doc` does since Elasticsearch 7.12 and OpenSearch 3.3; before,
    /// `_doc` orders those of one shard.
    pub fn order(&self) -> &'static str {
        if self.since((7, 12), (3, 3)) { "_shard_doc" } else { "_doc" }
    }

    /// The place in that order from which the documents of a shard lie: `_shard_doc` has the shard in its upper half
    /// (`ShardDocSortField` of Elasticsearch).
    pub fn first_place(&self, shard: u32) -> i64 {
        if self.order() == "_shard_doc" { i64::from(shard) << 32 } else { 0 }
    }

    /// Below Elasticsearch 7 every document has a type, and its path has it too.
    pub fn has_types(&self) -> bool {
        !self.since((7, 0), (1, 0))
    }
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::testing::Host;

    use super::*;

    fn engine(product: Product, number: &str) -> Engine {
        Engine::of(product, number.into(), String::new()).unwrap()
    }

    #[test]
    fn what_an_engine_can_follows_from_its_version() {
        use PointInTime::{Elasticsearch as E, OpenSearch as O};
        let cases = [
            (Product::Elasticsearch, "6.8.23", None, "_doc", true),
            (Product::Elasticsearch, "7.9.3", None, "_doc", false),
            (Product::Elasticsearch, "7.10.2", Some(E), "_doc", false),
            (Product::Elasticsearch, "7.17.29", Some(E), "_shard_doc", false),
            (Product::Elasticsearch, "8.19.0-SNAPSHOT", Some(E), "_shard_doc", false),
            (Product::OpenSearch, "1.3.20", None, "_doc", false),
            (Product::OpenSearch, "2.4.0", Some(O), "_doc", false),
            (Product::OpenSearch, "2.19.5", Some(O), "_doc", false),
            (Product::OpenSearch, "3.3.0", Some(O), "_shard_doc", false),
        ];
        for (product, number, view, order, types) in cases {
            let engine = engine(product, number);
            assert_eq!((engine.point_in_time(), engine.order(), engine.has_types()), (view, order, types), "{engine}");
        }
    }

    #[test]
    fn an_engine_that_does_not_answer_at_its_root_is_asked_for_its_node() {
        let nodes = r#"{"cluster_name":"c","nodes":{"x":{"version":"8.19.1"}}}"#;
        let _host =
            Host::new().answer("engine", "GET", "/_nodes/_local", 200, nodes).answer("engine", "GET", "/", 405, "");
        assert_eq!(Client::connect("engine").unwrap().engine().to_string(), "Elasticsearch 8.19.1");
    }

    #[test]
    fn an_opensearch_that_calls_itself_elasticsearch_is_asked_for_its_node() {
        let root = r#"{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}"#;
        let nodes = r#"{"nodes":{"x":{"version":"2.19.5"}}}"#;
        let _host =
            Host::new().answer("engine", "GET", "/_nodes/_local", 200, nodes).answer("engine", "GET", "/", 200, root);
        assert_eq!(Client::connect("engine").unwrap().engine().to_string(), "OpenSearch 2.19.5");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "7", "x.y", "7.x.1", "99999999999.1"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
