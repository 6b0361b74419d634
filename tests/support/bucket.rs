//! A stand-in for a server that speaks S3, with one bucket in memory, which breaks its answers as it is told.
//!
//! It looks whether requests are signed, not how: the real servers are there for that (`tests/run.sh --all`).

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::{faults::Faults, web::Message};

/// Names on a page of a listing.
const PAGE: usize = 1000;

/// What goes wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server asks for patience, and does nothing.
    SlowDown,
    /// The server has done as it was asked, and the connection ends before it says so.
    Silence,
    /// The connection ends in the body's middle.
    Cut,
    /// The second half of the body is not there, and its length says that this is all.
    Half,
    /// Nothing is done, and nothing ever answered.
    Stall,
    /// The object that was written last is not listed yet.
    Late,
}

/// Runs as long as the process.
pub struct Bucket {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    last: Mutex<String>,
    faults: Faults<String, Fault>,
    asked: Mutex<Vec<String>>,
}

impl Bucket {
    /// Starts one with an empty bucket `wiki`.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let serving = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = serving.clone();
                thread::spawn(move || {
                    // An error is the connection's end, and both sides see it.
                    let _ = serve(&client, &shared);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, shared }
    }

    /// From the answer after `after` others on, does that to so many answers to questions that begin with `question`:
    /// `PUT /wiki/data`.
    pub fn plan(&self, question: &str, after: usize, times: usize, fault: Fault) {
        self.shared.faults.plan(question.to_owned(), after, times, fault);
    }

    /// How many answers it has broken.
    pub fn fired(&self) -> usize {
        self.shared.faults.fired()
    }

    /// What was asked, in order: `METHOD /bucket/key?query`, with its header `if-none-match`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Names of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.shared.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while let Some(request) = Message::read(&mut reader)? {
        let question = request.first.trim_end_matches(" HTTP/1.1").to_owned();
        let noted = request.header("if-none-match").map(|value| format!(" if-none-match: {value}"));
        shared.asked.lock().unwrap().push(question.clone() + &noted.unwrap_or_default());
        let fault = shared.faults.next(|one| question.starts_with(one));
        let mut answer = match fault {
            Some(Fault::SlowDown) => failure(503, "SlowDown"),
            Some(Fault::Stall) => {
                // Until the client has had enough.
                let _ = Message::read(&mut reader)?;
                return Ok(());
            }
            _ => shared.answer(&question, &request, fault == Some(Fault::Late)),
        };
        match fault {
            Some(Fault::Silence) => return Ok(()),
            Some(Fault::Cut) => {
                let bytes = answer.bytes("keep-alive");
                return (&mut &*client).write_all(&bytes[..bytes.len() - answer.body.len().div_ceil(2)]);
            }
            Some(Fault::Half) => answer.body.truncate(answer.body.len() / 2),
            _ => {}
        }
        (&mut &*client).write_all(&answer.bytes("keep-alive"))?;
    }
    Ok(())
}

fn told(status: u16, headers: &[(&str, String)], body: Vec<u8>) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Message { first: format!("HTTP/1.1 {status} Told"), headers, body }
}

fn failure(status: u16, code: &str) -> Message {
    told(status, &[], format!("<Error><Code>{code}</Code><Message>as told</Message></Error>").into_bytes())
}

impl Shared {
    fn answer(&self, question: &str, request: &Message, late: bool) -> Message {
        let (method, target) = question.split_once(' ').unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !query.contains("X-Amz-Signature=") {
            return failure(403, "AccessDenied");
        }
        let Some(rest) = path.strip_prefix("/wiki") else { return failure(404, "NoSuchBucket") };
        let key = rest.trim_start_matches('/');
        let mut objects = self.objects.lock().unwrap();
        match (method, key) {
            ("GET", "") => self.page(&objects, query, late),
            ("GET", _) => get(objects.get(key), request.header("range")),
            ("PUT", _) if request.header("if-none-match").is_some() && objects.contains_key(key) => {
                failure(412, "PreconditionFailed")
            }
            ("PUT", _) => {
                objects.insert(key.to_owned(), request.body.clone());
                *self.last.lock().unwrap() = key.to_owned();
                told(200, &[], Vec::new())
            }
            ("DELETE", _) => {
                objects.remove(key);
                told(204, &[], Vec::new())
            }
            _ => failure(405, "MethodNotAllowed"),
        }
    }

    fn page(&self, objects: &BTreeMap<String, Vec<u8>>, query: &str, late: bool) -> Message {
        let parameter = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().replace("%2F", "/")
        };
        let (prefix, after) = (parameter("prefix"), parameter("continuation-token"));
        let last = self.last.lock().unwrap().clone();
        let all = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        let mut found: Vec<_> = all.filter(|(key, _)| !(late && **key == last)).take(PAGE + 1).collect();
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let token = found
            .last()
            .filter(|_| more)
            .map(|(key, _)| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
        let contents: String = found
            .iter()
            .map(|(key, content)| format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", content.len()))
            .collect();
        let body = format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <IsTruncated>{more}</IsTruncated>{}{contents}</ListBucketResult>",
            token.unwrap_or_default()
        );
        told(200, &[], body.into_bytes())
    }
}

fn get(object: Option<&Vec<u8>>, range: Option<&str>) -> Message {
    let Some(content) = object else { return failure(404, "NoSuchKey") };
    let Some(range) = range else { return told(200, &[], content.clone()) };
    let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let number = |text: &str| text.parse::<usize>().unwrap_or(usize::MAX);
    let (begin, end) = ends.map_or((0, usize::MAX), |(begin, end)| (number(begin), number(end)));
    if begin >= content.len() {
        return failure(416, "InvalidRange");
    }
    let end = end.min(content.len() - 1);
    let said = format!("bytes {begin}-{end}/{}", content.len());
    told(206, &[("content-range", said)], content[begin..=end].to_vec())
}
