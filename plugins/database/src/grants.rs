//! What the operator granted, as paths and addresses that a configuration file can hold.

use strongroom_plugin::{Result, context, sql};

/// Whether something of that name was granted.
pub fn has(capability: &str, name: &str) -> bool {
    context::grants().find(capability, name).is_some()
}

/// Directory grants of that name, and of those that begin with it and `-`.
pub fn many(name: &str) -> Vec<String> {
    context::grants().dirs().map(|granted| granted.name).filter(|granted| is_one_of(granted, name)).collect()
}

/// Whether a grant or a part is `name` or begins with it and `-`.
pub fn is_one_of(granted: &str, name: &str) -> bool {
    granted.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The path of a granted directory on this machine.
pub fn path(name: &str) -> Option<String> {
    let grants = context::grants();
    shown_path(&grants.find("dirs", name)?.display)
}

/// The path in `/var/lib/x, read`.
fn shown_path(display: &str) -> Option<String> {
    let path = [", read", ", write"].iter().find_map(|access| display.strip_suffix(access)).unwrap_or(display);
    path.starts_with('/').then(|| match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    })
}

/// Where a granted database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name, address, or directory of a socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub name: String,
}

impl Address {
    /// That of a granted database.
    ///
    /// # Errors
    /// `denied` when it is not granted.
    pub fn granted(name: &str) -> Result<Option<Self>> {
        Ok(Self::parse(&sql::get(name)?.location()))
    }

    fn parse(location: &str) -> Option<Self> {
        let (place, name) = location.rsplit_once('/')?;
        let (host, port) = place.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: port.parse().ok()?, name: name.to_owned() })
    }

    /// `host:port/name`
    pub fn location(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}/{}", self.host, self.port, self.name),
            false => format!("{}:{}/{}", self.host, self.port, self.name),
        }
    }
}

/// The role that a granted database logs in as.
///
/// # Errors
/// `denied` when it is not granted.
pub fn database_user(name: &str) -> Result<String> {
    Ok(sql::get(name)?.user())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_are_read_back() {
        assert_eq!(shown_path("/var/a b, read").as_deref(), Some("/var/a b"));
        assert_eq!(shown_path("/var/a/, write").as_deref(), Some("/var/a"));
        assert_eq!(shown_path("/var/a").as_deref(), Some("/var/a"));
        assert_eq!(shown_path("somewhere"), None);
    }

    #[test]
    fn addresses_are_read_from_locations() {
        let address = |text| Address::parse(text).unwrap();
        assert_eq!(address("[::1]:5432/d").host, "::1");
        assert_eq!(address("[::1]:5432/d").location(), "[::1]:5432/d");
        assert_eq!(address("/run/postgresql:5432/d").host, "/run/postgresql");
        assert_eq!(Address::parse("nonsense"), None);
    }
}
