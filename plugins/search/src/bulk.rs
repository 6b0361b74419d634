//! Sends objects of a snapshot as they lie there, each one bulk request, and looks at what became of every document.
//!
//! Each document carries its version, so a request may be sent again when nobody knows whether it was heard: what is there
//! already is a conflict then, and no second document.

use std::collections::VecDeque;

use serde::Deserialize;
use strongroom_plugin::{
    Error, Result, archive,
    http::{Exchange, encoded},
    log, streams,
};

use crate::{
    client::{Client, Patience, Question, accepted, lost},
    objects::{Contents, Ids, Lines},
    store::{self, Manifest},
};

/// The longest answer: a line for each of the documents of an object.
const ANSWER_BYTES_MAX: usize = 24 << 20;
/// What is sent again at a time, gathered by the plugin.
const AGAIN_BYTES_MAX: usize = 4 << 20;
/// How many requests are under way at a time: two that an engine works on, while the answer to a third is read. More would
/// go beyond the tenth of a small heap that an engine has for them.
const UNDER_WAY: usize = 3;

const CONFLICT: u16 = 409;
const BUSY: u16 = 429;

/// Fills an index.
pub struct Loader<'c> {
    client: &'c Client,
    part: String,
    manifest: &'c Manifest,
    question: Question,
}

/// An object that is on its way.
struct Sent {
    number: u32,
    contents: Contents,
    exchange: Exchange,
    patience: Patience,
    again: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Done,
}

#[derive(Deserialize)]
struct Done {
    status: u16,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

impl<'c> Loader<'c> {
    /// For the index `into`, from an index of a part.
    pub fn new(client: &'c Client, part: &str, manifest: &'c Manifest, into: &str, of_type: Option<&str>) -> Self {
        let index = encoded(into);
        let place = of_type.map_or(format!("/{index}"), |of_type| format!("/{index}/{}", encoded(of_type)));
        let path = format!("{place}/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason");
        Self { client, part: part.to_owned(), manifest, question: Question::post(path) }
    }

    /// Sends all objects.
    ///
    /// # Errors
    /// When the engine refuses a document, or has too much to do for too long.
    pub fn load(&self) -> Result<()> {
        let (mut under_way, mut done) = (VecDeque::new(), 0);
        let mut numbers = 1..=self.manifest.objects;
        loop {
            while under_way.len() < UNDER_WAY
                && let Some(number) = numbers.next()
            {
                let (contents, _) = Ids::open(&self.part, &self.manifest.index, number)?;
                let exchange = self.send(number)?;
                under_way.push_back(Sent { number, contents, exchange, patience: Patience::default(), again: false });
            }
            let Some(sent) = under_way.pop_front() else { return Ok(()) };
            done += sent.contents.documents;
            self.finish(sent)?;
            log::progress("documents", done, Some(self.manifest.documents));
        }
    }

    fn send(&self, number: u32) -> Result<Exchange> {
        self.client.send(&self.question, archive::open(&self.part, &self.path(number))?)
    }

    fn path(&self, number: u32) -> String {
        store::object(&self.manifest.index, number)
    }

    /// Until every document of the object is there.
    fn finish(&self, mut sent: Sent) -> Result<()> {
        let busy = loop {
            match answered(sent.exchange) {
                Ok(items) => break self.look(sent.number, &items, sent.contents.documents, sent.again)?,
                Err(error) => {
                    sent.patience.after(error)?;
                    sent.exchange = self.send(sent.number)?;
                    sent.again = true;
                }
            }
        };
        if busy.is_empty() { Ok(()) } else { self.again(sent.number, &sent.contents, busy, sent.patience) }
    }

    /// The places of those documents that the engine had no time for.
    fn look(&self, number: u32, items: &[Item], expected: u64, again: bool) -> Result<Vec<u64>> {
        if items.len() as u64 != expected {
            let message = format!("the engine was sent {expected} documents, and speaks of {}", items.len());
            return Err(Error::corrupt(message));
        }
        let mut busy = Vec::new();
        for (at, Item { index }) in (0_u64..).zip(items) {
            match index.status {
                200 | 201 if index.error.is_none() => {}
                CONFLICT if again => {}
                BUSY => busy.push(at),
                _ => return Err(self.refused(number, at, index)),
            }
        }
        Ok(busy)
    }

    fn refused(&self, number: u32, at: u64, done: &Done) -> Error {
        let id = self.id(number, at).unwrap_or_default();
        let (kind, reason) =
            done.error.as_ref().map_or(("", ""), |refusal| (refusal.kind.as_str(), refusal.reason.as_str()));
        Error::other(format!("the engine refuses the document {id:?} with {}: {kind}: {reason}", done.status))
    }

    fn id(&self, number: u32, at: u64) -> Option<String> {
        let (_, mut ids) = Ids::open(&self.part, &self.manifest.index, number).ok()?;
        for _ in 0..at {
            ids.next_id().ok()?;
        }
        ids.next_id().ok()?
    }

    /// Only those documents, in requests of their own.
    fn again(&self, number: u32, contents: &Contents, mut busy: Vec<u64>, mut patience: Patience) -> Result<()> {
        while !busy.is_empty() {
            let too_much = Error::unavailable(format!("the engine has no time for {} documents", busy.len()));
            patience.after(too_much.retryable())?;
            busy = match busy.len() as u64 == contents.documents {
                // All of it, so a document that is an object of its own, too: it need not pass through here.
                true => self.look(number, &answered(self.send(number)?)?, contents.documents, true)?,
                false => self.once_more(number, &busy)?,
            };
        }
        Ok(())
    }

    /// Sends them once more, and returns those that there was again no time for.
    fn once_more(&self, number: u32, places: &[u64]) -> Result<Vec<u64>> {
        let mut left = Vec::new();
        let mut lines = Lines::open(&self.part, &self.path(number))?;
        let (mut request, mut sent) = (Vec::new(), Vec::new());
        let mut places = places.iter().copied().peekable();
        for at in 0.. {
            let Some(place) = places.peek() else { break };
            let wanted = *place == at;
            for _ in 0..2 {
                let line = lines.next_line()?.ok_or_else(|| Error::corrupt("an object is shorter than its list"))?;
                if wanted {
                    request.extend_from_slice(line);
                    request.push(b'\n');
                }
            }
            if wanted {
                sent.push(at);
                places.next();
            }
            if request.len() >= AGAIN_BYTES_MAX || (places.peek().is_none() && !sent.is_empty()) {
                let body = streams::from_bytes(&std::mem::take(&mut request))?;
                let items = answered(self.client.send(&self.question, body)?)?;
                let busy = self.look_among(number, &items, &sent)?;
                left.extend(busy);
                sent.clear();
            }
        }
        Ok(left)
    }

    fn look_among(&self, number: u32, items: &[Item], sent: &[u64]) -> Result<Vec<u64>> {
        let places = self.look(number, items, sent.len() as u64, true)?;
        Ok(places.into_iter().filter_map(|at| sent.get(usize::try_from(at).ok()?).copied()).collect())
    }
}

/// The items of an answer. No answer is worth another question: documents carry their versions.
fn answered(exchange: Exchange) -> Result<Vec<Item>> {
    let response = accepted(exchange.wait().map_err(lost)?)?;
    let answer: Answer = response.json(ANSWER_BYTES_MAX).map_err(lost)?;
    Ok(answer.items)
}
