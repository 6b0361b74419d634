//! Where a repository is: a directory, `sftp:user@host:/path` or `s3:https://host/bucket/prefix`, in restic's words.
//!
//! <https://restic.readthedocs.io/en/stable/030_preparing_a_new_repo.html>

use std::{ffi::OsString, fmt, path::PathBuf, time::Duration};

use super::{
    origin::Origin,
    wrong::{Wrong, wrong},
};
use crate::secret::Source;

/// A place for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A directory that an SSH server shows.
    Sftp(Sftp),
    /// A bucket of a server that speaks S3.
    S3(S3),
}

/// A directory that an SSH server shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sftp {
    /// Who logs in; none: whom ssh's own configuration says.
    pub user: Option<String>,
    /// A name, an address without brackets, or a `Host` of ssh's configuration.
    pub host: String,
    /// None: what ssh's own configuration says.
    pub port: Option<u16>,
    /// A relative one begins where the server puts whoever logs in.
    pub path: String,
}

/// A bucket of a server that speaks S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// The server.
    pub origin: Origin,
    /// The bucket's name.
    pub bucket: String,
    /// What all names in it begin with, without slashes at its ends; may be empty.
    pub prefix: String,
}

/// How a place that is not on this machine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Calls at once.
    pub connections: u16,
    /// Bytes a second; none: as many as there can be.
    pub limit_upload: Option<u64>,
    /// Bytes a second; none: as many as there can be.
    pub limit_download: Option<u64>,
    /// How long a call waits while nothing moves.
    pub timeout: Duration,
    /// How often a call that failed is tried again.
    pub retries: u16,
    /// For SFTP: ssh's configuration; none: the user's and the system's.
    pub ssh_config: Option<PathBuf>,
    /// For S3: PEM file of the authorities that are trusted; none: the system's.
    pub ca: Option<PathBuf>,
    /// For S3.
    pub region: String,
    /// For S3; none: `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<Source>,
    /// For S3; none: `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<Source>,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            connections: 5,
            limit_upload: None,
            limit_download: None,
            timeout: Duration::from_secs(60),
            retries: 5,
            ssh_config: None,
            ca: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
        }
    }
}

impl Place {
    /// Where it is on this machine, if it is.
    pub fn directory(&self) -> Option<&std::path::Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Sftp(_) | Self::S3(_) => None,
        }
    }

    /// Reads what was typed; a path is taken as it is.
    ///
    /// # Errors
    /// Says what is wrong with it, without repeating it: it may hold a password.
    pub fn typed(text: OsString) -> Result<Self, String> {
        let elsewhere = text.to_str().map_or(Ok(None), elsewhere);
        let found = elsewhere.map_err(|Wrong(message, help)| format!("{message}\nhelp: {help}"))?;
        Ok(found.unwrap_or_else(|| Self::Directory(PathBuf::from(text))))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Sftp(sftp) => sftp.fmt(f),
            Self::S3(s3) => s3.fmt(f),
        }
    }
}

impl fmt::Display for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => write!(f, "sftp://{user}{host}:{port}/{}", self.path),
            None => write!(f, "sftp:{user}{host}:{}", self.path),
        }
    }
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3:{}/{}{slash}{}", self.origin, self.bucket, self.prefix)
    }
}

const SFTP_EXAMPLE: &str = "write sftp:USER@HOST:/PATH, or sftp://USER@HOST:PORT//PATH";
const S3_EXAMPLE: &str = "write s3:https://HOST/BUCKET/PREFIX";
const S3_CREDENTIALS: &str =
    "take it out and set access-key-id and secret-access-key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Reads what is no path; none: it is one.
pub(super) fn elsewhere(text: &str) -> Result<Option<Place>, Wrong> {
    if let Some(rest) = text.strip_prefix("sftp:") {
        let sftp = match rest.strip_prefix("//") {
            Some(rest) => sftp_url(rest),
            None => sftp_short(rest),
        };
        return sftp.map(|sftp| Some(Place::Sftp(sftp)));
    }
    if let Some(rest) = text.strip_prefix("s3:") {
        return s3(rest).map(|s3| Some(Place::S3(s3)));
    }
    match text.split_once("://") {
        Some((scheme, _)) if !scheme.contains('/') => {
            let message = format!("repositories at {scheme}:// are not known");
            Err(wrong(message, "write the path of a directory, sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET/PREFIX"))
        }
        _ => Ok(None),
    }
}

/// `user@host:path`, as scp has it.
fn sftp_short(text: &str) -> Result<Sftp, Wrong> {
    let (user, rest) = user_of(text)?;
    let (host, path) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => rest.split_once(':'),
    }
    .ok_or_else(|| wrong("an SFTP repository has no path", SFTP_EXAMPLE))?;
    sftp(user, host, None, path)
}

/// `user@host:port/path`; the path is relative unless it begins with a second slash.
fn sftp_url(text: &str) -> Result<Sftp, Wrong> {
    let (user, rest) = user_of(text)?;
    let (authority, path) =
        rest.split_once('/').ok_or_else(|| wrong("an SFTP repository has no path", SFTP_EXAMPLE))?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("an address lacks its ]", SFTP_EXAMPLE))?;
            (host, rest.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let number = |port: &str| match port.parse() {
        Ok(0) | Err(_) => Err(wrong("an SFTP repository's port is no port", SFTP_EXAMPLE)),
        Ok(port) => Ok(port),
    };
    sftp(user, host, port.map(number).transpose()?, path)
}

