//! What would happen: immutable, printable, no choices left. Pure: no I/O, no clock.

use serde::Serialize;

use crate::{
    config::{Compression, Grants, Limits, Order, keep::Keep, recipient::Recipient},
    digest::Digest,
};

mod grants;
mod hash;
pub mod inspection;
mod limits;
pub mod render;
pub mod resolve;
pub mod severity;

use inspection::Part;
pub use resolve::{Beside, Inspected, Resolution, check_config, resolve};

/// The version of `plan.json` that this program writes.
pub const VERSION: u32 = 1;

/// What would happen. Its hash covers all of it but what [`Plan::value`] leaves out: what parts say for people
/// (`summary`) and how large they will probably be (`bytes_estimate`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where the snapshot goes.
    pub repository: String,
    /// How it is kept there.
    pub format: String,
    /// Whether what goes into it is compressed.
    #[serde(skip_serializing_if = "Compression::is_auto")]
    pub compression: Compression,
    /// To whom it is encrypted; none: it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
    /// Where it is copied to, once it is sealed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copy>,
    /// When a stage may begin.
    pub order: Order,
    /// Parts side by side; none: as many as there are cores.
    pub parallel: Option<usize>,
    /// What is kept of older snapshots when this one is complete; none: nothing is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// In the order of the pipeline.
    pub steps: Vec<Step>,
}

/// A repository that snapshots are copied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// Its name in the pipeline.
    pub name: String,
    /// Where it is.
    pub repository: String,
    /// How snapshots are kept there.
    pub format: String,
    /// To whom they are encrypted there; none: by the repository's own way, or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
}

/// One use of a component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What the plugin calls itself.
    pub plugin: String,
    /// Its version.
    pub plugin_version: String,
    /// The component.
    pub component: Digest,
    /// Steps that it comes after.
    pub after: Vec<String>,
    /// Its configuration.
    pub config: serde_json::Value,
    /// What it may reach; secrets by reference.
    pub grants: Grants,
    /// What it may use up.
    pub limits: Limits,
    /// In stage order, then as the plugin named them.
    pub parts: Vec<Part>,
}
