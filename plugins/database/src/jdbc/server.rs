//! URLs of database servers: hosts, database and parameters, and the same URL for another server.

use std::ops::Range;

use super::{Vendor, splice};

mod oracle;
mod sqlserver;

/// The URL of a database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its product.
    pub vendor: Vendor,
    /// Hosts and ports, in the order in which the driver tries them; an IPv6 address without its brackets.
    pub hosts: Vec<(String, u16)>,
    /// SQL Server's named instance.
    pub instance: Option<String>,
    /// The database, decoded; empty where the driver takes a default. For Oracle the service or the SID.
    pub database: String,
    /// The parameters' names, in order.
    pub parameters: Vec<String>,
    text: String,
    /// None where host and port are not one piece.
    place: Option<Slot>,
    name: Slot,
}

/// Where a piece of the URL stands, and what goes around one that is put there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    range: Range<usize>,
    before: &'static str,
    after: &'static str,
}

impl Slot {
    fn plain(range: Range<usize>) -> Self {
        Self { range, before: "", after: "" }
    }

    fn fill(&self, text: &str) -> String {
        format!("{}{text}{}", self.before, self.after)
    }
}

pub(super) fn parse(vendor: Vendor, url: &str) -> Option<Server> {
    let text = url.trim();
    match vendor {
        Vendor::SqlServer => sqlserver::parse(text),
        Vendor::Oracle => oracle::parse(text),
        _ => slashes(vendor, text),
    }
}

impl Server {
    /// `host:port/name`, as far as there are several `host:port,host:port/name`; a named instance is `host\name:port`.
    pub fn location(&self) -> String {
        let instance = self.instance.as_ref().map(|name| format!("\\{name}")).unwrap_or_default();
        let one = |(host, port): &(String, u16)| format!("{}{instance}:{port}", bracketed(host));
        format!("{}/{}", self.hosts.iter().map(one).collect::<Vec<_>>().join(","), self.database)
    }

    /// Whether one of its hosts is what a granted database is called (`host:port/name`).
    pub fn is_at(&self, location: &str) -> bool {
        self.hosts.iter().any(|(host, port)| location == format!("{}:{port}/{}", bracketed(host), self.database))
    }

    /// The same URL for another server; everything else is kept as it was written. None for Oracle's descriptors.
    pub fn pointed_at(&self, host: &str, port: u16, database: &str) -> Option<String> {
        let place = self.place.as_ref()?;
        let address = place.fill(&format!("{}:{port}", bracketed(host)));
        // The name stands behind the place: the place's range stays true.
        let named = splice(&self.text, &self.name.range, &self.name.fill(&self.written(database)));
        Some(splice(&named, &place.range, &address))
    }

    fn written(&self, database: &str) -> String {
        match self.vendor {
            Vendor::Postgresql | Vendor::Mysql => percent_encode(database),
            Vendor::SqlServer if database.contains([';', '{', '}', ' ']) => {
                format!("{{{}}}", database.replace('}', "}}"))
            }
            _ => database.to_owned(),
        }
    }
}

/// `jdbc:postgresql://h[:p][,h2[:p]]/db[?…]` with IPv6 in brackets, `jdbc:postgresql:db`, and MySQL's likeness.
fn slashes(vendor: Vendor, text: &str) -> Option<Server> {
    let prefix = text.match_indices(':').nth(1)?.0 + 1;
    let end = text.find('?').unwrap_or(text.len());
    let parameters = text[end..].trim_start_matches('?').split('&').filter(|one| !one.is_empty());
    let parameters = parameters.map(|one| one.split('=').next().unwrap_or(one).to_owned()).collect();
    let (hosts, place, name) = match text[prefix..end].find("//") {
        // `jdbc:mysql:loadbalance://` and the like stand before the slashes.
        Some(slashes) if vendor == Vendor::Mysql || slashes == 0 => {
            let from = prefix + slashes + 2;
            let slash = text[from..end].find('/').map(|slash| from + slash);
            let authority = from..slash.unwrap_or(end);
            let start = text[authority.clone()].rfind('@').map_or(from, |at| from + at + 1);
            let hosts = hosts(&text[start..authority.end], vendor.port())?;
            let name = match slash {
                Some(slash) => Slot::plain(slash + 1..end),
                None => Slot { range: end..end, before: "/", after: "" },
            };
            (hosts, Some(Slot::plain(start..authority.end)), name)
        }
        Some(_) => return None,
        None if vendor == Vendor::Postgresql => {
            let from = end - text[prefix..end].trim_start_matches('/').len();
            let place = Slot { range: prefix..from, before: "//", after: "/" };
            (vec![("localhost".to_owned(), vendor.port())], Some(place), Slot::plain(from..end))
        }
        None => return None,
    };
    let database = percent_decode(&text[name.range.clone()]);
    Some(Server { vendor, hosts, instance: None, database, parameters, text: text.to_owned(), place, name })
}

