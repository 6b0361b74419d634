//! A plan's one spelling and its hash: equal for the same decisions, however much data there is.

use serde_json::Value;

use super::Plan;
use crate::{config::canonical, digest::Digest};

/// What changes with the amount of data, and decides nothing.
const BESIDE: [&str; 2] = ["bytes_estimate", "summary"];

impl Plan {
    /// Exactly what the hash covers, with sorted keys.
    pub fn value(&self) -> Value {
        let mut value = canonical::value(self);
        let parts = value["steps"].as_array_mut().into_iter().flatten().filter_map(|step| step["parts"].as_array_mut());
        for part in parts.flatten().filter_map(Value::as_object_mut) {
            part.retain(|key, _| !BESIDE.contains(&key.as_str()));
        }
        value
    }

    /// [`Plan::value`] as JSON without blanks: `plan.json` in a snapshot.
    pub fn canonical(&self) -> Vec<u8> {
        self.value().to_string().into_bytes()
    }

    /// The SHA-256 of [`Plan::canonical`].
    pub fn hash(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}
