//! Grants as people read them: one line each, with everything that a grant says, so that equal lines are equal grants.

use std::{fmt, time::Duration};

use super::{
    Access, DirGrant, EnvValue, Grants, HttpGrant, SqlGrant, TcpGrant, ToolGrant, canonical, http::Credential,
};
use crate::{digest::Digest, secret::Source};

impl Grants {
    /// One line for each grant: `dirs.home /var/lib/app, read`. Secrets by reference only.
    pub fn lines(&self) -> Vec<String> {
        let dirs = self.dirs.iter().map(|(name, grant)| format!("dirs.{name} {grant}"));
        let sql = self.sql.iter().map(|(name, grant)| format!("sql.{name} {grant}"));
        let http = self.http.iter().map(|(name, grant)| format!("http.{name} {grant}"));
        let tcp = self.tcp.iter().map(|(name, grant)| format!("tcp.{name} {grant}"));
        let tools = self.tools.iter().map(|(name, grant)| format!("tools.{name} {grant}"));
        let secrets = self.secrets.iter().map(|(name, source)| format!("secrets.{name} {}", reference(source)));
        dirs.chain(sql).chain(http).chain(tcp).chain(tools).chain(secrets).collect()
    }

    /// The digest of all that they allow.
    pub fn digest(&self) -> Digest {
        canonical::digest(self)
    }
}

impl Access {
    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for DirGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", quoted(&self.path.to_string_lossy()), self.access.word())
    }
}

impl fmt::Display for SqlGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let place = format!("{}://{}@{host}:{}/{}", self.engine.word(), self.user, self.port, self.database);
        write!(f, "{}, sslmode {}", quoted(&place), self.sslmode.word())?;
        if let Some(ca) = &self.ca {
            write!(f, ", authorities {}", quoted(&ca.to_string_lossy()))?;
        }
        if let Some(password) = &self.password {
            write!(f, ", password from {}", reference(password))?;
        }
        timeout(f, self.timeout)
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[String]| items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(" ");
        write!(f, "{}, {} below {}", quoted(&self.url()), list(&self.methods), list(&self.paths))?;
        if let Some(ca) = &self.ca {
            write!(f, ", authorities {}", quoted(&ca.to_string_lossy()))?;
        }
        if let Some(identity) = &self.identity {
            let [certificate, key] = [&identity.certificate, &identity.key].map(|path| path.to_string_lossy());
            write!(f, ", certificate {} with key {}", quoted(&certificate), quoted(&key))?;
        }
        match &self.credential {
            Some(Credential::Basic { user, password }) => {
                write!(f, ", user {} with password from {}", quoted(user), reference(password))?;
            }
            Some(Credential::Bearer(token)) => write!(f, ", bearer from {}", reference(token))?,
            Some(Credential::Header { name, value }) => write!(f, ", header {name} from {}", reference(value))?,
            None => {}
        }
        timeout(f, Some(self.timeout))?;
        write!(f, ", connect-timeout {}", humantime::format_duration(self.connect_timeout))
    }
}

impl fmt::Display for TcpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(ToString::to_string).collect();
        f.write_str(&endpoints.join(" "))?;
        match &self.tls {
            None => f.write_str(", not encrypted")?,
            Some(tls) => {
                f.write_str(", TLS")?;
                if let Some(ca) = &tls.ca {
                    write!(f, ", authorities {}", quoted(&ca.to_string_lossy()))?;
                }
                if let Some(identity) = &tls.identity {
                    let [certificate, key] = [&identity.certificate, &identity.key].map(|path| path.to_string_lossy());
                    write!(f, ", certificate {}, key {}", quoted(&certificate), quoted(&key))?;
                }
                if let Some(name) = &tls.server_name {
                    write!(f, ", server-name {name}")?;
                }
            }
        }
        let [connect, idle] = [self.connect_timeout, self.idle].map(humantime::format_duration);
        write!(f, ", connect-timeout {connect}, idle {idle}")
    }
}

impl fmt::Display for ToolGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argv: Vec<_> = self.argv.iter().map(|argument| quoted(&argument.to_string())).collect();
        f.write_str(&argv.join(" "))?;
        for (name, value) in &self.env {
            match value {
                EnvValue::Text(text) => write!(f, ", {name}={}", quoted(&text.to_string()))?,
                EnvValue::Secret(source) => write!(f, ", {name} from {}", reference(source))?,
                EnvValue::SecretFile(source) => write!(f, ", {name} as a file from {}", reference(source))?,
            }
        }
        if self.offline {
            f.write_str(", offline")?;
        }
        if self.ok_exit != [0] {
            write!(f, ", ok-exit {:?}", self.ok_exit)?;
        }
        timeout(f, self.timeout)
    }
}

fn timeout(f: &mut fmt::Formatter<'_>, timeout: Option<Duration>) -> fmt::Result {
    timeout.map_or(Ok(()), |timeout| write!(f, ", timeout {}", humantime::format_duration(timeout)))
}

/// With a command's arguments: another argument is another secret.
fn reference(source: &Source) -> String {
    match source {
        Source::Command(argv) => {
            let argv: Vec<_> = argv.iter().map(|argument| quoted(argument)).collect();
            format!("command {}", argv.join(" "))
        }
        Source::File(path) => format!("file {}", quoted(&path.to_string_lossy())),
        Source::Env(name) => format!("environment variable {}", quoted(name)),
        Source::Credential(name) => format!("credential {}", quoted(name)),
    }
}

/// In quotes where it would otherwise run into its surroundings.
fn quoted(text: &str) -> String {
    let plain = |char: char| !char.is_control() && !char.is_whitespace() && !matches!(char, '"' | ',' | '\\');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}
