//! Connects to granted endpoints: a name is looked up once, what it stands for is checked, and just that is connected to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    net::TcpStream,
    time::{self, Instant},
};
use tokio_rustls::TlsConnector;

use super::{
    fault::Code,
    native::Error,
    stream::socket::Wire,
    tls::{self, ServerName},
};
use crate::{
    config::{Endpoint, TcpGrant, TcpTls},
    diagnostic::causes,
};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// What is connected to, and as what it was granted.
pub struct Target<'a> {
    /// The grant's name.
    pub name: &'a str,
    /// The grant.
    pub grant: &'a TcpGrant,
    /// One of its endpoints.
    pub endpoint: &'a Endpoint,
}

/// The addresses that a name stands for, as the system knows them.
///
/// # Errors
/// What the system's resolver says.
pub async fn look_up(endpoint: &Endpoint) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

impl Target<'_> {
    /// Connects, and speaks TLS where the grant says so. `look_up` is asked at most once.
    ///
    /// # Errors
    /// `unavailable` (worth another try) when nobody answers in time or the name is unknown, `denied` for an address
    /// that was not meant and a server that is not trusted, `invalid` for a certificate file that cannot be used.
    pub async fn connect(
        &self,
        look_up: impl AsyncFnOnce(&Endpoint) -> io::Result<Vec<IpAddr>>,
    ) -> Result<Wire, Error> {
        let limit = self.grant.connect_timeout;
        let deadline = Instant::now() + limit;
        match time::timeout_at(deadline, self.dial(deadline, look_up)).await {
            Ok(connected) => connected,
            Err(_) => {
                let limit = humantime::format_duration(limit);
                let message = format!("{}: not done within {limit} (connect-timeout)", self.doing());
                Err(Error::passing(Code::Unavailable, message))
            }
        }
    }

    async fn dial(
        &self,
        deadline: Instant,
        look_up: impl AsyncFnOnce(&Endpoint) -> io::Result<Vec<IpAddr>>,
    ) -> Result<Wire, Error> {
        let addresses = match self.endpoint.address() {
            Some(address) => vec![address],
            None => look_up(self.endpoint).await.map_err(|cause| self.unreached(&cause))?,
        };
        let addresses = self.meant(&addresses)?;
        let tls = match &self.grant.tls {
            Some(tls) => Some(self.encryption(tls).await?),
            None => None,
        };
        let stream = self.first(&addresses, deadline).await.map_err(|cause| self.unreached(&cause))?;
        // What is written are whole requests.
        stream.set_nodelay(true).map_err(|cause| self.unreached(&cause))?;
        let Some((connector, name)) = tls else { return Ok(Wire::Plain(stream)) };
        let encrypted = connector.connect(name, stream).await.map_err(|cause| self.not_trusted(&cause))?;
        Ok(Wire::Tls(Box::new(encrypted)))
    }

    /// Those among the addresses that were meant when the name was granted: a name in other hands must not reach what
    /// only this machine can.
    fn meant(&self, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, Error> {
        let mut refused = None;
        let mut meant = Vec::new();
        for address in addresses.iter().map(IpAddr::to_canonical).take(ADDRESSES_MAX) {
            match own(address).filter(|_| !self.grants(address)) {
                Some(kind) => refused = Some((address, kind)),
                None => meant.push(SocketAddr::new(address, self.endpoint.port)),
            }
        }
        match (meant.is_empty(), refused) {
            (false, _) => Ok(meant),
            (true, None) => Err(self.unreached(&io::Error::other("the name has no address"))),
            (true, Some((address, kind))) => {
                let literal = Endpoint { host: address.to_string(), port: self.endpoint.port };
                Err(Error::new(
                    Code::Denied,
                    format!(
                        "{}: the name stands for the {kind} address {address}; if that is meant, add {:?} to the endpoints of grant.tcp.{}",
                        self.doing(),
                        literal.to_string(),
                        self.name
                    ),
                ))
            }
        }
    }

    /// Whether an address of that kind was meant: it is granted as such, or `localhost` is what was asked for.
    fn grants(&self, address: IpAddr) -> bool {
        let literal = |granted: &Endpoint| {
            granted.port == self.endpoint.port && granted.address().is_some_and(|own| own.to_canonical() == address)
        };
        (self.endpoint.host == "localhost" && address.is_loopback()) || self.grant.endpoints.iter().any(literal)
    }

    /// The first that accepts. Each has its share of the time that is left.
    async fn first(&self, addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for (index, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / (addresses.len() - index) as u32;
            match time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(cause)) => last = cause,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    async fn encryption(&self, grant: &TcpTls) -> Result<(TlsConnector, ServerName<'static>), Error> {
        let connector = tls::connector(&self.doing(), grant.ca.clone(), grant.identity.clone()).await?;
        let name = grant.server_name.as_ref().unwrap_or(&self.endpoint.host).clone();
        let name = ServerName::try_from(name)
            .map_err(|cause| Error::new(Code::Invalid, format!("{}: {cause}: set server-name", self.doing())))?;
        Ok((connector, name))
    }

    fn doing(&self) -> String {
        format!("connecting to {} (tcp {:?})", self.endpoint, self.name)
    }

    fn unreached(&self, cause: &io::Error) -> Error {
        Error::passing(Code::Unavailable, format!("{}: {}", self.doing(), causes(cause)))
    }

    fn not_trusted(&self, cause: &io::Error) -> Error {
        match cause.kind() {
            io::ErrorKind::InvalidData => {
                let message = format!("{}: {}: check tls in grant.tcp.{}", self.doing(), causes(cause), self.name);
                Error::new(Code::Denied, message)
            }
            _ => self.unreached(cause),
        }
    }
}

/// What an address is called that means this machine, its link, or nobody in particular (IANA's special-purpose
/// address registries).
fn own(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => own_v4(address),
        IpAddr::V6(address) => translated(address).map_or_else(|| own_v6(address), own_v4),
    }
}

fn own_v4(address: Ipv4Addr) -> Option<&'static str> {
    match () {
        () if address.is_loopback() => Some("loopback"),
        () if address.octets()[0] == 0 => Some("unspecified"),
        () if address.is_link_local() => Some("link-local"),
        () if address.is_multicast() => Some("multicast"),
        () if address.is_broadcast() => Some("broadcast"),
        () => None,
    }
}

fn own_v6(address: Ipv6Addr) -> Option<&'static str> {
    match () {
        () if address.is_loopback() => Some("loopback"),
        () if address.is_unspecified() => Some("unspecified"),
        () if address.is_unicast_link_local() => Some("link-local"),
        () if address.is_multicast() => Some("multicast"),
        () => None,
    }
}

/// The IPv4 address in one that a gateway translates (RFC 6052, `64:ff9b::/96`).
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
