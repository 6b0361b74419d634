//! Finds a datasource in Tomcat's `conf/server.xml`; what is commented out does not count.

use quick_xml::{Reader, events::Event};

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

/// The largest file that is read.
pub const SIZE_MAX: usize = 1 << 20;

/// The resource of that name (`jdbc/confluence`); none when it is not there or the file is not XML.
pub fn datasource(file: &[u8], name: &str) -> Option<Datasource> {
    let mut reader = Reader::from_reader(file);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) if element.name().as_ref() == b"Resource" => {
                let value = |key: &str| {
                    let attribute = element.try_get_attribute(key).ok().flatten()?;
                    attribute.unescape_value().ok().map(|value| value.into_owned())
                };
                if value("name").as_deref() == Some(name) {
                    let or_empty = |key| value(key).unwrap_or_default();
                    return Some(Datasource {
                        url: or_empty("url"),
                        user: or_empty("username"),
                        password: or_empty("password"),
                    });
                }
            }
            Event::DocType(_) | Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_resource_is_found() {
        let file = include_bytes!("../fixtures/f-datasource-57/install/conf/server.xml");
        let found = datasource(file, "jdbc/confluence").unwrap();
        assert_eq!(found.url, "jdbc:postgresql://db57.example:5432/conf57");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("conf57", "ds&fixture"));
        assert_eq!(datasource(file, "jdbc/other"), None);
        assert_eq!(datasource(b"<Server><Resource", "jdbc/confluence"), None);
    }
}
