//! What plugins said of themselves and of the product: the plan's raw material.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Finding;

/// Open-ended annotations, in the plugin's order.
pub type Attributes = Vec<(String, String)>;

/// What a plugin is and what it needs (`about.describe`).
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// The products that it knows.
    pub products: Vec<String>,
    /// JSON Schema of the step's configuration.
    pub config_schema: String,
    /// Every grant that it can use.
    pub needs: Vec<Need>,
    /// Annotations.
    pub attributes: Attributes,
}

/// A grant that a plugin would use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// `dirs:read`, `dirs:write`, `tools`, `sql`, `http` or `secrets`.
    pub capability: String,
    /// The name that it asks for.
    pub name: String,
    /// Any number of grants whose names begin with `name` and `-`.
    pub many: bool,
    /// Why, in the operator's words.
    pub reason: String,
    /// Without it nothing can be done.
    pub required: bool,
    /// A grant as it is usually written, in TOML.
    pub suggestion: String,
}

/// When, within a run, a part is captured (`product.stage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Older than the database, never newer.
    Positions,
    /// Fixes the instant.
    Database,
    /// Where every stream ends at that instant.
    Fence,
    /// Stream records up to the fence.
    Records,
    /// Files, configuration, keys.
    Files,
}

impl Stage {
    /// In the order of a backup.
    pub const BACKUP: [Self; 5] = [Self::Positions, Self::Database, Self::Fence, Self::Records, Self::Files];
    /// In the order of a restore: what makes the product go comes last.
    pub const RESTORE: [Self; 5] = [Self::Database, Self::Files, Self::Fence, Self::Records, Self::Positions];

    /// The word that WIT, reports and plans use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Positions => "positions",
            Self::Database => "database",
            Self::Fence => "fence",
            Self::Records => "records",
            Self::Files => "files",
        }
    }
}

/// A piece of a step that the plugin named after looking at the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Unique in its step; a single name of a path.
    pub name: String,
    /// When it is captured.
    pub stage: Stage,
    /// Whether it is also captured before all stages.
    pub ahead: bool,
    /// For people.
    pub summary: String,
    /// Bytes that it will probably store; not part of the plan's hash.
    pub bytes_estimate: Option<u64>,
    /// Names of the grants that it will use (`dirs.home`).
    pub uses: Vec<String>,
    /// What `inspect` decided.
    pub settings: Attributes,
}

/// What a plugin saw (`product.inspect`).
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// What there is to do.
    pub parts: Vec<Part>,
    /// Grants that it has not and would use.
    pub wants: Vec<Need>,
    /// What the operator must know.
    pub findings: Vec<Finding>,
    /// What it saw, for people.
    pub facts: Attributes,
}
