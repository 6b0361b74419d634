//! Connections to granted services, with TLS done by the host.

use std::time::Duration;

use crate::{InputStream, OutputStream, Result, host::tcp as host};

/// A granted service.
pub struct Service(host::Service);

/// The service that was granted under that name.
///
/// # Errors
/// `denied` when it is not granted.
pub fn get(grant: &str) -> Result<Service> {
    Ok(Service(host::get(grant)?))
}

impl Service {
    /// `host:port` each, as granted.
    pub fn endpoints(&self) -> Vec<String> {
        self.0.endpoints()
    }

    /// A connection to one of the endpoints, `host:port`: what the service says, and what it is told. Keep the output
    /// until the last answer has come: dropping it before [`finish`](OutputStream::finish) aborts the connection.
    ///
    /// ```
    /// use std::io::Write;
    /// use strongroom_plugin::{tcp, testing::Host};
    ///
    /// let _host = Host::new().service("broker", "broker-0:9092", |heard| heard.drain(..).rev().collect());
    /// let broker = tcp::get("broker")?;
    /// let (input, mut output) = broker.connect(&broker.endpoints()[0])?;
    /// output.write_all(b"abc")?;
    /// assert_eq!(input.read_chunk(3)?, b"cba");
    /// # Ok::<(), strongroom_plugin::Error>(())
    /// ```
    ///
    /// # Errors
    /// `denied` for any other endpoint and for a server that is not trusted, `unavailable` when nobody answers. Reading
    /// and writing fail with `timeout` when nothing moves for as long as the grant allows.
    pub fn connect(&self, endpoint: &str) -> Result<(InputStream, OutputStream)> {
        self.open(endpoint, None)
    }

    /// The same, and nothing need move for `idle` at most; the grant may say less.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_with_idle(&self, endpoint: &str, idle: Duration) -> Result<(InputStream, OutputStream)> {
        self.open(endpoint, Some(u32::try_from(idle.as_millis()).unwrap_or(u32::MAX)))
    }

    fn open(&self, endpoint: &str, idle_ms: Option<u32>) -> Result<(InputStream, OutputStream)> {
        let (input, output) = self.0.connect(endpoint, idle_ms)?;
        Ok((InputStream(input), OutputStream(output)))
    }
}
