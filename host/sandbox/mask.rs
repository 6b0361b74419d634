//! Keeps revealed secrets out of everything that a plugin says.

/// Values that were revealed to one call.
#[derive(Clone, Default)]
pub struct Mask {
    values: Vec<String>,
}

/// What stands in a secret's place.
const MASKED: &str = "[secret]";
/// A line of a longer secret is masked by itself from this many bytes on: shorter ones (`-`, `}`) say nothing.
const LINE_BYTES_MIN: usize = 8;

impl Mask {
    /// Masks `value`, each long line of it, and how it is written in a string of JSON or Rust, from now on.
    pub fn add(&mut self, value: &str) {
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= LINE_BYTES_MIN);
        let escaped = [format!("{value:?}"), serde_json::Value::from(value).to_string()];
        let escaped = escaped.iter().map(|quoted| &quoted[1..quoted.len() - 1]);
        for part in std::iter::once(value).chain(lines).chain(escaped) {
            if !part.is_empty() && !self.values.iter().any(|known| known == part) {
                self.values.push(part.to_owned());
            }
        }
        // A secret that holds another one must be masked before it.
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// `text` without any of them.
    pub fn apply(&self, mut text: String) -> String {
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASKED);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_revealed_value_is_seen_whole_or_by_line() {
        let mut mask = Mask::default();
        mask.add("hunter2");
        mask.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-");
        let text = "password=hunter2, key MIIEvQIBADANBg - end".to_owned();
        assert_eq!(mask.apply(text), "password=[secret], key [secret] - end");
    }

    #[test]
    fn a_revealed_value_is_not_seen_in_its_escaped_form() {
        let mut mask = Mask::default();
        mask.add("a\"b\\c");
        for text in ["a\"b\\c".to_owned(), format!("{:?}", "a\"b\\c"), serde_json::json!(["a\"b\\c"]).to_string()] {
            let masked = mask.apply(text);
            assert!(masked.contains("[secret]") && !masked.contains("b\\"), "{masked}");
        }
    }

    #[test]
    fn an_empty_secret_masks_nothing() {
        let mut mask = Mask::default();
        mask.add("");
        assert_eq!(mask.apply("as it is".into()), "as it is");
    }
}
