//! Replaces single values of a `confluence.cfg.xml`; every other byte stays as it was.

use std::ops::Range;

use super::Cfg;

/// Where one property stands in the file.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) name: String,
    pub(super) value: String,
    /// From `<property` to the end of its closing tag.
    pub(super) element: Range<usize>,
    /// Between the two tags.
    pub(super) inner: Range<usize>,
    pub(super) form: Form,
}

/// How a property is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `<property …>…</property>`
    Pair,
    /// `<property …/>`
    Single,
}

/// What to do with the properties of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The new value.
    Set(String),
    /// The element goes, with the blanks before it.
    Remove,
}

impl Cfg {
    /// The file with the named properties changed. Names that it does not hold are left alone:
    /// a restore adds nothing to the product's configuration.
    pub fn rewrite(&self, edits: &[(String, Edit)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 256);
        let mut from = 0;
        for spot in &self.spots {
            let Some((_, edit)) = edits.iter().find(|(name, _)| *name == spot.name) else { continue };
            if matches!(edit, Edit::Set(value) if *value == spot.value) {
                continue;
            }
            let (range, text) = self.replacement(spot, edit);
            out.extend_from_slice(&self.bytes[from..range.start]);
            out.extend_from_slice(text.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(&self.bytes[from..]);
        out
    }

    fn replacement(&self, spot: &Spot, edit: &Edit) -> (Range<usize>, String) {
        match (edit, spot.form) {
            (Edit::Remove, _) => {
                let before = &self.bytes[..spot.element.start];
                let blanks = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
                (spot.element.start - blanks..spot.element.end, String::new())
            }
            (Edit::Set(value), Form::Pair) => (spot.inner.clone(), self.encoding.escape(value)),
            (Edit::Set(value), Form::Single) => {
                (spot.element.end - 2..spot.element.end, format!(">{}</property>", self.encoding.escape(value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = include_str!("../../fixtures/a-cluster-pg-9x/node1/confluence.cfg.xml");

    fn set(name: &str, value: &str) -> (String, Edit) {
        (name.into(), Edit::Set(value.into()))
    }

    #[test]
    fn only_the_named_values_change() {
        let cfg = Cfg::parse(CLUSTER.as_bytes()).unwrap();
        let edits = [set("hibernate.connection.password", "a&b<c>é"), set("no.such.property", "x")];
        let text = String::from_utf8(cfg.rewrite(&edits)).unwrap();
        assert_eq!(text, CLUSTER.replace("p&amp;ss&lt;w0rd\"1", "a&amp;b&lt;c&gt;é"));
        assert_eq!(Cfg::parse(text.as_bytes()).unwrap().get("hibernate.connection.password"), Some("a&b<c>é"));
    }

    #[test]
    fn a_value_that_stays_keeps_its_spelling() {
        let cfg = Cfg::parse(CLUSTER.as_bytes()).unwrap();
        let same: Vec<_> = cfg.properties().map(|(name, value)| set(name, value)).collect();
        assert_eq!(cfg.rewrite(&same), CLUSTER.as_bytes());
        assert_eq!(cfg.rewrite(&[]), CLUSTER.as_bytes());
    }

    #[test]
    fn comments_blanks_single_tags_and_both_of_two_copies_are_handled() {
        let file = "<confluence-configuration>\r\n <properties> <!-- a -->\n  <property  name='a' />\n\t<property name=\"b\"><![CDATA[x]]></property><property name='a'>1</property>\n </properties></confluence-configuration>\n";
        let cfg = Cfg::parse(file.as_bytes()).unwrap();
        let text = String::from_utf8(cfg.rewrite(&[set("a", "2"), ("b".into(), Edit::Remove)])).unwrap();
        let wanted = "<confluence-configuration>\r\n <properties> <!-- a -->\n  <property  name='a' >2</property><property name='a'>2</property>\n </properties></confluence-configuration>\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn other_encodings_get_character_references() {
        let file = "<?xml version=\"1.0\" encoding=\"US-ASCII\"?><confluence-configuration><properties><property name=\"a\">1</property></properties></confluence-configuration>";
        let cfg = Cfg::parse(file.as_bytes()).unwrap();
        let out = cfg.rewrite(&[set("a", "é")]);
        assert!(out.is_ascii());
        assert_eq!(Cfg::parse(&out).unwrap().get("a"), Some("é"));
    }
}
