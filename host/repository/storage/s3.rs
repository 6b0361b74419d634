//! A repository in a bucket of a server that speaks S3, as restic keeps it there.
//!
//! `client` sends requests and reads answers, `answer` says what a refusal means. Each object is written by one request,
//! which carries a digest of it: a server that got less keeps nothing.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/Type_API_Reference.html>

use std::{env, fmt, io, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::StatusCode;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle, actions};

use self::{answer::Answer, client::Client};
use super::{FILE_MAX, FOUND_MAX, Found, Kind, Name, Storage, wire::wait};
use crate::{
    config::{Remote, place},
    digest::{Algorithm, Hasher},
    repository::Error,
    secret::Source,
};

mod answer;
mod client;

/// How long a signed request may be sent for.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// Bytes of a page of a listing: 1000 names.
const PAGE_MAX: u64 = 16 << 20;
/// Pages of one listing.
const PAGES_MAX: usize = FOUND_MAX / 1000;
/// Bytes of an answer that says nothing but how it went.
const WORDS_MAX: u64 = 64 << 10;

/// See the module.
pub(super) struct S3(Arc<Shared>);

struct Shared {
    place: place::S3,
    connections: usize,
    bucket: Bucket,
    credentials: Credentials,
    client: Client,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({})", self.0.place)
    }
}

impl S3 {
    /// Reads the keys; nothing is asked of the server yet.
    pub(super) fn new(place: &place::S3, remote: &Remote) -> Result<Self, Error> {
        let opening = || Error::io(format!("opening {place}"));
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let endpoint = url::Url::parse(&place.origin.to_string()).map_err(|why| opening()(invalid(why.to_string())))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, place.bucket.clone(), remote.region.clone())
            .map_err(|why| opening()(invalid(why.to_string())))?;
        Ok(Self(Arc::new(Shared {
            connections: remote.connections.into(),
            credentials: credentials(remote)?,
            client: Client::new(place, remote),
            place: place.clone(),
            bucket,
        })))
    }

    /// Runs `call`.
    fn on<T, F>(&self, call: impl FnOnce(Arc<Shared>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        wait(call(Arc::clone(&self.0)))
    }

    fn key(&self, name: &Name) -> String {
        self.0.key(&name.path())
    }
}

