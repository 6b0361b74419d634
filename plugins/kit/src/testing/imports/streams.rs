//! Streams in memory.

use std::{
    cell::{Cell, RefCell},
    io::{Cursor, Read},
    rc::Rc,
};

use crate::{
    Algorithm,
    bindings::strongroom::plugin::types::{Error, ErrorCode},
    testing::{
        fail,
        io::{Pipe, PipeReader, Source, halves, lowered},
    },
};

struct Inner {
    source: Source,
    ahead: Vec<u8>,
}

impl Read for Inner {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.ahead.is_empty() {
            return self.source.read(buffer);
        }
        let count = self.ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        Ok(count)
    }
}

/// A stream, and whether a piece of it is still unread.
pub(crate) struct InputStream {
    inner: Rc<RefCell<Inner>>,
    lent: Rc<Cell<bool>>,
}

/// A piece of a stream; dropping it skips the rest.
struct Piece {
    inner: Rc<RefCell<Inner>>,
    lent: Rc<Cell<bool>>,
    left: u64,
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.borrow_mut().read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(crate::Error::corrupt("the stream ended inside a part of it").into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.lent.set(false);
        let _ = std::io::copy(&mut (&mut *self.inner.borrow_mut()).take(self.left), &mut std::io::sink());
    }
}

impl InputStream {
    pub(crate) fn new(source: impl Read + 'static) -> Self {
        let inner = Inner { source: Box::new(source), ahead: Vec::new() };
        Self { inner: Rc::new(RefCell::new(inner)), lent: Rc::default() }
    }

    pub(crate) fn of(content: Vec<u8>) -> Self {
        Self::new(Cursor::new(content))
    }

    /// Reads from it as from any source.
    pub(crate) fn into_source(self) -> Source {
        Box::new(self)
    }

    /// All of it.
    pub(crate) fn all(&self) -> Result<Vec<u8>, Error> {
        self.free()?;
        let mut all = Vec::new();
        self.inner.borrow_mut().read_to_end(&mut all).map_err(lowered)?;
        Ok(all)
    }

    fn free(&self) -> Result<(), Error> {
        match self.lent.get() {
            true => Err(fail(ErrorCode::Invalid, "a part of this stream is still unread")),
            false => Ok(()),
        }
    }

    pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        self.free()?;
        let mut buffer = vec![0; (max as usize).min(1 << 20)];
        let count = self.inner.borrow_mut().read(&mut buffer).map_err(lowered)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    pub(crate) fn peek(&self, max: u32) -> Result<Vec<u8>, Error> {
        self.free()?;
        let inner = &mut *self.inner.borrow_mut();
        let missing = u64::from(max.min(4 << 20)).saturating_sub(inner.ahead.len() as u64);
        (&mut inner.source).take(missing).read_to_end(&mut inner.ahead).map_err(lowered)?;
        Ok(inner.ahead[..inner.ahead.len().min(max as usize)].to_vec())
    }

    pub(crate) fn take(&self, n: u64) -> Result<Self, Error> {
        self.free()?;
        self.lent.set(true);
        Ok(Self::new(Piece { inner: self.inner.clone(), lent: self.lent.clone(), left: n }))
    }

    pub(crate) fn skip(&self, n: u64) -> Result<u64, Error> {
        self.free()?;
        std::io::copy(&mut (&mut *self.inner.borrow_mut()).take(n), &mut std::io::sink()).map_err(lowered)
    }
}

impl Read for InputStream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inner.borrow_mut().read(buffer)
    }
}

type Done = Box<dyn FnOnce(Vec<u8>) -> Result<(), Error>>;

/// A pipe's writing end, or a file or a list that is made when it is finished.
pub(crate) struct OutputStream {
    pipe: Rc<RefCell<Pipe>>,
    done: RefCell<Option<Done>>,
}

impl OutputStream {
    pub(crate) fn into(done: impl FnOnce(Vec<u8>) -> Result<(), Error> + 'static) -> Self {
        Self { pipe: Rc::default(), done: RefCell::new(Some(Box::new(done))) }
    }

    /// Into a pipe whose reading end somebody has.
    pub(crate) fn to(pipe: Rc<RefCell<Pipe>>) -> Self {
        Self { pipe, done: RefCell::new(None) }
    }

    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Error> {
        self.pipe.borrow_mut().content.extend_from_slice(data);
        Ok(())
    }

    pub(crate) fn splice(&self, source: &InputStream, max: u64) -> Result<u64, Error> {
        let data = source.read(u32::try_from(max).unwrap_or(u32::MAX))?;
        self.write(&data)?;
        Ok(data.len() as u64)
    }

    pub(crate) fn splice_digest(&self, source: &InputStream, n: u64, algorithm: Algorithm) -> Result<Vec<u8>, Error> {
        let data = source.take(n)?.all()?;
        self.write(&data)?;
        Ok(digest(algorithm, InputStream::of(data))?.1)
    }

    pub(crate) fn finish(this: Self) -> Result<(), Error> {
        this.pipe.borrow_mut().finished = true;
        match this.done.take() {
            Some(done) => done(std::mem::take(&mut this.pipe.borrow_mut().content)),
            None => Ok(()),
        }
    }
}

impl Drop for OutputStream {
    fn drop(&mut self) {
        self.pipe.borrow_mut().closed = true;
    }
}

/// As the host has it.
pub(crate) fn digest(algorithm: Algorithm, content: InputStream) -> Result<(u64, Vec<u8>), Error> {
    let all = content.all()?;
    Ok((all.len() as u64, digest_of(algorithm, &all)?))
}

pub(crate) fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    use sha2::Digest;
    Ok(match algorithm {
        Algorithm::Md5 => md5::Md5::digest(bytes).to_vec(),
        Algorithm::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
        Algorithm::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
        Algorithm::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
        Algorithm::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        Algorithm::Crc32c => crc32c(bytes).to_be_bytes().to_vec(),
    })
}

/// Bit by bit (RFC 3720, appendix B.4): tests are short.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

pub(crate) fn tee(source: InputStream) -> Result<(InputStream, InputStream), Error> {
    let (left, right) = halves(source.into_source());
    Ok((InputStream::new(left), InputStream::new(right)))
}

pub(crate) fn from_bytes(data: &[u8]) -> Result<InputStream, Error> {
    Ok(InputStream::of(data.to_vec()))
}

pub(crate) fn concat(parts: Vec<InputStream>) -> Result<InputStream, Error> {
    let nothing: Source = Box::new(std::io::empty());
    Ok(InputStream::new(parts.into_iter().fold(nothing, |all, part| Box::new(all.chain(part)))))
}

pub(crate) fn pipe() -> Result<(OutputStream, InputStream), Error> {
    let pipe: Rc<RefCell<Pipe>> = Rc::default();
    let input = InputStream::new(PipeReader { pipe: pipe.clone(), at: 0 });
    Ok((OutputStream::to(pipe), input))
}
