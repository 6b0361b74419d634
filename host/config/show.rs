//! Grants as people read them: one line each, with everything that a grant says, so that equal lines are equal grants.

use std::{fmt, time::Duration};

use super::{Access, DirGrant, EnvValue, Grants, SqlGrant, ToolGrant, canonical};
use crate::{digest::Digest, secret::Source};

impl Grants {
    /// One line for each grant: `dirs.home /var/lib/app, read`. Secrets by reference only.
    pub fn lines(&self) -> Vec<String> {
        let dirs = self.dirs.iter().map(|(name, grant)| format!("dirs.{name} {grant}"));
        let sql = self.sql.iter().map(|(name, grant)| format!("sql.{name} {grant}"));
        let tools = self.tools.iter().map(|(name, grant)| format!("tools.{name} {grant}"));
        let secrets = self.secrets.iter().map(|(name, source)| format!("secrets.{name} {}", reference(source)));
        dirs.chain(sql).chain(tools).chain(secrets).collect()
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
