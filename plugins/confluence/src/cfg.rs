//! Reads `confluence.cfg.xml`, and remembers where each value stands so that single values can be replaced in place.

use std::ops::Range;

use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event},
};

use self::{
    encoding::Encoding,
    rewrite::{Form, Spot},
};

mod encoding;
pub mod rewrite;

/// The largest file that is read: real ones have a few dozen KiB.
pub const SIZE_MAX: usize = 1 << 20;

/// Why a file is not a usable `confluence.cfg.xml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCfg {
    /// More than [`SIZE_MAX`] bytes.
    #[error("it has {0} bytes, more than the {SIZE_MAX} that such a file may have")]
    TooLarge(usize),
    /// Ends inside an element.
    #[error("it ends inside <{0}>: the file is truncated, restore it from the last good copy")]
    Truncated(String),
    /// Not XML.
    #[error("it is not well-formed XML at byte {at}: {why}")]
    Malformed {
        /// Where.
        at: u64,
        /// The parser's words.
        why: String,
    },
    /// Declares a document type, with which entities come.
    #[error("it declares a document type, which may define or fetch entities: remove the <!DOCTYPE> declaration")]
    Doctype,
    /// An entity that XML does not predefine.
    #[error("it refers to the entity &{0}; which is not one of XML's own five")]
    Entity(String),
    /// Another root element.
    #[error("its root element is <{0}>, not <confluence-configuration>")]
    Root(String),
    /// No element at all.
    #[error("it is empty")]
    Empty,
    /// Declared encoding that is not known here.
    #[error("it is encoded in {0}: only UTF-8, US-ASCII and ISO-8859-1 can be read")]
    Encoding(String),
    /// An element inside a value, or a property without a name.
    #[error("its property {0:?} does not hold plain text")]
    Property(String),
}

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Cfg {
    bytes: Vec<u8>,
    encoding: Encoding,
    spots: Vec<Spot>,
    /// `<buildNumber>`.
    pub build_number: Option<u64>,
    /// `<setupType>` (`custom`, `cluster`, …).
    pub setup_type: Option<String>,
}

impl Cfg {
    /// Parses a whole file.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadCfg> {
        if bytes.len() > SIZE_MAX {
            return Err(BadCfg::TooLarge(bytes.len()));
        }
        let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut walk = Walk::new();
        let mut reader = Reader::from_reader(&bytes[mark..]);
        loop {
            let from = mark + reader.buffer_position() as usize;
            let event = reader.read_event().map_err(|error| walk.broken(bytes, reader.error_position(), &error))?;
            let done = matches!(event, Event::Eof);
            walk.event(event, from..mark + reader.buffer_position() as usize)?;
            if done {
                return walk.finish(bytes);
            }
        }
    }

    /// The value of a property, decoded; of several with one name the last, as the product reads it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.spots.iter().rev().find(|spot| spot.name == name).map(|spot| spot.value.as_str())
    }

    /// Names and decoded values in the file's order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spots.iter().map(|spot| (spot.name.as_str(), spot.value.as_str()))
    }

    /// A property that holds a path, with the product's two variables replaced.
    pub fn path(&self, name: &str, homes: Homes<'_>) -> Option<String> {
        self.get(name).map(|value| homes.expand(value))
    }
}

/// What the product's two variables stand for.
#[derive(Debug, Clone, Copy)]
pub struct Homes<'a> {
    /// `${localHome}`: this node's home.
    pub local: &'a str,
    /// `${confluenceHome}`: the cluster's shared home; the same as the other where there is one node.
    pub shared: &'a str,
}

impl<'a> Homes<'a> {
    /// Those of a site that is no cluster.
    pub fn one(home: &'a str) -> Self {
        Self { local: home, shared: home }
    }

    /// The value with both replaced.
    pub fn expand(self, value: &str) -> String {
        value.replace("${confluenceHome}", self.shared).replace("${localHome}", self.local)
    }
}

