//! The head of a request: what a plugin may say in it, and what the host adds.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT},
};

use crate::{
    config::{
        HttpGrant,
        http::{self, Credential as Granted},
    },
    diagnostic::causes,
    sandbox::{fault::Code, native::Error},
    secret::{Secret, Source},
};

/// Most headers that a plugin may set.
const HEADERS_MAX: usize = 64;
/// Longest value of one, in bytes.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// Longest they may be together, in bytes.
const HEADERS_BYTES_MAX: usize = 64 << 10;

/// What the host says of itself where the plugin says nothing.
const AGENT: &str = concat!("strongroom/", env!("CARGO_PKG_VERSION"));

/// A request that the grant allows.
#[derive(Debug)]
pub struct Question {
    pub(super) method: Method,
    /// The whole path with its query.
    pub(super) target: Uri,
    headers: HeaderMap,
    /// How long to wait for the answer's head, if not as long as the grant allows.
    pub(super) timeout: Option<Duration>,
}

/// Why a request is refused before anything is sent: what, and which key of the grant would allow it.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It makes no sense.
    Invalid(String),
    /// Nobody can allow it.
    Reserved(String),
    /// The operator could.
    NotGranted {
        /// What was asked for.
        what: String,
        /// The key.
        key: &'static str,
        /// What it would have to hold.
        values: Vec<String>,
    },
    /// More than the host carries.
    Limit(String),
}

impl Refused {
    fn not_granted(what: String, key: &'static str, granted: &[String], more: &str) -> Self {
        let values = granted.iter().cloned().chain([more.to_owned()]).collect();
        Self::NotGranted { what, key, values }
    }
}

impl Question {
    /// Checks a request against the grant.
    ///
    /// # Errors
    /// What of it is refused.
    pub fn new(
        grant: &HttpGrant,
        method: &str,
        path_and_query: &str,
        headers: &[(String, String)],
        timeout: Option<Duration>,
    ) -> Result<Self, Refused> {
        if !http::is_token(method) {
            return Err(Refused::Invalid(format!("{:?} is no method", clipped(method))));
        }
        if !grant.allows_method(method) {
            let what = format!("method {method}");
            return Err(Refused::not_granted(what, "methods", &grant.methods, method));
        }
        let target = grant.target(path_and_query).map_err(|refused| match refused {
            http::Refused::Invalid(why) => Refused::Invalid(format!("the path {:?}: {why}", clipped(path_and_query))),
            http::Refused::Outside => {
                let path = clipped(path_and_query.split('?').next().unwrap_or_default());
                Refused::not_granted(format!("path {path}"), "paths", &grant.paths, &path)
            }
        })?;
        let invalid = |_| Refused::Invalid(format!("the path {:?} cannot be sent", clipped(path_and_query)));
        Ok(Self {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| Refused::Invalid("the method cannot be sent".into()))?,
            target: target.parse().map_err(invalid)?,
            headers: fields(grant, headers)?,
            timeout,
        })
    }

    /// Whether asking twice does no more than asking once, and nothing at all to the server (RFC 9110 §9.2.1).
    pub(super) fn is_repeatable(&self) -> bool {
        self.method.is_safe()
    }

    /// What goes over the wire.
    pub(super) fn request<B>(
        self,
        grant: &HttpGrant,
        credential: Option<&Credential>,
        body: B,
        length: Option<u64>,
    ) -> Result<Request<B>, Error> {
        let mut request = Request::new(body);
        let authority = HeaderValue::from_str(&grant.origin.authority());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target;
        *request.headers_mut() = self.headers;
        let headers = request.headers_mut();
        headers.insert(HOST, authority.map_err(|_| Error::new(Code::Invalid, "the grant's host cannot be sent"))?);
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(credential) = credential {
            headers.insert(credential.name.clone(), credential.value.clone());
        }
        Ok(request)
    }
}

fn fields(grant: &HttpGrant, given: &[(String, String)]) -> Result<HeaderMap, Refused> {
    if given.len() > HEADERS_MAX {
        return Err(Refused::Limit(format!("{} headers: {HEADERS_MAX} are the most", given.len())));
    }
    if length(given.iter().map(|(name, value)| (&**name, value.as_bytes()))) > HEADERS_BYTES_MAX {
        return Err(Refused::Limit("the headers are longer than 64 KiB together".to_owned()));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let shown = clipped(name);
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refused::Limit(format!("the header {shown:?} is longer than 8 KiB")));
        }
        if !http::is_token(name) {
            return Err(Refused::Invalid(format!("{shown:?} is no header's name")));
        }
        if http::is_reserved_header(name) || is_credentials(grant, name) {
            return Err(Refused::Reserved(format!("the header {shown:?} is the host's to set")));
        }
        // The value is not repeated: it may be what the plugin holds for a secret.
        let unfit =
            || Refused::Invalid(format!("the value of the header {shown:?} holds a control character or is not ASCII"));
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?,
            HeaderValue::from_str(value).map_err(|_| unfit())?,
        );
    }
    Ok(headers)
}

/// Bytes that headers take.
pub(super) fn length<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> usize {
    headers.into_iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Whether the grant's credential travels in that header.
fn is_credentials(grant: &HttpGrant, name: &str) -> bool {
    let same = |own: &str| own.replace('_', "-").eq_ignore_ascii_case(&name.replace('_', "-"));
    matches!(&grant.credential, Some(Granted::Header { name: own, .. }) if same(own))
}

fn clipped(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The header that says who asks.
#[derive(Debug)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
    secrets: Vec<String>,
}

impl Credential {
    /// What must not be seen: the secret, and how it is spelt in the header.
    pub(super) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn new(name: HeaderName, value: &str, secrets: Vec<String>) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value, secrets })
    }
}

/// Reads the grant's secret and makes its header.
pub(super) async fn credential(grant_name: &str, grant: &HttpGrant) -> Result<Option<Credential>, Error> {
    let Some(granted) = &grant.credential else { return Ok(None) };
    let made = match granted {
        Granted::Basic { user, password } => {
            let password = read(grant_name, password).await?;
            let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            let header = format!("Basic {encoded}");
            Credential::new(AUTHORIZATION, &header, vec![password.expose().to_owned(), encoded])
        }
        Granted::Bearer(token) => {
            let token = read(grant_name, token).await?;
            Credential::new(AUTHORIZATION, &format!("Bearer {}", token.expose()), vec![token.expose().to_owned()])
        }
        Granted::Header { name, value } => {
            let value = read(grant_name, value).await?;
            // "ApiKey …": the word before it is no secret, the rest is one by itself.
            let last = value.expose().rsplit(' ').next().unwrap_or_default().to_owned();
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            name.and_then(|name| Credential::new(name, value.expose(), vec![value.expose().to_owned(), last]))
        }
    };
    let unfit = || {
        let why = "the secret holds a line break, another control character, or what is not ASCII";
        Error::new(Code::Invalid, format!("making the credential of grant.http.{grant_name}: {why}"))
    };
    made.map(Some).ok_or_else(unfit)
}

async fn read(grant_name: &str, source: &Source) -> Result<Secret, Error> {
    let doing = format!("reading the credential of grant.http.{grant_name}");
    let source = source.clone();
    let read = tokio::task::spawn_blocking(move || source.resolve()).await;
    read.map_err(|broken| Error::new(Code::Internal, format!("{doing}: {broken}")))?
        .map_err(|cause| Error::new(Code::Unavailable, format!("{doing}: {}", causes(&cause))))
}