fn hosts(authority: &str, port: u16) -> Option<Vec<(String, u16)>> {
    match authority {
        "" => Some(vec![("localhost".to_owned(), port)]),
        _ => authority.split(',').map(|one| host(one, port)).collect(),
    }
}

fn host(text: &str, default: u16) -> Option<(String, u16)> {
    let port = |text: &str| if text.is_empty() { Some(default) } else { text.parse().ok() };
    if let Some(text) = text.strip_prefix('[') {
        let (address, rest) = text.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(rest) => Some((address.to_owned(), port(rest)?)),
            None if rest.is_empty() => Some((address.to_owned(), default)),
            None => None,
        };
    }
    let plain = |name: &str| !name.is_empty() && !name.contains(['(', ')', '/']);
    match text.split_once(':') {
        Some((name, rest)) => plain(name).then_some((name.to_owned(), port(rest)?)),
        None => plain(text).then(|| (text.to_owned(), default)),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// Text with `%41` for `A`, decoded; what is not UTF-8 then stays as it was.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Url;
    use super::*;

    fn server(url: &str) -> Server {
        Url::parse(url).unwrap_or_else(|error| panic!("{error}")).server().unwrap()
    }

    #[test]
    fn every_form_of_url_is_read() {
        let location = |url| server(url).location();
        assert_eq!(location("jdbc:postgresql://db1:5433/wiki?a=b"), "db1:5433/wiki");
        assert_eq!(location("jdbc:postgresql://db1,db2:5555/wiki"), "db1:5432,db2:5555/wiki");
        assert_eq!(location("jdbc:postgresql://[2001:db8::5]:5432/confluence"), "[2001:db8::5]:5432/confluence");
        assert_eq!(location("jdbc:postgresql://[::1]/c"), "[::1]:5432/c");
        assert_eq!(location("jdbc:postgresql:wiki"), "localhost:5432/wiki");
        assert_eq!(location("jdbc:postgresql:/"), "localhost:5432/");
        assert_eq!(location("jdbc:postgresql://db/my%20wiki"), "db:5432/my wiki");
        assert_eq!(location("jdbc:mysql://db-mysql/confluence?a=b"), "db-mysql:3306/confluence");
        assert_eq!(location("jdbc:mariadb:loadbalance://u:p@a:1,b/c"), "a:1,b:3306/c");
        for bad in [
            "jdbc:postgresql://h:port/d",
            "jdbc:postgresql://[::1/d",
            "jdbc:mysql:d",
            "jdbc:mysql://address=(host=a)(port=1)/d",
            "",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert!(!Url::parse("jdbc:nothing?password=hunter2").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_rewritten_url_keeps_its_parameters() {
        let url = server("jdbc:postgresql://a,b/x?targetServerType=primary&ApplicationName=k%20b");
        assert_eq!(url.parameters, ["targetServerType", "ApplicationName"]);
        let wanted = "jdbc:postgresql://new:6000/y?targetServerType=primary&ApplicationName=k%20b";
        assert_eq!(url.pointed_at("new", 6000, "y").unwrap(), wanted);
        let moved = |url: &str| server(url).pointed_at("::1", 1, "y z").unwrap();
        assert_eq!(moved("jdbc:postgresql:x"), "jdbc:postgresql://[::1]:1/y%20z");
        assert_eq!(moved("jdbc:postgresql:"), "jdbc:postgresql://[::1]:1/y%20z");
        assert_eq!(moved("jdbc:mysql://h?a=%3D"), "jdbc:mysql://[::1]:1/y%20z?a=%3D");
        assert_eq!(moved("jdbc:mariadb:loadbalance://a,b/c?x=1"), "jdbc:mariadb:loadbalance://[::1]:1/y%20z?x=1");
    }

    #[test]
    fn a_granted_location_is_compared_with_each_host() {
        let url = server("jdbc:postgresql://a,[::1]:5/x");
        assert!(url.is_at("a:5432/x") && url.is_at("[::1]:5/x"));
        assert!(!url.is_at("a:5432/y") && !url.is_at("b:5432/x"));
    }
}
