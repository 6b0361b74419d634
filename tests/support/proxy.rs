//! Stands between a client and a Kafka broker, and breaks what the broker answers: once, or so often.
//!
//! It knows of the protocol what it must: frames, which answer belongs to which question, and where the broker says how it
//! can be reached, since a client must come back through the proxy. All its brokers listen on 127.0.0.1.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::faults::Faults;

/// [What is asked](https://kafka.apache.org/protocol.html#protocol_api_keys).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(i16)]
pub enum Api {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    FindCoordinator = 10,
    CreateTopics = 19,
    DescribeCluster = 60,
}

/// What is done to an answer.
#[derive(Clone)]
pub enum Fault {
    /// The connection ends in its middle.
    Cut,
    /// It is late.
    Delay(Duration),
    /// The second half is not there, and the frame's length says that this is all.
    Truncate,
    /// The frame's length is a lie, and nothing follows.
    Length(i32),
    /// It belongs to another question.
    Correlation,
    /// Its bytes after the correlation id are others.
    Change(Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>),
}

impl Fault {
    /// Changes bytes of the answer.
    pub fn change(how: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(how))
    }

    /// Speaks of another topic, with a name of the same length.
    pub fn other_topic(name: &str, other: &str) -> Self {
        assert_eq!(name.len(), other.len(), "lengths would have to change too");
        let (name, other) = (name.to_owned(), other.to_owned());
        Self::change(move |body| replace_all(body, name.as_bytes(), other.as_bytes()))
    }

    /// An error for the first partition of a topic, in an answer to [`Api::Fetch`] up to version 12, which names it.
    pub fn fetch_error(topic: &str, code: i16) -> Self {
        let topic = topic.to_owned();
        Self::change(move |body| {
            let Some(name) = find(body, topic.as_bytes(), 0) else { return };
            let after = name + topic.len();
            // Old versions count partitions in four bytes, newer ones in one as long as they are few.
            let count = if body.get(after) == Some(&0) { 4 } else { 1 };
            let place = after + count + size_of::<i32>();
            body[place..place + 2].copy_from_slice(&code.to_be_bytes());
        })
    }
}

/// Runs as long as the process.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    /// Where it listens, and where the broker does.
    ports: (u16, u16),
    faults: Faults<Api, Fault>,
}

impl Proxy {
    /// Starts one before a broker's listener.
    pub fn start(broker: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { ports: (port, broker), faults: Faults::default() };
        let state = Arc::new(state);
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || drop(serve(&client, &state)));
            }
        });
        Self { port, state }
    }

    /// From the answer after `after` others on, does that to so many answers to that question.
    pub fn plan(&self, api: Api, after: usize, times: usize, fault: Fault) {
        self.state.faults.plan(api, after, times, fault);
    }

    /// How many answers it has broken.
    pub fn fired(&self) -> usize {
        self.state.faults.fired()
    }
}

impl State {
    /// The broker says how it can be reached: by host and port, wherever a broker stands in an answer.
    fn lead_back(&self, api: i16, body: &mut [u8]) {
        if [Api::Metadata, Api::FindCoordinator, Api::DescribeCluster].iter().any(|one| *one as i16 == api) {
            let place = |port: u16| [b"127.0.0.1".as_slice(), &i32::from(port).to_be_bytes()].concat();
            replace_all(body, &place(self.ports.1), &place(self.ports.0));
        }
    }
}

/// Which question has which number, on one connection.
type Asked = Mutex<HashMap<i32, i16>>;

/// One connection. Its errors are its end, and both sides see it.
fn serve(client: &TcpStream, state: &State) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", state.ports.1))?;
    let asked = Asked::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = questions(client, &server, &asked);
            let _ = server.shutdown(Shutdown::Write);
        });
        let ended = answers(&server, client, &asked, state);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        ended
    })
}

