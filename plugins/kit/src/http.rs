//! Requests to granted web services. The host adds the credentials; the plugin never holds them.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, InputStream, Result, host::http as host, streams};

/// A granted service.
pub struct Service(host::Service);

/// The service that was granted under that name. Connects to nothing yet.
///
/// # Errors
/// `denied` when it is not granted.
pub fn get(grant: &str) -> Result<Service> {
    Ok(Service(host::get(grant)?))
}

impl Service {
    /// Asks for what is at a path, relative to the granted URL, and waits for the answer's head.
    ///
    /// ```
    /// use strongroom_plugin::{http, testing::Host};
    ///
    /// let host = Host::new().answer("search", "GET", "/wiki/_count", 200, r#"{ "count": 7 }"#);
    /// let search = http::get("search")?;
    /// let answer: serde_json::Value = search.get("/wiki/_count")?.error_for_status()?.json(1 << 20)?;
    /// assert_eq!(answer["count"], 7);
    /// assert_eq!(host.requests()[0].path, "/wiki/_count");
    /// # Ok::<(), strongroom_plugin::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn get(&self, path_and_query: impl Into<String>) -> Result<Response> {
        self.request("GET", path_and_query).send()
    }

    /// A request about to be sent.
    pub fn request(&self, method: impl Into<String>, path_and_query: impl Into<String>) -> Request<'_> {
        Request {
            service: self,
            method: method.into(),
            path_and_query: path_and_query.into(),
            headers: Vec::new(),
            timeout_ms: None,
            body: None,
        }
    }
}

/// A request about to be sent.
#[must_use = "nothing is asked before it is sent"]
pub struct Request<'a> {
    service: &'a Service,
    method: String,
    path_and_query: String,
    headers: Vec<(String, String)>,
    timeout_ms: Option<u32>,
    body: Option<InputStream>,
}

impl Request<'_> {
    /// One more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// One more parameter of the query; encoded here.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.path_and_query.push(if self.path_and_query.contains('?') { '&' } else { '?' });
        self.path_and_query.push_str(&format!("{}={}", encoded(name), encoded(value)));
        self
    }

    /// How long to wait for the answer's head; no longer than the grant says.
    pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
        self.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// What it carries. The bytes stay in the host.
    pub fn body(mut self, content: InputStream) -> Self {
        self.body = Some(content);
        self
    }

    /// Carries `value` as JSON.
    ///
    /// # Errors
    /// `invalid` when it cannot be JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let content = streams::from_bytes(&serde_json::to_vec(value)?)?;
        Ok(self.header("Content-Type", "application/json").body(content))
    }

    /// Sends it, and waits for the head of the answer.
    ///
    /// # Errors
    /// As [`Self::start`] and [`Exchange::wait`].
    pub fn send(self) -> Result<Response> {
        self.start()?.wait()
    }

    /// Sends it while the plugin goes on: for a body that the plugin itself writes into a pipe.
    ///
    /// # Errors
    /// `denied` for a method or path that is not granted, or a header that is the host's to set; `invalid` for what
    /// makes no sense.
    pub fn start(self) -> Result<Exchange> {
        let request = host::Request {
            method: self.method,
            path_and_query: self.path_and_query,
            headers: self.headers,
            timeout_ms: self.timeout_ms,
            attributes: Vec::new(),
        };
        let doing = format!("{} {}", request.method, request.path_and_query);
        let exchange = self.service.0.start(&request, self.body.map(|body| body.0))?;
        Ok(Exchange { exchange, doing })
    }
}

/// A request under way. Dropping it breaks it off.
pub struct Exchange {
    exchange: host::Exchange,
    doing: String,
}

impl Exchange {
    /// Waits for the head of the answer, whatever its status.
    ///
    /// # Errors
    /// `unavailable`, `timeout`, `denied` when the server's certificate is not trusted; what ended the request's body.
    pub fn wait(self) -> Result<Response> {
        Ok(Response { response: host::Exchange::wait(self.exchange)?, doing: self.doing })
    }
}

/// An answer whose head has come.
pub struct Response {
    response: host::Response,
    doing: String,
}

/// What of an error's text goes into a message.
const EXCERPT_BYTES_MAX: u32 = 500;

impl Response {
    /// 200 and the like. Redirects are not followed.
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// All headers, their names in lower case.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.response.headers()
    }

    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Insists on a status from 200 to 299; else an error with the beginning of what the server said.
    ///
    /// # Errors
    /// `not-found` for 404, `denied` for 401 and 403, `exists` for 409, `unavailable` (worth another try) for 408, 429 and
    /// from 500 on, `other`.
    pub fn error_for_status(self) -> Result<Self> {
        let status = self.status();
        if (200..300).contains(&status) {
            return Ok(self);
        }
        let doing = self.doing.clone();
        let said = self.body().peek(EXCERPT_BYTES_MAX).unwrap_or_default();
        let message = format!("{doing}: the server answered {status}: {}", String::from_utf8_lossy(&said).trim());
        Err(match status {
            404 => Error::not_found(message),
            401 | 403 => Error::denied(message),
            409 => Error::exists(message),
            408 | 429 | 500.. => Error::unavailable(message).retryable(),
            _ => Error::other(message),
        })
    }

    /// What follows the head.
    pub fn body(self) -> InputStream {
        InputStream(host::Response::body(self.response))
    }

    /// The body as text.
    ///
    /// # Errors
    /// `limit` when it is longer than `bytes_max`; `corrupt` when it is not UTF-8 or not whole.
    pub fn text(self, bytes_max: usize) -> Result<String> {
        self.body().text(bytes_max)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// As [`Self::text`]; `corrupt` when it is not the JSON that was expected.
    pub fn json<T: DeserializeOwned>(self, bytes_max: usize) -> Result<T> {
        let doing = self.doing.clone();
        let bytes = self.body().bytes(bytes_max)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::corrupt(format!("reading the answer to {doing}: {error}")))
    }
}

/// Text as one segment of a path, or as a name or value of a query: what is not plain is percent-encoded.
///
/// ```
/// assert_eq!(strongroom_plugin::http::encoded("a b/ä"), "a%20b%2F%C3%A4");
/// ```
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(letter).collect()
}
