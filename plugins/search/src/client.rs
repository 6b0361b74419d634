//! Asks a granted engine, and asks again where it has too much to do: answers are bounded, tries are counted.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use strongroom_plugin::{
    Error, ErrorCode, InputStream, Result, context,
    http::{self, Exchange, Response, Service},
    streams,
};

use crate::engine::Engine;

/// The longest answer that is read at once: the mapping of an index, the items of a bulk request.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How often a question is asked before its failure counts.
pub const TRIES_MAX: u32 = 8;
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// A granted engine.
pub struct Client {
    service: Service,
    engine: Engine,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    method: &'static str,
    path: String,
    body: Option<Vec<u8>>,
    /// What it does when it is asked twice is the same as once.
    repeats: bool,
}

impl Question {
    /// Asks for what is at a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: None, repeats: true }
    }

    /// Sends something to a path, once.
    pub fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", repeats: false, ..Self::get(path) }
    }

    /// Makes what is at a path, or replaces it.
    pub fn put(path: impl Into<String>) -> Self {
        Self { method: "PUT", repeats: false, ..Self::get(path) }
    }

    /// Removes what is at a path.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: "DELETE", ..Self::get(path) }
    }

    /// The same, which may be asked again when nobody knows whether it was heard.
    #[must_use]
    pub fn repeating(self) -> Self {
        Self { repeats: true, ..self }
    }

    /// Carries `value`.
    ///
    /// # Errors
    /// `invalid` when it cannot be JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        Ok(Self { body: Some(serde_json::to_vec(value)?), ..self })
    }
}

/// Which shards took part: of every answer that comes from several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Shards {
    /// All of them.
    pub total: u64,
    /// Those that answered; with those that had nothing to say.
    pub successful: u64,
    /// Those that did not.
    pub failed: u64,
}

impl Shards {
    /// Insists on all of them.
    ///
    /// # Errors
    /// `unavailable`, worth another try, when one has failed or is missing.
    pub fn whole(&self, doing: &str) -> Result<()> {
        if self.failed == 0 && self.successful == self.total {
            return Ok(());
        }
        let Self { total, successful, failed } = self;
        let message = format!("{doing}: of {total} shards {successful} answered and {failed} failed");
        Err(Error::unavailable(message).retryable())
    }
}

/// Whether asking again may help, and how long to wait before.
#[derive(Debug, Default)]
pub struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits, or gives the error back where it was asked often enough or asking again is of no use.
    ///
    /// # Errors
    /// The same; `canceled`.
    pub fn after(&mut self, error: Error) -> Result<()> {
        self.tries += 1;
        if !error.retryable || self.tries >= TRIES_MAX {
            return Err(match self.tries {
                1 => error,
                tries => Error { message: format!("{} (asked {tries} times)", error.message), ..error },
            });
        }
        let pause = PAUSE_FIRST.saturating_mul(1 << (self.tries - 1).min(16)).min(PAUSE_MAX);
        context::sleep(pause)
    }
}

impl Client {
    /// The engine behind the grant `http.GRANT`: asks which it is.
    ///
    /// # Errors
    /// `denied` when it is not granted or lets nobody in, `unavailable` when nobody answers.
    pub fn connect(grant: &str) -> Result<Self> {
        let mut client = Self { service: http::get(grant)?, engine: Engine::default() };
        client.engine = Engine::ask(&client)?;
        Ok(client)
    }

    /// Which it is.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// As the engine has it (`not-found` for 404, `denied` for 401 and 403, `other`); `limit` when the answer is too long,
    /// `corrupt` when it is not what it must be.
    pub fn ask<T: DeserializeOwned>(&self, question: &Question) -> Result<T> {
        self.patiently(|| self.ask_once(question))
    }

    /// The same without asking again: for those who look at the answer before they do.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_once<T: DeserializeOwned>(&self, question: &Question) -> Result<T> {
        let unheard = |error| if question.repeats { lost(error) } else { error };
        let response = self.start(question)?.wait().map_err(unheard)?;
        accepted(response)?.json(ANSWER_BYTES_MAX).map_err(unheard)
    }

    /// The same where only success counts.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn tell(&self, question: &Question) -> Result<()> {
        self.ask::<serde::de::IgnoredAny>(question).map(drop)
    }

    /// Does `work` until it goes well, cannot, or was tried often enough.
    ///
    /// # Errors
    /// The last of them.
    pub fn patiently<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let mut patience = Patience::default();
        loop {
            match work() {
                Ok(done) => return Ok(done),
                Err(error) => patience.after(error)?,
            }
        }
    }

    /// Begins to ask: for answers that are longer than [`Self::ask`] takes.
    ///
    /// # Errors
    /// `denied`, `invalid`.
    pub fn start(&self, question: &Question) -> Result<Exchange> {
        let body = question.body.as_deref().map(streams::from_bytes).transpose()?;
        self.begin(question, "application/json", body)
    }

    /// Sends lines of JSON that the plugin never sees.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn send(&self, question: &Question, lines: InputStream) -> Result<Exchange> {
        self.begin(question, "application/x-ndjson", Some(lines))
    }

    fn begin(&self, question: &Question, kind: &str, body: Option<InputStream>) -> Result<Exchange> {
        let request = self.service.request(question.method, question.path.as_str());
        match body {
            Some(body) => request.header("Content-Type", kind).body(body).start(),
            None => request.start(),
        }
    }
}

/// Insists on success. What an engine cannot do now, and not what is its own fault (500), is worth another try.
///
/// # Errors
/// As [`Response::error_for_status`].
pub fn accepted(response: Response) -> Result<Response> {
    let busy = matches!(response.status(), 429 | 502..=504);
    response.error_for_status().map_err(|error| Error { retryable: busy, ..error })
}

/// An answer that did not come, or did not end, is worth another question where that does no harm.
pub fn lost(error: Error) -> Error {
    let lost = matches!(error.code, ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Io | ErrorCode::Corrupt);
    Error { retryable: error.retryable || lost, ..error }
}
