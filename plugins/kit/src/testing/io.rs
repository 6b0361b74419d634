//! Scripted streams: everything is in memory, and nothing is read before it is asked for.

use std::{
    cell::RefCell,
    io::{Cursor, Read},
    rc::Rc,
};

use crate::bindings::strongroom::plugin::types::{Error as Raw, ErrorCode};

use super::fail;

/// Where bytes come from.
pub(crate) type Source = Box<dyn Read>;

/// A pipe's content so far.
#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) content: Vec<u8>,
    pub(crate) finished: bool,
    pub(crate) closed: bool,
}

/// A pipe's reading end: what is not written yet cannot be waited for.
pub(crate) struct PipeReader {
    pub(crate) pipe: Rc<RefCell<Pipe>>,
    pub(crate) at: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let pipe = self.pipe.borrow();
        let rest = &pipe.content[self.at..];
        if rest.is_empty() && !pipe.finished {
            let (code, why) = match pipe.closed {
                true => (ErrorCode::Io, "the pipe was dropped before it was finished"),
                false => (ErrorCode::Invalid, "the other end of this stream is held by the plugin itself"),
            };
            return Err(raised(fail(code, why)));
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// A source read by two.
pub(crate) struct Shared {
    source: Source,
    seen: Vec<u8>,
}

/// One of the two.
pub(crate) struct Half {
    shared: Rc<RefCell<Shared>>,
    at: usize,
}

pub(crate) fn halves(source: Source) -> (Half, Half) {
    let shared = Rc::new(RefCell::new(Shared { source, seen: Vec::new() }));
    (Half { shared: shared.clone(), at: 0 }, Half { shared, at: 0 })
}

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Shared { source, seen } = &mut *self.shared.borrow_mut();
        if self.at == seen.len() {
            let count = source.read(buffer)?;
            seen.extend_from_slice(&buffer[..count]);
        }
        let rest = &seen[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// A source that is made when it is first read.
pub(crate) struct Lazy<F> {
    make: Option<F>,
    made: Option<Source>,
}

impl<F: FnOnce() -> Result<Source, Raw>> Lazy<F> {
    pub(crate) fn new(make: F) -> Self {
        Self { make: Some(make), made: None }
    }
}

impl<F: FnOnce() -> Result<Source, Raw>> Read for Lazy<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(make) = self.make.take() {
            self.made = Some(make().map_err(raised)?);
        }
        self.made.as_mut().map_or(Ok(0), |source| source.read(buffer))
    }
}

/// Bytes, and then an error where there is one.
pub(crate) fn ending(content: Vec<u8>, error: Option<Raw>) -> Source {
    let end = Lazy::new(move || error.map_or_else(|| Ok(Box::new(std::io::empty()) as Source), Err));
    Box::new(Cursor::new(content).chain(end))
}

/// An error of the contract on its way through `std::io`.
pub(crate) fn raised(error: Raw) -> std::io::Error {
    crate::Error::from(error).into()
}

/// And out again.
pub(crate) fn lowered(error: std::io::Error) -> Raw {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => crate::Error::exists(error.to_string()).into(),
        _ => crate::Error::from(error).into(),
    }
}
