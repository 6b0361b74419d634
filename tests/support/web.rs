//! HTTP/1.1 as far as tests need it: a message, read whole, and one question to a server on 127.0.0.1.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use super::DEADLINE;

/// A request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its first line.
    pub first: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// Without the marks of chunks.
    pub body: Vec<u8>,
}

impl Message {
    /// An answer.
    pub fn answer(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { first: format!("HTTP/1.1 {status} Told"), headers, body: body.as_bytes().to_vec() }
    }

    /// Reads one; nothing where the stream ends before it.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(mut message) = Self::read_head(from)? else { return Ok(None) };
        message.read_body(from)?;
        Ok(Some(message))
    }

    fn read_head(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let mut message = Self { first, headers: Vec::new(), body: Vec::new() };
        while let Some(header) = line(from)?.filter(|line| !line.is_empty()) {
            let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(message))
    }

    fn read_body(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        if self.header("transfer-encoding").is_some() {
            loop {
                let size = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let size = u64::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                self.take(from, size)?;
                line(from)?;
                if size == 0 {
                    return Ok(());
                }
            }
        }
        let length = self.header("content-length").unwrap_or("0");
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        self.take(from, length)
    }

    fn take(&mut self, from: &mut impl BufRead, length: u64) -> io::Result<()> {
        let taken = from.take(length).read_to_end(&mut self.body)?;
        if (taken as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The value of the first header with that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// As it is sent: with its length, and with `connection` for what becomes of the connection.
    pub fn bytes(&self, connection: &str) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.first);
        let own = ["transfer-encoding", "content-length", "connection"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\nconnection: {connection}\r\n\r\n", self.body.len());
        [head.as_bytes(), &self.body].concat()
    }
}

/// A line without its end; nothing at the end of the stream.
fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
    }
}

/// Asks a server, on a connection of its own.
pub fn exchange(port: u16, request: &Message) -> io::Result<Message> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_read_timeout(Some(DEADLINE))?;
    server.write_all(&request.bytes("close"))?;
    let mut answer = BufReader::new(&server);
    let answer =
        if request.first.starts_with("HEAD ") { Message::read_head(&mut answer) } else { Message::read(&mut answer) };
    answer?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The same with these parts: the status and the body.
///
/// # Panics
/// When there is no answer.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
    let kind = if path.contains("/_bulk") { "application/x-ndjson" } else { "application/json" };
    let headers =
        [("host", "127.0.0.1"), ("content-type", kind)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = Message { first: format!("{method} {path} HTTP/1.1"), headers: headers.into(), body: body.into() };
    let answer = exchange(port, &request).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    (answer.status(), answer.body)
}
