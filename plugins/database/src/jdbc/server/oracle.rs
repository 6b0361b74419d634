//! Oracle's URLs: service, SID, and connect descriptor.

use std::ops::Range;

use super::{Server, Slot, Vendor, host};

/// `jdbc:oracle:thin:[user/password]@` and then `//host[:port]/service`, `host:port:SID`, `host:port/service` or
/// `(DESCRIPTION=…)` with one address. Names that are looked up elsewhere (`tnsnames.ora`, LDAP) cannot be read.
pub(super) fn parse(text: &str) -> Option<Server> {
    let at = text.rfind('@')? + 1;
    let (hosts, database, place, name) =
        if text[at..].starts_with('(') { descriptor(text, at)? } else { easy(text, at)? };
    let query = text[name.range.end..].split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').filter(|one| !one.is_empty());
    Some(Server {
        vendor: Vendor::Oracle,
        hosts: vec![hosts],
        instance: None,
        database,
        parameters: parameters.map(|one| one.split('=').next().unwrap_or(one).to_owned()).collect(),
        text: text.to_owned(),
        place,
        name,
    })
}

type Pieces = ((String, u16), String, Option<Slot>, Slot);

fn easy(text: &str, at: usize) -> Option<Pieces> {
    let from = text[at..].find("//").map_or(at, |slashes| at + slashes + 2);
    let end = text[from..].find('?').map_or(text.len(), |end| from + end);
    let all = &text[from..end];
    // An IPv6 address has colons of its own.
    let address = if all.starts_with('[') { all.find(']')? } else { 0 };
    let cut = match all[address..].find('/') {
        Some(slash) => address + slash,
        // `host:port:SID`
        None if all[address..].matches(':').count() == 2 => all.rfind(':')?,
        None => return None,
    };
    let place = from..from + cut;
    let name = from + cut + 1..end;
    let database = text[name.clone()].to_owned();
    let host = host(&text[place.clone()], Vendor::Oracle.port())?;
    (!database.is_empty()).then(|| (host, database, Some(Slot::plain(place)), Slot::plain(name)))
}

/// Only with a single address: with several, one server is not the site's. It is not rewritten: protocol and security
/// of a descriptor belong to its address.
fn descriptor(text: &str, at: usize) -> Option<Pieces> {
    let address = only(text, at, "ADDRESS", true)?;
    let host_at = only(text, at, "HOST", false)?;
    let port_at = only(text, at, "PORT", false)?;
    let name = only(text, at, "SERVICE_NAME", false).or_else(|| only(text, at, "SID", false))?;
    let host = (text[host_at.clone()].to_owned(), text[port_at.clone()].parse().ok()?);
    let inside = address.start <= host_at.start && host_at.end <= address.end && port_at.end <= address.end;
    let database = text[name.clone()].to_owned();
    inside.then(|| (host, database, None, Slot::plain(name)))
}

/// The value of `(KEY=…)` where it stands once; `nested` values hold further parentheses.
fn only(text: &str, at: usize, key: &str, nested: bool) -> Option<Range<usize>> {
    let upper = text.to_ascii_uppercase();
    let needle = format!("({key}=");
    let mut hits = upper[at..].match_indices(&needle);
    let from = at + hits.next()?.0 + needle.len();
    if hits.next().is_some() {
        return None;
    }
    let mut depth = 0;
    let end = text[from..].find(|character| match character {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth == 0 || !nested => true,
        ')' => {
            depth -= 1;
            false
        }
        _ => false,
    })?;
    Some(from..from + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_sids_and_descriptors_are_read() {
        let location = |url| parse(url).unwrap().location();
        assert_eq!(location("jdbc:oracle:thin:@//ora01.example:1521/CONFPDB"), "ora01.example:1521/CONFPDB");
        assert_eq!(location("jdbc:oracle:thin:u/p@//h/S?a=b"), "h:1521/S");
        assert_eq!(location("jdbc:oracle:thin:@h:1522:SID"), "h:1522/SID");
        assert_eq!(location("jdbc:oracle:thin:@[::1]:1522:SID"), "[::1]:1522/SID");
        assert_eq!(location("jdbc:oracle:thin:@tcps://h:1/S"), "h:1/S");
        let long =
            "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=7))(CONNECT_DATA=(SERVICE_NAME=S)))";
        assert_eq!(location(long), "h:7/S");
        for bad in [
            "jdbc:oracle:thin:@alias",
            "jdbc:oracle:thin:h:1:S",
            &long.replace("(CONN", "(ADDRESS=(HOST=i)(PORT=7))(CONN"),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert_eq!(parse(long).unwrap().pointed_at("n", 1, "T"), None);
        let moved = |url: &str| parse(url).unwrap().pointed_at("n", 1, "T").unwrap();
        assert_eq!(moved("jdbc:oracle:thin:@//h/S?a=b"), "jdbc:oracle:thin:@//n:1/T?a=b");
        assert_eq!(moved("jdbc:oracle:thin:@h:1522:SID"), "jdbc:oracle:thin:@n:1:T");
    }
}
