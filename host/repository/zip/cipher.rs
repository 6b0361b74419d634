//! Encrypted sets: an age file (<https://age-encryption.org/v1>) whose content is the zip.
//!
//! An age file is only ever appended to: a piece that was written again would use a nonce twice. So what is not final
//! yet waits in a [`Scrap`], which is an age file to a key that only this process knows, and dies with it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, Write},
    iter,
    sync::Arc,
};

use age::{
    Decryptor, Encryptor,
    stream::{StreamReader, StreamWriter},
    x25519::Identity,
};

use crate::{config::recipient::Recipient, secret::Secret};

/// To whom sets are encrypted, and what opens them. Shows neither.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) recipients: Vec<Recipient>,
    identities: Arc<Vec<Identity>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} recipients, {} identities)", self.recipients.len(), self.identities.len())
    }
}

/// Why a text is no file of identities. Says at which line, never what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// No line holds one.
    #[error("it holds no age identity: expected a line `AGE-SECRET-KEY-1…`, as `age-keygen` writes it")]
    None,
    /// A line that is neither an identity nor a comment.
    #[error("line {0} is no age identity: expected `AGE-SECRET-KEY-1…`, as `age-keygen` writes it")]
    Line(usize),
}

impl Keys {
    /// Takes the identities of a file as `age-keygen` writes it: one a line, with comments.
    pub(super) fn open_with(&mut self, text: &Secret) -> Result<(), BadIdentity> {
        let lines = text.expose().lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let parse = |(index, line): (usize, &str)| line.parse().map_err(|_| BadIdentity::Line(index + 1));
        let identities: Vec<Identity> = lines.map(parse).collect::<Result<_, _>>()?;
        if identities.is_empty() {
            return Err(BadIdentity::None);
        }
        self.identities = Arc::new(identities);
        Ok(())
    }

    /// Whether anything could be opened.
    pub(super) fn has_identity(&self) -> bool {
        !self.identities.is_empty()
    }

    /// What reads an encrypted file from its begin.
    pub(super) fn reader<R: Read>(&self, file: R) -> io::Result<StreamReader<BufReader<R>>> {
        let identities = self.identities.iter().map(|identity| identity as &dyn age::Identity);
        Decryptor::new_buffered(BufReader::new(file)).and_then(|age| age.decrypt(identities)).map_err(|why| match why {
            age::DecryptError::Io(cause) => cause,
            age::DecryptError::NoMatchingKeys => io::Error::new(io::ErrorKind::PermissionDenied, WRONG_KEY),
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        })
    }
}

/// What is said when none of the identities fits.
const WRONG_KEY: &str = "it is encrypted to others: none of the given identities opens it";

/// A set that is being encrypted while it grows at its end.
pub(super) struct CipherFile(StreamWriter<File>);

impl CipherFile {
    pub(super) fn begin(file: File, recipients: &[Recipient]) -> io::Result<Self> {
        encryptor(recipients.iter().map(|recipient| recipient.key() as &dyn age::Recipient))?
            .wrap_output(file)
            .map(Self)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes its last piece, without which nobody takes it for whole.
    pub(super) fn end(self) -> io::Result<File> {
        self.0.finish()
    }
}

fn encryptor<'a>(recipients: impl Iterator<Item = &'a dyn age::Recipient>) -> io::Result<Encryptor> {
    Encryptor::with_recipients(recipients).map_err(io::Error::other)
}

/// A file beside the set that nobody else can read, and we only once, from its begin.
pub(super) struct Scrap {
    key: Identity,
    file: StreamWriter<File>,
}

impl Scrap {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let key = Identity::generate();
        let file = encryptor(iter::once(&key.to_public() as &dyn age::Recipient))?.wrap_output(file)?;
        Ok(Self { key, file })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// All that was appended.
    pub(super) fn read(self) -> io::Result<impl Read> {
        let keys = Keys { recipients: Vec::new(), identities: Arc::new(vec![self.key]) };
        let mut file = self.file.finish()?;
        file.rewind()?;
        keys.reader(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_identities_is_named_by_line_and_never_shown() {
        let key = Identity::generate().to_string();
        let key = age::secrecy::ExposeSecret::expose_secret(&key);
        let text = |text: String| Keys::default().open_with(&Secret::new(text));
        assert_eq!(text(format!("# created: today\n\n{key}\n")), Ok(()));
        assert_eq!(text(format!("{key}\n{}x", key.replace('1', "2"))), Err(BadIdentity::Line(2)));
        assert_eq!(text("# nothing\n".into()), Err(BadIdentity::None));
        let mut keys = Keys::default();
        keys.open_with(&Secret::new(key)).unwrap();
        assert_eq!(format!("{keys:?}"), "Keys(0 recipients, 1 identities)");
    }

    #[test]
    fn a_scrap_gives_back_what_it_took_and_shows_none_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scrap");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let text = b"the password is hunter2 ".repeat(20_000);
        let mut scrap = Scrap::new(file).unwrap();
        text.chunks(1000).for_each(|piece| scrap.append(piece).unwrap());
        let mut back = Vec::new();
        scrap.read().unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
        let written = std::fs::read(&path).unwrap();
        assert!(written.len() > text.len() && !written.windows(7).any(|window| window == b"hunter2"));
    }
}
