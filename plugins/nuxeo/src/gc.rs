//! The consumer that deletes a blob as soon as no document uses it: paused while a snapshot is made.
//!
//! Nuxeo's management API ("Stream" in its REST documentation) stops and starts a consumer by its group.

use std::time::Duration;

use strongroom_plugin::{
    Error, ErrorCode, Finding, Outcome, Part, Result,
    holds::{self, Scope},
    http::{self, Response},
};

use crate::{describe::grant, inspect::setting};

/// The name of the hold.
pub const HOLD: &str = "blob-gc";
/// The consumer, as the API names it.
pub const CONSUMER: &str = "blob/gc";

/// A day, the longest that a hold may last: it ends with the run.
const HELD: Duration = Duration::from_secs(86_400);
/// Nuxeo answers when every node has been told.
const ANSWER: Duration = Duration::from_secs(60);

/// Whether an error of the stream API means that it has no such consumer, or that this version has no such API.
fn is_unknown(error: &Error) -> bool {
    error.code == ErrorCode::NotFound
}

/// Runs `work` while blobs stay, if the plan says so. The hold stands until the whole run has ended.
///
/// # Errors
/// Those of `work`.
pub fn paused(part: &Part, work: impl FnOnce(&Part) -> Result<Outcome>) -> Result<Outcome> {
    let finding = match part.setting(setting::PAUSE) {
        Some(_) => pause(part)?,
        None => None,
    };
    Ok(work(part)?.findings(finding))
}

/// A consumer that cannot be paused is no reason to save nothing: what is missing is found out.
fn pause(part: &Part) -> Result<Option<Finding>> {
    let hold = match holds::take(HOLD, CONSUMER.as_bytes(), HELD, Scope::Run) {
        Ok(hold) => Some(hold),
        // An attempt before this one took it.
        Err(error) if error.code == ErrorCode::Exists => None,
        Err(error) => return Err(error),
    };
    let Err(error) = ask("stop", CONSUMER) else { return Ok(None) };
    if error.code == ErrorCode::Canceled {
        return Err(error);
    }
    // Refused before anything was done: nothing is to be undone.
    if matches!(error.code, ErrorCode::NotFound | ErrorCode::Denied)
        && let Some(hold) = hold
    {
        hold.dropped()?;
    }
    let message = format!(
        "the consumer {CONSUMER} could not be paused, blobs may be deleted while they are saved; what is missing is found out: {}",
        error.message
    );
    Ok(Some(Finding::warning("gc-not-paused", &part.name, message)))
}

/// Lets blobs be deleted again.
///
/// # Errors
/// When Nuxeo does not answer: it is tried again later.
pub fn release(data: &[u8]) -> Result<()> {
    let consumer = std::str::from_utf8(data).map_err(|_| Error::invalid("the hold names no consumer"))?;
    match ask("start", consumer) {
        Err(error) if !is_unknown(&error) => Err(error),
        _ => Ok(()),
    }
}

fn ask(what: &str, consumer: &str) -> Result<()> {
    let management = http::get(grant::MANAGEMENT)?;
    // Its slash may stand in a query as it is.
    let consumer = consumer.split('/').map(http::encoded).collect::<Vec<_>>().join("/");
    let path = format!("/nuxeo/api/v1/management/stream/consumer/{what}?consumer={consumer}");
    management.request("PUT", path).timeout(ANSWER).send().and_then(Response::error_for_status).map(drop)
}