/// A frame without its length.
fn frame(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length));
    let mut frame = Vec::new();
    from.take(length).read_to_end(&mut frame)?;
    match frame.len() as u64 == length && length >= 8 {
        true => Ok(frame),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn send(mut to: &TcpStream, length: i32, body: &[u8]) -> io::Result<()> {
    to.write_all(&[&length.to_be_bytes(), body].concat())
}

fn length(body: &[u8]) -> i32 {
    i32::try_from(body.len()).expect("a frame was that long")
}

fn questions(client: &TcpStream, server: &TcpStream, asked: &Asked) -> io::Result<()> {
    loop {
        let body = frame(client)?;
        let (api, number) = (i16::from_be_bytes([body[0], body[1]]), number(&body[4..]));
        asked.lock().unwrap().insert(number, api);
        send(server, length(&body), &body)?;
    }
}

/// The four bytes that tie an answer to its question.
fn number(body: &[u8]) -> i32 {
    i32::from_be_bytes([body[0], body[1], body[2], body[3]])
}

fn answers(server: &TcpStream, client: &TcpStream, asked: &Asked, state: &State) -> io::Result<()> {
    loop {
        let mut body = frame(server)?;
        let api = asked.lock().unwrap().remove(&number(&body)).unwrap_or(-1);
        state.lead_back(api, &mut body);
        let whole = length(&body);
        match state.faults.next(|one| *one as i16 == api) {
            None => send(client, whole, &body)?,
            Some(Fault::Delay(time)) => {
                thread::sleep(time);
                send(client, whole, &body)?;
            }
            Some(Fault::Cut) => return send(client, whole, &body[..body.len() / 2]),
            Some(Fault::Truncate) => send(client, whole / 2, &body[..body.len() / 2])?,
            Some(Fault::Length(lie)) => send(client, lie, &body)?,
            Some(Fault::Correlation) => {
                body[3] ^= 1;
                send(client, whole, &body)?;
            }
            Some(Fault::Change(how)) => {
                let mut rest = body.split_off(4);
                how(&mut rest);
                body.extend(rest);
                send(client, length(&body), &body)?;
            }
        }
    }
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(what.len()).position(|window| window == what).map(|place| from + place)
}

/// `other` is as long as `what`.
fn replace_all(body: &mut [u8], what: &[u8], other: &[u8]) {
    let mut from = 0;
    while let Some(place) = find(body, what, from) {
        body[place..place + what.len()].copy_from_slice(other);
        from = place + what.len();
    }
}

mod tests {
    //! The proxy breaks what it was told to break, and nothing else.

    use super::*;

    const ANSWER: &[u8] = b"0123456789-topic-0000\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00-the-end";

    /// Answers every question with its number, where it listens, and [`ANSWER`].
    fn stand_in() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                while let Ok(asked) = frame(&client) {
                    let body = [&asked[4..8], b"127.0.0.1", &i32::from(port).to_be_bytes(), ANSWER].concat();
                    send(&client, length(&body), &body).unwrap();
                }
            }
        });
        port
    }

    /// One question on a connection of its own: the length of the answer as it is said, and what follows until the end.
    fn ask(proxy: &Proxy, api: Api) -> (i32, Vec<u8>) {
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        let question = [&(api as i16).to_be_bytes()[..], &[0, 11, 0, 0, 0, 7]].concat();
        send(&client, length(&question), &question).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        (number(&answer), answer.split_off(4))
    }

    #[test]
    fn a_client_is_led_back_to_the_proxy() {
        let proxy = Proxy::start(stand_in());
        let (length, body) = ask(&proxy, Api::Metadata);
        assert_eq!(usize::try_from(length).unwrap(), body.len());
        assert_eq!(body[13..17], i32::from(proxy.port).to_be_bytes());
        let (_, body) = ask(&proxy, Api::Fetch);
        assert_ne!(body[13..17], i32::from(proxy.port).to_be_bytes(), "nothing else is rewritten");
    }

    #[test]
    fn each_fault_is_what_it_says_and_as_often_as_planned() {
        let proxy = Proxy::start(stand_in());
        let (_, whole) = ask(&proxy, Api::Fetch);
        let broken = |fault: Fault| {
            proxy.plan(Api::Fetch, 1, 1, fault);
            let fired = proxy.fired();
            assert_eq!((ask(&proxy, Api::Fetch).1, proxy.fired()), (whole.clone(), fired), "the first is let through");
            let answer = ask(&proxy, Api::Fetch);
            assert_eq!((ask(&proxy, Api::Fetch).1, proxy.fired()), (whole.clone(), fired + 1), "and so is the third");
            answer
        };
        let full = length(&whole);
        assert_eq!(broken(Fault::Cut), (full, whole[..whole.len() / 2].to_vec()));
        assert_eq!(broken(Fault::Truncate), (full / 2, whole[..whole.len() / 2].to_vec()));
        assert_eq!(broken(Fault::Length(-1)), (-1, whole.clone()));
        assert_eq!(broken(Fault::Delay(Duration::from_millis(1))), (full, whole.clone()));
        assert_ne!(broken(Fault::Correlation).1[..4], whole[..4]);
        let (_, other) = broken(Fault::other_topic("topic", "cigar"));
        assert!(find(&other, b"-cigar-", 0).is_some() && find(&other, b"topic", 0).is_none());
        let (_, refused) = broken(Fault::fetch_error("topic-0000", 6));
        assert_eq!(refused.iter().zip(&whole).filter(|(one, other)| one != other).count(), 1);
        assert!(find(&refused, b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x06-the-end", 0).is_some());
    }
}
