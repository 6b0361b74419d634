//! The zip in a sealed set: any stretch of it, whether the set is the zip or has it encrypted.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use age::stream::StreamReader;

use super::{
    cipher::Keys,
    home::{Blob, Sealed, fill_at},
};
use crate::repository::Error;

/// Readers of one encrypted set that are kept for the next who asks.
const IDLE_MAX: usize = 32;
/// Bytes that the header of an age file may take: one for each recipient of 64 takes less than 10 KiB.
const HEADER_MAX: u64 = 64 << 10;
/// Bytes that age encrypts as one piece.
const PIECE: u64 = 64 << 10;

/// See the module.
pub(super) enum Source {
    /// The set is the zip.
    Clear(Blob),
    /// The set is an age file of it.
    Encrypted(Encrypted),
}

/// Each reader decrypts a piece at a time, so that many can read at once, and one after the other.
pub(super) struct Encrypted {
    file: Arc<Blob>,
    keys: Keys,
    length: u64,
    idle: Mutex<Vec<Reader>>,
}

/// Decrypts what comes next from where it is.
struct Reader {
    at: u64,
    stream: StreamReader<BufReader<Raw>>,
}

impl Source {
    /// Reads the set `sealed`, which was opened as `file`.
    pub(super) fn new(file: Blob, sealed: &Sealed, keys: &Keys) -> Result<Self, Error> {
        if !sealed.is_encrypted() {
            return Ok(Self::Clear(file));
        }
        let path = sealed.path();
        if !keys.has_identity() {
            return Err(Error::Refused(format!(
                "{} is encrypted, and no identity is given\nhelp: pass --identity FILE, or write identity = {{ file = \
                 \"…\" }} in [repository.NAME]",
                path.display()
            )));
        }
        Encrypted::open(file, keys.clone()).map(Self::Encrypted).map_err(|cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => Error::Refused(format!("{}: {cause}", path.display())),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Error::Damaged(format!("{}: it is not a whole age file: {cause}", path.display()))
            }
            _ => Error::io(format!("opening {}", path.display()))(cause),
        })
    }

    /// Bytes of the zip.
    pub(super) fn length(&self) -> io::Result<u64> {
        match self {
            Self::Clear(file) => file.length(),
            Self::Encrypted(set) => Ok(set.length),
        }
    }

    /// As [`std::os::unix::fs::FileExt::read_at`].
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::Clear(file) => file.read_at(buffer, at),
            Self::Encrypted(set) => set.read_at(buffer, at),
        }
    }

    /// As [`std::os::unix::fs::FileExt::read_exact_at`].
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        fill_at(buffer, at, |buffer, at| self.read_at(buffer, at))
    }
}

impl Encrypted {
    /// Its header, and its end: a file that was cut is refused here.
    fn open(file: Blob, keys: Keys) -> io::Result<Self> {
        let file = Arc::new(file);
        check_header(Raw { file: file.clone(), at: 0 })?;
        let mut stream = keys.reader(Raw { file: file.clone(), at: 0 })?;
        let length = stream.seek(SeekFrom::End(0))?;
        Ok(Self { file, keys, length, idle: Mutex::default() })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX));
        if count == 0 {
            return Ok(0);
        }
        let mut reader = self.reader(at)?;
        let count = reader.stream.read(&mut buffer[..count])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reader.at = at + count as u64;
        // One that failed is not kept: nobody knows where it is.
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(reader);
        }
        Ok(count)
    }

    /// A reader at this place: best one that stands there, then one that has its piece, then any.
    fn reader(&self, at: u64) -> io::Result<Reader> {
        let spare = {
            let mut idle = self.idle();
            let there = idle.iter().position(|reader| reader.at == at);
            let near = || idle.iter().position(|reader| reader.at / PIECE == at / PIECE);
            match there.or_else(near) {
                Some(index) => Some(idle.swap_remove(index)),
                None if idle.len() >= IDLE_MAX / 2 => idle.pop(),
                None => None,
            }
        };
        let mut reader = match spare {
            Some(reader) => reader,
            None => Reader { at: 0, stream: self.keys.reader(Raw { file: self.file.clone(), at: 0 })? },
        };
        if reader.at != at {
            reader.stream.seek(SeekFrom::Start(at))?;
        }
        Ok(reader)
    }
}

/// Refuses a header that does not end soon: it would be read into memory as a whole.
fn check_header(file: Raw) -> io::Result<()> {
    let mut header = Vec::new();
    file.take(HEADER_MAX).read_to_end(&mut header)?;
    let ends = header.windows(4).any(|window| window == b"\n---");
    match header.starts_with(b"age-encryption.org/v1\n") && ends {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin as one does")),
    }
}

/// The encrypted file from a place of its own.
struct Raw {
    file: Arc<Blob>,
    at: u64,
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Raw {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.length()?.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
