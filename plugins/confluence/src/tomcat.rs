//! Finds a datasource in a file of Tomcat, and rewrites its address, user and password; what is commented out does not
//! count.

use std::ops::Range;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// What a `<Resource>` says of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Datasource {
    /// Its JDBC URL.
    pub url: String,
    /// Its user.
    pub user: String,
    /// Its password: never shown.
    pub password: String,
}

/// An attribute's value, and where it stands in the file.
#[derive(Debug, Clone)]
struct Value {
    key: String,
    text: String,
    span: Range<usize>,
}

/// The resource of that name (`jdbc/confluence`); none when it is not there or the file is not XML.
pub fn datasource(file: &[u8], name: &str) -> Option<Datasource> {
    let values = resource(file, name)?;
    let of =
        |key: &str| values.iter().find(|value| value.key == key).map_or_else(String::new, |value| value.text.clone());
    Some(Datasource { url: of("url"), user: of("username"), password: of("password") })
}

/// The file with attributes of that resource replaced, and the names of those that changed; every other byte stays as
/// it was. Attributes that it does not have are left alone.
pub fn rewrite(file: &[u8], name: &str, new: &[(&'static str, String)]) -> Option<(Vec<u8>, Vec<&'static str>)> {
    let mut changes: Vec<(Range<usize>, &'static str, &str)> = Vec::new();
    for value in resource(file, name)? {
        let wanted = new.iter().find(|(key, wanted)| *key == value.key && *wanted != value.text);
        changes.extend(wanted.map(|(key, wanted)| (value.span, *key, wanted.as_str())));
    }
    changes.sort_by_key(|(span, ..)| span.start);
    let mut out = Vec::with_capacity(file.len() + 256);
    let mut from = 0;
    for (span, _, wanted) in &changes {
        out.extend_from_slice(&file[from..span.start]);
        out.extend_from_slice(escape(wanted).as_bytes());
        from = span.end;
    }
    out.extend_from_slice(&file[from..]);
    Some((out, changes.into_iter().map(|(_, key, _)| key).collect()))
}

/// The attributes of the live `<Resource>` of that name. A file with a document type is not read: entities come with it.
fn resource(file: &[u8], name: &str) -> Option<Vec<Value>> {
    let mut reader = Reader::from_reader(file);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) if element.name().as_ref() == b"Resource" => {
                let values = values(file, &element)?;
                if values.iter().any(|value| value.key == "name" && value.text == name) {
                    return Some(values);
                }
            }
            Event::DocType(_) | Event::Eof => return None,
            _ => {}
        }
    }
}

fn values(file: &[u8], element: &BytesStart<'_>) -> Option<Vec<Value>> {
    let one = |attribute: quick_xml::events::attributes::Attribute<'_>| {
        // The parser lends slices of the file itself.
        let start = attribute.value.as_ptr().addr().checked_sub(file.as_ptr().addr())?;
        let span = start..start + attribute.value.len();
        let text = attribute.unescape_value().ok()?.into_owned();
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        (file.get(span.clone())? == &*attribute.value).then_some(Value { key, text, span })
    };
    element.attributes().map(|attribute| one(attribute.ok()?)).collect()
}

/// XML text for a value in either kind of quotes. What is not ASCII is written as a reference: it then does not matter
/// how the file is encoded.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            _ if character.is_ascii() && !character.is_ascii_control() => text.push(character),
            _ => text.push_str(&format!("&#x{:X};", u32::from(character))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../fixtures/f-datasource-57/install/conf/server.xml");

    #[test]
    fn the_live_resource_is_found() {
        let found = datasource(FIXTURE.as_bytes(), "jdbc/confluence").unwrap();
        assert_eq!(found.url, "jdbc:postgresql://db57.example:5432/conf57");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("conf57", "ds&fixture"));
        assert_eq!(datasource(FIXTURE.as_bytes(), "jdbc/other"), None);
        assert_eq!(datasource(b"<Server><Resource", "jdbc/confluence"), None);
        assert_eq!(datasource(b"<!DOCTYPE a><Resource name='jdbc/confluence'/>", "jdbc/confluence"), None);
    }

    #[test]
    fn only_the_named_attributes_change() {
        let new = [("url", "jdbc:postgresql://new:1/w?a=b&c=d".into()), ("password", "\"p'<w>é".into())];
        let (out, changed) = rewrite(FIXTURE.as_bytes(), "jdbc/confluence", &new).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wanted = FIXTURE
            .replace("jdbc:postgresql://db57.example:5432/conf57", "jdbc:postgresql://new:1/w?a=b&amp;c=d")
            .replace("ds&amp;fixture", "&quot;p&apos;&lt;w&gt;&#xE9;");
        assert_eq!(text, wanted);
        assert_eq!(changed, ["password", "url"]);
        let found = datasource(text.as_bytes(), "jdbc/confluence").unwrap();
        assert_eq!((found.url.as_str(), found.password.as_str()), ("jdbc:postgresql://new:1/w?a=b&c=d", "\"p'<w>é"));
        let same = rewrite(FIXTURE.as_bytes(), "jdbc/confluence", &[("username", "conf57".into())]).unwrap();
        assert_eq!(same, (FIXTURE.as_bytes().to_vec(), Vec::new()));
    }
}
