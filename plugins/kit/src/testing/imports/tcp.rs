//! Services that answer what they hear.

use std::{cell::RefCell, io::Read, rc::Rc};

use crate::{
    bindings::strongroom::plugin::types::{Error, ErrorCode},
    testing::{
        self, denied, fail,
        io::{Pipe, raised},
        state,
    },
};

use super::streams::{InputStream, OutputStream};

pub(crate) struct Service {
    name: String,
    scripted: testing::Service,
}

pub(crate) fn get(grant: &str) -> Result<Service, Error> {
    let scripted = state(|state| state.services.get(grant).cloned()).ok_or_else(|| denied("tcp", grant))?;
    Ok(Service { name: grant.into(), scripted })
}

impl Service {
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.scripted.iter().map(|(endpoint, _)| endpoint.clone()).collect()
    }

    pub(crate) fn connect(&self, endpoint: &str, _idle_ms: Option<u32>) -> Result<(InputStream, OutputStream), Error> {
        let asked = self.scripted.iter().find(|(granted, _)| granted.eq_ignore_ascii_case(endpoint));
        let Some((_, answer)) = asked else { return Err(denied(&format!("{endpoint} in tcp"), &self.name)) };
        let heard: Rc<RefCell<Pipe>> = Rc::default();
        let peer = Peer { heard: heard.clone(), answer: answer.clone(), said: Vec::new() };
        Ok((InputStream::new(peer), OutputStream::to(heard)))
    }
}

/// What a service says: it is asked when everything that it said was read.
struct Peer {
    heard: Rc<RefCell<Pipe>>,
    answer: testing::Peer,
    said: Vec<u8>,
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut heard = self.heard.borrow_mut();
        if heard.closed && !heard.finished {
            return Err(raised(fail(ErrorCode::Io, "the output was dropped before it was finished")));
        }
        if self.said.is_empty() {
            self.said = (self.answer)(&mut heard.content);
        }
        let count = self.said.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.said[..count]);
        self.said.drain(..count);
        Ok(count)
    }
}