/// The parser's state between two events.
struct Walk {
    encoding: Encoding,
    open: Vec<String>,
    seen_root: bool,
    property: Option<Spot>,
    text: String,
    spots: Vec<Spot>,
    build_number: Option<u64>,
    setup_type: Option<String>,
}

impl Walk {
    fn new() -> Self {
        Self {
            encoding: Encoding::Utf8,
            open: Vec::new(),
            seen_root: false,
            property: None,
            text: String::new(),
            spots: Vec::new(),
            build_number: None,
            setup_type: None,
        }
    }

    /// The parser complains about a cut file in many ways; what tells is that the root was never closed.
    fn broken(&self, bytes: &[u8], at: u64, error: &quick_xml::Error) -> BadCfg {
        match self.open.last() {
            Some(open) if memchr::memmem::find(bytes, b"</confluence-configuration").is_none() => {
                BadCfg::Truncated(open.clone())
            }
            _ => BadCfg::Malformed { at, why: error.to_string() },
        }
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), BadCfg> {
        match event {
            Event::Decl(declaration) => {
                if let Some(Ok(name)) = declaration.encoding() {
                    self.encoding = Encoding::named(&String::from_utf8_lossy(&name))?;
                }
            }
            Event::DocType(_) => return Err(BadCfg::Doctype),
            Event::Start(element) => self.start(&element, span, Form::Pair)?,
            Event::Empty(element) => {
                self.start(&element, span.clone(), Form::Single)?;
                self.end(span);
            }
            Event::End(_) => self.end(span),
            Event::Text(text) => self.text.push_str(&self.encoding.decode(&text)?),
            Event::CData(text) => self.text.push_str(&self.encoding.decode(&text)?),
            Event::GeneralRef(reference) => self.reference(&reference)?,
            Event::Comment(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>, span: Range<usize>, form: Form) -> Result<(), BadCfg> {
        let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
        if let Some(property) = &self.property {
            return Err(BadCfg::Property(property.name.clone()));
        }
        if self.open.is_empty() {
            if name != "confluence-configuration" || self.seen_root {
                return Err(BadCfg::Root(name));
            }
            self.seen_root = true;
        }
        if self.open == ["confluence-configuration", "properties"] && name == "property" {
            let attribute = element.try_get_attribute("name").ok().flatten();
            let attribute = attribute.ok_or_else(|| BadCfg::Property(String::new()))?;
            let name = self.encoding.decode(&attribute.value)?;
            let name = quick_xml::escape::unescape(&name).map_err(|_| BadCfg::Property(name.to_string()))?.into_owned();
            self.property =
                Some(Spot { name, value: String::new(), element: span.clone(), inner: span.end..span.end, form });
        }
        self.text.clear();
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self, span: Range<usize>) {
        let name = self.open.pop().unwrap_or_default();
        if let Some(mut property) = self.property.take() {
            property.value = std::mem::take(&mut self.text);
            property.element.end = span.end;
            if property.form == Form::Pair {
                property.inner.end = span.start;
            }
            self.spots.push(property);
        } else if self.open == ["confluence-configuration"] {
            match name.as_str() {
                "buildNumber" => self.build_number = self.text.trim().parse().ok(),
                "setupType" => self.setup_type = Some(self.text.trim().to_owned()),
                _ => {}
            }
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), BadCfg> {
        let name = String::from_utf8_lossy(reference).into_owned();
        let unknown = || BadCfg::Entity(name.clone());
        match reference.resolve_char_ref().map_err(|_| unknown())? {
            Some(character) => self.text.push(character),
            None => self.text.push_str(quick_xml::escape::resolve_xml_entity(&name).ok_or_else(unknown)?),
        }
        Ok(())
    }

    fn finish(self, bytes: &[u8]) -> Result<Cfg, BadCfg> {
        if let Some(open) = self.open.last() {
            return Err(BadCfg::Truncated(open.clone()));
        }
        if !self.seen_root {
            return Err(BadCfg::Empty);
        }
        let Self { encoding, spots, build_number, setup_type, .. } = self;
        Ok(Cfg { bytes: bytes.to_vec(), encoding, spots, build_number, setup_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &[u8] = include_bytes!("../fixtures/a-cluster-pg-9x/node1/confluence.cfg.xml");

    fn wrap(properties: &str) -> Vec<u8> {
        format!(
            "<confluence-configuration><buildNumber>1</buildNumber><properties>{properties}</properties></confluence-configuration>"
        )
        .into_bytes()
    }

    #[test]
    fn values_come_decoded_and_in_order() {
        let cfg = Cfg::parse(CLUSTER).unwrap();
        assert_eq!((cfg.build_number, cfg.setup_type.as_deref()), (Some(9111), Some("cluster")));
        assert_eq!(cfg.get("hibernate.connection.password"), Some("p&ss<w0rd\"1"));
        assert_eq!(cfg.get("confluence.webapp.context.path"), Some(""));
        assert_eq!(cfg.path("attachments.dir", Homes::one("/h")).as_deref(), Some("/h/attachments"));
        assert_eq!(cfg.properties().next(), Some(("access.mode", "READ_WRITE")));
    }

    #[test]
    fn cdata_and_character_references_are_text_and_the_last_of_two_wins() {
        let cfg = Cfg::parse(&wrap(
            "<property name=\"a\">1</property><property name=\"a\"><![CDATA[<x>&]]>&#x41;&#66;<!-- c -->d</property><property name=\"e\"/>",
        ))
        .unwrap();
        assert_eq!(cfg.get("a"), Some("<x>&ABd"));
        assert_eq!(cfg.get("e"), Some(""));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for cut in 1..CLUSTER.len() - 2 {
            assert!(Cfg::parse(&CLUSTER[..cut]).is_err(), "cut at {cut}");
        }
        assert!(matches!(Cfg::parse(&CLUSTER[..1000]), Err(BadCfg::Truncated(_))));
        assert!(matches!(Cfg::parse(&CLUSTER[..CLUSTER.len() / 2 - 3]), Err(BadCfg::Truncated(_))));
        assert_eq!(Cfg::parse(b"").err(), Some(BadCfg::Empty));
    }

    #[test]
    fn entities_that_xml_does_not_predefine_are_refused() {
        let bomb = b"<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><confluence-configuration/>";
        assert_eq!(Cfg::parse(bomb).err(), Some(BadCfg::Doctype));
        let external = b"<!DOCTYPE l SYSTEM \"file:///etc/passwd\"><confluence-configuration/>";
        assert_eq!(Cfg::parse(external).err(), Some(BadCfg::Doctype));
        assert_eq!(Cfg::parse(&wrap("<property name=\"a\">&b;</property>")).err(), Some(BadCfg::Entity("b".into())));
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert_eq!(Cfg::parse(b"<html></html>").err(), Some(BadCfg::Root("html".into())));
        assert!(matches!(Cfg::parse(&vec![b' '; SIZE_MAX + 1]), Err(BadCfg::TooLarge(_))));
        assert!(matches!(Cfg::parse(b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>"), Err(BadCfg::Encoding(_))));
        assert!(matches!(Cfg::parse(&wrap("<property>x</property>")), Err(BadCfg::Property(_))));
        assert!(matches!(Cfg::parse(&wrap("<property name=\"p\"><b>x</b></property>")), Err(BadCfg::Property(_))));
    }

    #[test]
    fn other_encodings_are_decoded() {
        let mut file = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>".to_vec();
        file.extend(
            wrap("<property name=\"a\">caf@</property>").iter().map(|byte| if *byte == b'@' { 0xe9 } else { *byte }),
        );
        assert_eq!(Cfg::parse(&file).unwrap().get("a"), Some("café"));
        let marked = [b"\xef\xbb\xbf".to_vec(), wrap("<property name=\"a\">é</property>")].concat();
        assert_eq!(Cfg::parse(&marked).unwrap().get("a"), Some("é"));
    }
}