/// Both from where the pipeline says, or from the environment by the names that everybody uses.
fn credentials(remote: &Remote) -> Result<Credentials, Error> {
    let from = |key: &str, source: &Option<Source>, variable: &str| {
        let reading = || Error::io(format!("reading the repository's {key}"));
        match source {
            Some(source) => match source.resolve() {
                Ok(secret) => Ok(secret.expose().to_owned()),
                Err(why) => Err(reading()(io::Error::other(why))),
            },
            None => env::var(variable).map_err(|_| {
                let help = format!("set {key} in the pipeline file, or {variable}");
                reading()(io::Error::new(io::ErrorKind::InvalidInput, format!("there is none\nhelp: {help}")))
            }),
        }
    };
    let key = from("access-key-id", &remote.access_key_id, "AWS_ACCESS_KEY_ID")?;
    let secret = from("secret-access-key", &remote.secret_access_key, "AWS_SECRET_ACCESS_KEY")?;
    let token = env::var("AWS_SESSION_TOKEN").ok().filter(|_| remote.access_key_id.is_none());
    Ok(match token {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

impl Shared {
    fn key(&self, path: &str) -> String {
        match self.place.prefix.is_empty() {
            true => path.to_owned(),
            false => format!("{}/{path}", self.place.prefix),
        }
    }

    /// Sends what `action` says; its headers are signed with it.
    async fn ask<'a>(
        &'a self,
        mut action: impl S3Action<'a>,
        method: Method,
        signed: &[(&'static str, String)],
        body: Bytes,
        answer_max: u64,
    ) -> io::Result<Answer> {
        signed.iter().for_each(|(name, value)| action.headers_mut().insert(*name, value.clone()));
        let url = action.sign(SIGNED_FOR);
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        self.client.ask(method.to_str(), &target, signed, body, answer_max).await
    }

    async fn get(&self, key: &str, range: Option<(u64, u64)>, max: u64) -> io::Result<Answer> {
        let action = self.bucket.get_object(Some(&self.credentials), key);
        let range = range.map(|(begin, end)| ("range", format!("bytes={begin}-{end}")));
        self.ask(action, Method::Get, range.as_slice(), Bytes::new(), max).await
    }

    async fn read(&self, key: &str) -> io::Result<Vec<u8>> {
        let answer = self.get(key, None, FILE_MAX).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(answer.refusal(&self.place)),
        }
    }

    async fn read_at(&self, key: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let end = offset.saturating_add(length as u64);
        let answer = self.get(key, Some((offset, end - 1)), length as u64 + WORDS_MAX).await?;
        let short = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("the object ends before {end}"));
        match answer.status {
            StatusCode::PARTIAL_CONTENT if answer.begins_at() != Some(offset) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the S3 server answered with another range"))
            }
            StatusCode::PARTIAL_CONTENT if answer.body.len() == length => Ok(answer.body),
            StatusCode::PARTIAL_CONTENT if answer.body.len() < length => Err(short()),
            StatusCode::PARTIAL_CONTENT | StatusCode::OK => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the S3 server does not keep to ranges"))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Err(short()),
            _ => Err(answer.refusal(&self.place)),
        }
    }

    /// `once`: only if there is none of that name yet, where the server can tell.
    async fn write(&self, key: &str, content: Bytes, once: bool) -> io::Result<()> {
        let mut md5 = Hasher::new(Algorithm::Md5);
        md5.update(&content);
        let mut headers = vec![("content-md5", STANDARD.encode(md5.finish()))];
        if once {
            headers.push(("if-none-match", "*".to_owned()));
        }
        loop {
            let action = self.bucket.put_object(Some(&self.credentials), key);
            let answer = self.ask(action, Method::Put, &headers, content.clone(), WORDS_MAX).await?;
            match answer.status {
                StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => return Ok(()),
                // Written by a try whose answer was lost, or by somebody else.
                StatusCode::PRECONDITION_FAILED if once => return self.is_same(key, &content).await,
                StatusCode::NOT_IMPLEMENTED if headers.len() > 1 => headers.truncate(1),
                _ => return Err(answer.refusal(&self.place)),
            }
        }
    }

    async fn is_same(&self, key: &str, content: &[u8]) -> io::Result<()> {
        match self.read(key).await? == content {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is another object of that name")),
        }
    }

    async fn remove(&self, key: &str) -> io::Result<()> {
        let action = self.bucket.delete_object(Some(&self.credentials), key);
        let answer = self.ask(action, Method::Delete, &[], Bytes::new(), WORDS_MAX).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match answer.refusal(&self.place) {
            why if why.kind() == io::ErrorKind::NotFound => Ok(()),
            why => Err(why),
        }
    }

    /// Every name below `prefix`, page by page.
    async fn list(&self, prefix: &str) -> io::Result<Vec<(String, u64)>> {
        let garbled = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the S3 server's listing {why}"));
        let (mut found, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(prefix);
            if let Some(token) = &token {
                action.with_continuation_token(token.clone());
            }
            let answer = self.ask(action, Method::Get, &[], Bytes::new(), PAGE_MAX).await?;
            if answer.status != StatusCode::OK {
                return Err(answer.refusal(&self.place));
            }
            let text = std::str::from_utf8(&answer.body).map_err(|_| garbled("is no text"))?;
            let page =
                actions::ListObjectsV2::parse_response(text).map_err(|why| garbled(&format!("is cut: {why}")))?;
            let sized = page.contents.into_iter().map(|one| Some((one.key, one.size?)));
            found.extend(sized.collect::<Option<Vec<_>>>().ok_or_else(|| garbled("leaves out sizes"))?);
            match page.next_continuation_token {
                None => return Ok(found),
                same if same == token => return Err(garbled("goes in circles")),
                next => token = next,
            }
        }
        Err(garbled("does not end"))
    }
}

/// The file that a key names, if it is one of that kind.
fn file_of(kind: Kind, key: &str) -> Option<String> {
    let (directory, name) = key.rsplit_once('/')?;
    let at_home = kind.has(name) && (kind != Kind::Pack || directory.ends_with(&format!("/{}", &name[..2])));
    at_home.then(|| name.to_owned())
}

impl Storage for S3 {
    /// A bucket has no directories, and making buckets is left to its owner.
    fn create(&self, _kinds: &[Kind]) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        if kind == Kind::Config {
            return Ok(Vec::new());
        }
        let prefix = self.0.key(&format!("{}/", kind.word()));
        let keys = self.on(async move |shared| shared.list(&prefix).await)?;
        let named = keys.into_iter().filter_map(|(key, size)| Some(Found { name: file_of(kind, &key)?, size }));
        Ok(named.collect())
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let key = self.key(name);
        self.on(async move |shared| shared.read(&key).await)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        let (key, length) = (self.key(name), room.len());
        let content = self.on(async move |shared| shared.read_at(&key, offset, length).await)?;
        room.copy_from_slice(&content);
        Ok(())
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let (key, content) = (self.key(name), Bytes::copy_from_slice(content));
        // What is named by its digest may be written twice; these must not take another's place.
        let once = matches!(name.kind, Kind::Config | Kind::Lock);
        self.on(async move |shared| shared.write(&key, content, once).await)
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let key = self.key(name);
        self.on(async move |shared| shared.remove(&key).await)
    }

    /// An object is there whole or not at all.
    fn sweep(&self, _kinds: &[Kind], _untouched: Duration) -> io::Result<u64> {
        Ok(0)
    }

    fn connections(&self) -> usize {
        self.0.connections
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn place(&self) -> PathBuf {
        self.0.place.to_string().into()
    }
}