/// What is ahead of the @ that comes before the path.
fn user_of(text: &str) -> Result<(Option<&str>, &str), Wrong> {
    let head = text.split('/').next().unwrap_or_default();
    let Some(at) = head.rfind('@') else { return Ok((None, text)) };
    let user = &text[..at];
    if user.contains(':') {
        let help = "take it out: ssh logs in with a key, which its own configuration or an agent names";
        return Err(wrong("an SFTP repository's URL holds a password", help));
    }
    Ok((Some(user), &text[at + 1..]))
}

fn sftp(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Result<Sftp, Wrong> {
    // Neither may be taken for an option of ssh, or for more than one word.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%\\".contains(&byte);
    let is_word = |text: &str| !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain);
    if user.is_some_and(|user| !is_word(&user.replace(['@', '+'], "_"))) {
        return Err(wrong("an SFTP repository's user is none", SFTP_EXAMPLE));
    }
    if !is_word(host) {
        return Err(wrong("an SFTP repository names no host", SFTP_EXAMPLE));
    }
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    if path.is_empty() || path.contains(char::is_control) {
        return Err(wrong("an SFTP repository has no path", SFTP_EXAMPLE));
    }
    Ok(Sftp { user: user.map(str::to_owned), host: host.to_owned(), port, path: path.to_owned() })
}

/// `https://host/bucket/prefix`; without a scheme it is https.
fn s3(text: &str) -> Result<S3, Wrong> {
    let text = text.strip_prefix("//").unwrap_or(text);
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let (origin, path) = Origin::read(&with_scheme, "an S3 repository's URL", S3_EXAMPLE, S3_CREDENTIALS)?;
    let (bucket, prefix) = bucket(&path)?;
    Ok(S3 { origin, bucket, prefix })
}

fn bucket(path: &str) -> Result<(String, String), Wrong> {
    let path = path.trim_matches('/');
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if bucket.len() < 3 || !bucket.bytes().all(plain) {
        return Err(wrong("an S3 repository's URL names no bucket", S3_EXAMPLE));
    }
    let segments = prefix.split('/');
    if !prefix.is_empty() && segments.clone().any(|one| one.is_empty() || !one.bytes().all(plain)) {
        return Err(wrong("a prefix in a bucket is made of letters, digits, - . _ ~ and single slashes", S3_EXAMPLE));
    }
    Ok((bucket.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Place::typed(text.into()).unwrap()
    }

    #[test]
    fn a_place_is_written_as_restic_writes_it_and_printed_as_it_was_read() {
        for (text, printed) in [
            ("/srv/backup", "/srv/backup"),
            ("backup", "backup"),
            ("sftp:backup@nas:/srv/repo", "sftp:backup@nas:/srv/repo"),
            ("sftp:nas:repo/", "sftp:nas:repo"),
            ("sftp:u@[2001:db8::1]:/r", "sftp:u@[2001:db8::1]:/r"),
            ("sftp://backup@nas:2222//srv/repo", "sftp://backup@nas:2222//srv/repo"),
            ("sftp://[::1]:2222/repo", "sftp://[::1]:2222/repo"),
            ("sftp://nas//srv/repo", "sftp:nas:/srv/repo"),
            ("s3:https://s3.example.org/bucket/a/b/", "s3:https://s3.example.org/bucket/a/b"),
            ("s3:s3.amazonaws.com/bucket", "s3:https://s3.amazonaws.com/bucket"),
            ("s3:http://127.0.0.1:9000/bucket", "s3:http://127.0.0.1:9000/bucket"),
            ("s3://nas:9000/bucket", "s3:https://nas:9000/bucket"),
        ] {
            assert_eq!(place(text).to_string(), printed, "{text}");
            assert_eq!(place(&place(text).to_string()), place(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_and_never_repeated() {
        for (text, part) in [
            ("sftp:backup:hunter2@nas:/srv", "holds a password"),
            ("sftp://backup:hunter2@nas/srv", "holds a password"),
            ("sftp:-oProxyCommand=hunter2:/srv", "names no host"),
            ("sftp:-l@nas:/hunter2", "user is none"),
            ("sftp:nas", "has no path"),
            ("sftp:nas:", "has no path"),
            ("sftp://nas:0/hunter2", "is no port"),
            ("sftp://nas:99999/hunter2", "is no port"),
            ("s3:https://id:hunter2@host/bucket", "holds a user or a password"),
            ("s3:https://host/bucket?key=hunter2", "ends in its path"),
            ("s3:https://host", "names no bucket"),
            ("s3:https://host/bucket/a//b", "single slashes"),
            ("s3:ftp://host/bucket", "neither https:// nor http://"),
            ("rest:https://x:hunter2@host/", "are not known"),
        ] {
            let why = Place::typed(text.into()).unwrap_err();
            assert!(why.contains(part) && why.contains("\nhelp: "), "{text}: {why}");
            assert!(!why.contains("hunter2"), "{text}: {why}");
        }
    }
}
