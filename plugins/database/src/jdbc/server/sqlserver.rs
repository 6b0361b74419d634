//! SQL Server's URLs, of Microsoft's driver and of jTDS.

use std::ops::Range;

use super::{Server, Slot, Vendor, host};

/// `jdbc:sqlserver://host[\instance][:port][;databaseName=name][;…]`, or `jdbc:jtds:sqlserver://host[:port][/name][;…]`.
pub(super) fn parse(text: &str) -> Option<Server> {
    let start = text.find("://")? + 3;
    let end = text[start..].find(';').map_or(text.len(), |end| start + end);
    let properties = properties(text, end);
    let property = |names: &[&str]| {
        let named = |(key, _): &&(&str, Range<usize>)| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        properties.iter().find(named).map(|(_, range)| range.clone())
    };
    let slash = text[start..end].find('/').map(|slash| start + slash);
    let place = start..slash.unwrap_or(end);
    let (name, port) = match text[place.clone()].split_once('\\') {
        Some((name, rest)) => (name, rest),
        None => (&text[place.clone()], ""),
    };
    let (instance, authority) = match port.split_once(':') {
        _ if port.is_empty() => (property(&["instanceName", "instance"]).map(|range| &text[range]), name.to_owned()),
        Some((instance, port)) => (Some(instance), format!("{name}:{port}")),
        None => (Some(port), name.to_owned()),
    };
    let name = match (slash, property(&["databaseName", "database"])) {
        (Some(slash), _) => Slot::plain(slash + 1..end),
        (None, Some(range)) => Slot::plain(range),
        (None, None) => Slot { range: end..end, before: ";databaseName=", after: "" },
    };
    Some(Server {
        vendor: Vendor::SqlServer,
        hosts: vec![host(&authority, Vendor::SqlServer.port())?],
        instance: instance.map(str::to_owned),
        database: unbraced(&text[name.range.clone()]),
        parameters: properties.iter().map(|(key, _)| (*key).to_owned()).collect(),
        text: text.to_owned(),
        place: Some(Slot::plain(place)),
        name,
    })
}

/// Keys, and where their values stand. A value in braces may hold a semicolon.
fn properties(text: &str, mut at: usize) -> Vec<(&str, Range<usize>)> {
    let mut all = Vec::new();
    while text[at..].starts_with(';') {
        at += 1;
        let equals = text[at..].find(['=', ';']).map_or(text.len(), |equals| at + equals);
        let key = text[at..equals].trim();
        let from = (equals + usize::from(text[equals..].starts_with('='))).min(text.len());
        let brace = if text[from..].starts_with('{') { text[from..].find('}').map_or(0, |brace| brace + 1) } else { 0 };
        let to = text[from + brace..].find(';').map_or(text.len(), |to| from + brace + to);
        if !key.is_empty() {
            all.push((key, from..to));
        }
        at = to;
    }
    all
}

fn unbraced(value: &str) -> String {
    value.strip_prefix('{').and_then(|value| value.strip_suffix('}')).unwrap_or(value).replace("}}", "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str =
        "jdbc:sqlserver://mssql01\\INST1:14330;databaseName=confluence;encrypt=true;trustServerCertificate=false";

    #[test]
    fn instance_port_and_database_are_read_wherever_they_stand() {
        let url = parse(FIXTURE).unwrap();
        assert_eq!(url.location(), "mssql01\\INST1:14330/confluence");
        assert_eq!((url.instance.as_deref(), url.hosts[0].1), (Some("INST1"), 14330));
        let location = |url| parse(url).unwrap().location();
        assert_eq!(location("jdbc:sqlserver://h;encrypt=true;DATABASENAME=c"), "h:1433/c");
        assert_eq!(location("jdbc:sqlserver://h:1;password={a;databaseName=no};database={my; wiki}"), "h:1/my; wiki");
        assert_eq!(location("jdbc:sqlserver://h\\I;databaseName=c"), "h\\I:1433/c");
        assert_eq!(location("jdbc:jtds:sqlserver://h:2/c;instance=I"), "h\\I:2/c");
        assert!(parse("jdbc:sqlserver://;serverName=h").is_none());
    }

    #[test]
    fn a_rewritten_url_names_no_instance_and_keeps_its_properties() {
        let wanted = "jdbc:sqlserver://new:1;databaseName=wiki;encrypt=true;trustServerCertificate=false";
        assert_eq!(parse(FIXTURE).unwrap().pointed_at("new", 1, "wiki").unwrap(), wanted);
        let moved = |url: &str| parse(url).unwrap().pointed_at("n", 1, "a b").unwrap();
        assert_eq!(moved("jdbc:sqlserver://h;encrypt=true"), "jdbc:sqlserver://n:1;databaseName={a b};encrypt=true");
        assert_eq!(moved("jdbc:jtds:sqlserver://h/c;ssl=require"), "jdbc:jtds:sqlserver://n:1/{a b};ssl=require");
    }
}
