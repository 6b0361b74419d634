//! One spelling for one meaning: JSON with sorted keys and no blanks, so that equal things have equal digests.

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;

/// `value` with the keys of each object in byte order, whatever order the maps of this build keep.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// What is meant by `meaning`, as sorted JSON.
///
/// # Panics
/// Never for the types of `config` and `plan`: their keys are strings and their paths, which come from TOML, UTF-8.
pub fn value(meaning: &impl Serialize) -> Value {
    sorted(serde_json::to_value(meaning).expect("configuration and plan have string keys and UTF-8 paths"))
}

/// The SHA-256 of [`value`] in bytes.
pub fn digest(meaning: &impl Serialize) -> Digest {
    Digest::of(value(meaning).to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"b":[{"y":1,"x":2.5}],"a":null}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":null,"b":[{"x":2.5,"y":1}]}"#).unwrap();
        assert_eq!(sorted(one.clone()).to_string(), r#"{"a":null,"b":[{"x":2.5,"y":1}]}"#);
        assert_eq!(digest(&one), digest(&two));
    }
}
