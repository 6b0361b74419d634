//! Services of `tcp` grants: endpoints as `host:port`, and how TLS is spoken with them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::Duration,
};

use serde::{Serialize, Serializer};

use super::{ClientCertificate, seconds_of};

/// Longest host name, in bytes (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest piece of one between two dots.
const LABEL_BYTES_MAX: usize = 63;

/// A service that is spoken to over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcpGrant {
    /// What may be connected to, in the order of the file.
    pub endpoints: Vec<Endpoint>,
    /// How the connection is encrypted; none: not at all.
    pub tls: Option<TcpTls>,
    /// How long it may take until bytes can flow: look-up, connection and TLS.
    #[serde(serialize_with = "seconds_of")]
    pub connect_timeout: Duration,
    /// How long a read or a write may move nothing.
    #[serde(serialize_with = "seconds_of")]
    pub idle: Duration,
}

/// TLS by the host. The server's certificate is always checked, and that it names the endpoint's host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcpTls {
    /// PEM file of the authorities that are trusted; none: the system's.
    pub ca: Option<PathBuf>,
    /// What the host shows of itself, if the server wants to know.
    pub identity: Option<ClientCertificate>,
    /// The name that the server's certificate must bear; none: the endpoint's host.
    pub server_name: Option<String>,
}

/// A host and a port. The host is in lower case, an address in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name, or an address without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("it lacks a port")?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0);
        Ok(Self { host: host_of(host)?, port: port.ok_or("its port is no number from 1 to 65535")? })
    }

    /// The address that it is written as, unless it is a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

fn host_of(text: &str) -> Result<String, String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address: Result<Ipv6Addr, _> = inner.parse();
        return address.map(|address| address.to_string()).map_err(|_| "no IPv6 address is in the brackets".into());
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    if text.contains(':') {
        return Err("an IPv6 address stands in brackets".into());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(plain);
    if text.len() > HOST_BYTES_MAX || !text.split('.').all(label) {
        return Err("its host is no name of letters, digits, `-`, `_` and dots between them".into());
    }
    // "127.1", "0x7f000001" and "2130706433" are addresses to a system's resolver (inet_aton).
    let last = text.rsplit('.').next().unwrap_or(text).to_ascii_lowercase();
    if last.starts_with(|first: char| first.is_ascii_digit()) && (last.starts_with("0x") || last.parse::<u64>().is_ok())
    {
        return Err("its host is neither a name nor an address of four numbers".into());
    }
    Ok(text.to_ascii_lowercase())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_one_spelling() {
        for (written, meant) in [
            ("Broker-0.Example.org:9092", "broker-0.example.org:9092"),
            ("[2001:DB8:0:0::1]:9092", "[2001:db8::1]:9092"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("a_b:65535", "a_b:65535"),
        ] {
            assert_eq!(Endpoint::parse(written).map(|endpoint| endpoint.to_string()), Ok(meant.to_owned()));
        }
    }

    #[test]
    fn what_is_no_endpoint_or_an_address_in_disguise_is_refused() {
        for bad in [
            "broker",
            ":9092",
            "broker:",
            "broker:0",
            "broker:65536",
            "broker:+1",
            "a..b:1",
            "a.:1",
            "ä:1",
            "a b:1",
            "::1:9092",
            "[::1%eth0]:1",
            "[127.0.0.1]:1",
            "127.1:1",
            "0x7f000001:1",
            "2130706433:1",
            "a/b:1",
            "127.0.0.0x1:1",
            "user@host:1",
            "a\0:1",
            &format!("{}:1", "a".repeat(64)),
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
