//! Stands between a client and a web server, and breaks what the server answers: once, or so often.

use std::{
    io::{self, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use regex::Regex;
use serde_json::Value;

use super::{
    faults::Faults,
    web::{Message, exchange},
};

/// What is done to an answer.
#[derive(Clone)]
pub enum Fault {
    /// The server is not asked: this status and body are the answer.
    Instead(u16, &'static str),
    /// The server has done as it was asked, and the connection ends before it says so.
    Silence,
    /// The connection ends in the body's middle.
    Cut,
    /// The second half of the body is not there, and its length says that this is all.
    Truncate,
    /// It is late.
    Delay(Duration),
    /// Its JSON is another.
    Change(Arc<dyn Fn(&mut Value) + Send + Sync>),
    /// Something else happens before the server is asked.
    Meanwhile(Arc<dyn Fn() + Send + Sync>),
}

impl Fault {
    /// Changes the JSON of an answer.
    pub fn change(how: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(how))
    }

    /// Does something before the server is asked.
    pub fn meanwhile(what: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Meanwhile(Arc::new(what))
    }
}

/// Runs as long as the process.
pub struct WebProxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    faults: Faults<Regex, Fault>,
    asked: Mutex<Vec<String>>,
}

impl WebProxy {
    /// Starts one before a server on 127.0.0.1.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { server, faults: Faults::default(), asked: Mutex::default() });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || {
                    // An error is the connection's end, and both sides see it.
                    let _ = serve(&client, &state);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, state }
    }

    /// From the answer after `after` others on, does that to so many answers to requests whose `METHOD /path?query` the
    /// expression matches.
    pub fn plan(&self, question: &str, after: usize, times: usize, fault: Fault) {
        let question = Regex::new(question).unwrap();
        self.state.faults.plan(question, after, times, fault);
    }

    /// How many answers it has broken.
    pub fn fired(&self) -> usize {
        self.state.faults.fired()
    }

    /// What was asked, in order: `METHOD /path?query`.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl State {
    fn fault(&self, question: &str) -> Option<Fault> {
        self.asked.lock().unwrap().push(question.to_owned());
        self.faults.next(|one| one.is_match(question))
    }
}

/// One connection of a client. Each request goes to the server on a connection of its own.
fn serve(client: &TcpStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while let Some(request) = Message::read(&mut reader)? {
        let question = request.first.trim_end_matches(" HTTP/1.1").to_owned();
        let fault = state.fault(&question);
        match &fault {
            Some(Fault::Instead(status, body)) => {
                send(client, &Message::answer(*status, body))?;
                continue;
            }
            Some(Fault::Delay(time)) => thread::sleep(*time),
            Some(Fault::Meanwhile(what)) => what(),
            _ => {}
        }
        let mut answer = exchange(state.server, &request)?;
        match fault {
            Some(Fault::Silence) => return Ok(()),
            Some(Fault::Cut) => {
                let bytes = answer.bytes("keep-alive");
                return (&mut &*client).write_all(&bytes[..bytes.len() - answer.body.len().div_ceil(2)]);
            }
            Some(Fault::Truncate) => answer.body.truncate(answer.body.len() / 2),
            Some(Fault::Change(how)) => change(&mut answer, &*how)?,
            _ => {}
        }
        send(client, &answer)?;
    }
    Ok(())
}

fn change(answer: &mut Message, how: &(dyn Fn(&mut Value) + Send + Sync)) -> io::Result<()> {
    let mut value = serde_json::from_slice(&answer.body)?;
    how(&mut value);
    // Engines say first how a search went, then what was found: so must who stands in for them.
    let hits = value.as_object_mut().and_then(|answer| answer.remove("hits"));
    answer.body = serde_json::to_vec(&value)?;
    if let Some(hits) = hits {
        answer.body.pop();
        answer.body.extend(format!(r#","hits":{hits}}}"#).bytes());
    }
    Ok(())
}

fn send(mut client: &TcpStream, answer: &Message) -> io::Result<()> {
    client.write_all(&answer.bytes("keep-alive"))
}

mod tests {
    //! The proxy breaks what it was told to break, and nothing else.

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::support::web;

    /// Answers every request with what was asked and with how many were before, in chunks.
    fn stand_in() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for (number, mut client) in listener.incoming().flatten().enumerate() {
                let request = Message::read(&mut BufReader::new(&client)).unwrap().unwrap();
                let body =
                    format!(r#"{{"first":{:?},"body":{},"number":{number}}}"#, request.first, request.body.len());
                let (one, other) = body.split_at(7);
                let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                client.write_all(format!("{head}{chunks}").as_bytes()).unwrap();
            }
        });
        port
    }

    /// One question on a connection of its own: status and body, or nothing where the answer does not come in full.
    fn ask(proxy: &WebProxy, path: &str) -> Option<(u16, Vec<u8>)> {
        let request = Message { first: format!("GET {path} HTTP/1.1"), headers: Vec::new(), body: Vec::new() };
        exchange(proxy.port, &request).ok().map(|answer| (answer.status(), answer.body))
    }

    /// The number of an answer that is whole.
    fn number(answer: Option<(u16, Vec<u8>)>) -> u64 {
        serde_json::from_slice::<Value>(&answer.unwrap().1).unwrap()["number"].as_u64().unwrap()
    }

    #[test]
    fn what_is_asked_and_answered_passes_as_it_is() {
        let proxy = WebProxy::start(stand_in());
        let answer = web::ask(proxy.port, "POST", "/a?b=c", "text");
        assert_eq!(answer, (200, br#"{"first":"POST /a?b=c HTTP/1.1","body":4,"number":0}"#.to_vec()));
        assert_eq!((proxy.asked(), proxy.fired()), (vec!["POST /a?b=c".to_owned()], 0));
    }

    #[test]
    fn each_fault_is_what_it_says_and_as_often_as_planned() {
        let proxy = WebProxy::start(stand_in());
        let broken = |fault: Fault| {
            proxy.plan("^GET /a$", 1, 1, fault);
            let (other, first) = (number(ask(&proxy, "/ab")), number(ask(&proxy, "/a")));
            assert_eq!(other + 1, first, "another question and the first are let through");
            let answer = ask(&proxy, "/a");
            let reached = number(ask(&proxy, "/a")) - first - 1;
            (answer, reached)
        };
        assert_eq!(broken(Fault::Instead(429, "{}")), (Some((429, b"{}".to_vec())), 0));
        assert_eq!(broken(Fault::Silence), (None, 1));
        assert_eq!(broken(Fault::Cut), (None, 1));
        let (answer, reached) = broken(Fault::Truncate);
        assert!(reached == 1 && serde_json::from_slice::<Value>(&answer.unwrap().1).is_err());
        let (answer, reached) = broken(Fault::change(|value| value["number"] = 777.into()));
        assert_eq!((number(answer), reached), (777, 1));
        let happened = Arc::new(AtomicUsize::new(0));
        let counted = happened.clone();
        let (answer, reached) = broken(Fault::meanwhile(move || _ = counted.fetch_add(1, Ordering::SeqCst)));
        assert!(answer.is_some() && reached == 1 && happened.load(Ordering::SeqCst) == 1);
        assert!(broken(Fault::Delay(Duration::from_millis(1))).0.is_some());
        assert_eq!(proxy.fired(), 7);
    }
}
