//! Services that answer what they hear.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

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

    pub(crate) fn connect(&self, endpoint: &str, idle_ms: Option<u32>) -> Result<(InputStream, OutputStream), Error> {
        let asked = self.scripted.iter().find(|(granted, _)| granted.eq_ignore_ascii_case(endpoint));
        let Some((_, answer)) = asked else { return Err(denied(&format!("{endpoint} in tcp"), &self.name)) };
        let heard: Rc<RefCell<Pipe>> = Rc::default();
        let said = match answer {
            testing::Peer::Scripted(answer) => {
                InputStream::new(Peer { heard: heard.clone(), answer: answer.clone(), said: Vec::new() })
            }
            testing::Peer::Live => InputStream::new(Live { heard: heard.clone(), socket: dial(endpoint, idle_ms)? }),
        };
        Ok((said, OutputStream::to(heard)))
    }
}

/// What a service says: it is asked when everything that it said was read.
struct Peer {
    heard: Rc<RefCell<Pipe>>,
    answer: Rc<dyn Fn(&mut Vec<u8>) -> Vec<u8>>,
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

/// What a real server says: it is told all that was written before it is listened to.
struct Live {
    heard: Rc<RefCell<Pipe>>,
    socket: TcpStream,
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let gone = |error: std::io::Error| raised(fail(ErrorCode::Unavailable, error.to_string()));
        let heard = std::mem::take(&mut self.heard.borrow_mut().content);
        self.socket.write_all(&heard).map_err(gone)?;
        self.socket.read(buffer).map_err(gone)
    }
}

fn dial(endpoint: &str, idle_ms: Option<u32>) -> Result<TcpStream, Error> {
    let dialled = TcpStream::connect(endpoint).and_then(|socket| {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(idle_ms.map(|idle| Duration::from_millis(idle.max(1).into())))?;
        Ok(socket)
    });
    dialled.map_err(|error| fail(ErrorCode::Unavailable, format!("connecting to {endpoint}: {error}")))
}
