//! Where a secret comes from, and its value while it is needed: printed, both never show it.

use std::{fmt, io::Read, path::PathBuf, process};

use serde::Serialize;

/// Where the operator keeps a secret. This, never the value, stands in plans and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A file, read when the secret is needed. One trailing line break is not part of it.
    File(PathBuf),
    /// An environment variable of the host's process.
    Env(String),
    /// A program (absolute path and arguments) whose standard output is the secret.
    Command(Vec<String>),
    /// A file of that name in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`).
    Credential(String),
}

/// A secret's value. `Debug` and `Display` print `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Longest secret that is read, in bytes: a certificate chain fits.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Why a secret could not be had. Never holds the value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or the program could not be read.
    #[error("reading the secret from {origin}")]
    Unreadable {
        /// Where it was to come from.
        origin: String,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The variable or the directory of credentials is not there.
    #[error("the secret's environment variable {0} is not set")]
    Unset(String),
    /// The program failed.
    #[error("the secret's command {program:?} ended with {status}")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// How it ended.
        status: process::ExitStatus,
    },
    /// Longer than [`SECRET_BYTES_MAX`], or not UTF-8.
    #[error("the secret from {0} is longer than 64 KiB or not UTF-8")]
    Unusable(String),
}

impl Source {
    /// Reads the secret.
    ///
    /// # Errors
    /// When the place does not exist, cannot be read, or holds no UTF-8 text of at most 64 KiB.
    pub fn resolve(&self) -> Result<Secret, Error> {
        let bytes = match self {
            Self::File(path) => self.read(std::fs::File::open(path).map_err(|cause| self.unreadable(cause))?)?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| Error::Unset("CREDENTIALS_DIRECTORY".to_owned()))?;
                let path = PathBuf::from(directory).join(name);
                self.read(std::fs::File::open(path).map_err(|cause| self.unreadable(cause))?)?
            }
            Self::Env(name) => std::env::var_os(name).ok_or_else(|| Error::Unset(name.clone()))?.into_encoded_bytes(),
            Self::Command(argv) => self.output_of(argv)?,
        };
        let text = String::from_utf8(bytes).map_err(|_| Error::Unusable(self.to_string()))?;
        let text = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
        Ok(Secret(text.to_owned()))
    }

    fn read(&self, reader: impl Read) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        reader.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|cause| self.unreadable(cause))?;
        if bytes.len() as u64 > SECRET_BYTES_MAX {
            return Err(Error::Unusable(self.to_string()));
        }
        Ok(bytes)
    }

    fn output_of(&self, argv: &[String]) -> Result<Vec<u8>, Error> {
        let (program, arguments) = argv.split_first().ok_or_else(|| Error::Unusable(self.to_string()))?;
        let mut child = process::Command::new(program)
            .args(arguments)
            .stdin(process::Stdio::null())
            .stdout(process::Stdio::piped())
            .spawn()
            .map_err(|cause| self.unreadable(cause))?;
        let read = child.stdout.take().map(|stdout| self.read(stdout)).transpose();
        if read.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|cause| self.unreadable(cause))?;
        let bytes = read?.unwrap_or_default();
        if status.success() { Ok(bytes) } else { Err(Error::Command { program: program.clone(), status }) }
    }

    fn unreadable(&self, cause: std::io::Error) -> Error {
        Error::Unreadable { origin: self.to_string(), cause }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("(empty)", String::as_str)),
            Self::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

impl Secret {
    /// Takes a value that was read elsewhere.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that hands it to a server, a child's environment or a plugin.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
    }

    #[test]
    fn one_trailing_line_break_is_not_part_of_a_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "two words \n\n").unwrap();
        assert_eq!(Source::File(file.path().into()).resolve().unwrap().expose(), "two words \n");
    }

    #[test]
    fn a_command_that_fails_gives_no_secret() {
        let failing = Source::Command(vec!["/bin/false".into()]);
        assert!(matches!(failing.resolve(), Err(Error::Command { .. })));
        let endless = Source::Command(vec!["/usr/bin/yes".into()]);
        assert!(matches!(endless.resolve(), Err(Error::Unusable(_))));
    }
}
