//! What a Schema Registry holds: without it nobody can read records of the codec `avroConfluent`, which name a schema by
//! the registry's number (<https://docs.confluent.io/platform/current/schema-registry/develop/api.html>).
//!
//! It is saved, and compared in a restore. Nothing is written into a registry: its numbers can only be kept in a mode that
//! refuses everybody else.

use std::io::{BufRead, BufReader, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_plugin::{
    Context, Error, Finding, Meta, Outcome, Result, archive,
    http::{self, Service, encoded},
    log, snapshot, streams,
};

use crate::{describe::grant, inspect::part};

/// The file of the part: a schema a line, as the registry answers.
pub const SCHEMAS: &str = "schemas.ndjson";
/// The longest answer and the longest line.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// What identifies a schema; the rest of a line is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    subject: String,
    version: u64,
    id: u64,
}

/// Saves every version of every subject.
///
/// # Errors
/// When the registry does not answer.
pub fn backup() -> Result<Outcome> {
    let registry = http::get(grant::REGISTRY)?;
    let subjects: Vec<String> = ask(&registry, "/subjects")?;
    let (mut output, input) = streams::pipe()?;
    let pending = snapshot::submit(SCHEMAS, input, &Meta::default())?;
    let (mut expected, mut actual) = (0, 0);
    for subject in &subjects {
        log::progress("subjects", actual, None);
        let versions: Vec<u64> = ask(&registry, &format!("/subjects/{}/versions", encoded(subject)))?;
        expected += versions.len() as u64;
        for version in versions {
            let schema: Value = ask(&registry, &path(subject, version))?;
            output.write_all(format!("{schema}\n").as_bytes())?;
            actual += u64::from(named(&schema)? == (subject.as_str(), version));
        }
    }
    output.finish()?;
    pending.wait()?;
    let summary = format!("{actual} schemas of {} subjects", subjects.len());
    Ok(Outcome::new(summary).receipt("schemas", expected, actual))
}

fn path(subject: &str, version: u64) -> String {
    format!("/subjects/{}/versions/{version}", encoded(subject))
}

fn named(schema: &Value) -> Result<(&str, u64)> {
    let subject = schema.get("subject").and_then(Value::as_str);
    let version = schema.get("version").and_then(Value::as_u64);
    subject.zip(version).ok_or_else(|| Error::corrupt("the registry answers with something that is no schema"))
}

fn ask<T: serde::de::DeserializeOwned>(registry: &Service, path: &str) -> Result<T> {
    registry.get(path)?.error_for_status()?.json(ANSWER_BYTES_MAX).context("asking the schema registry")
}

/// Compares the registry with what was saved.
///
/// # Errors
/// When the registry does not answer, or the snapshot is damaged.
pub fn restore() -> Result<Outcome> {
    let registry = http::get(grant::REGISTRY)?;
    let (mut saved, mut there, mut missing) = (0, 0, Vec::new());
    each(|schema| {
        saved += 1;
        let answer = registry.get(path(&schema.subject, schema.version))?;
        let found = match answer.status() {
            404 => None,
            _ => Some(answer.error_for_status()?.json::<Named>(ANSWER_BYTES_MAX)?),
        };
        match found.is_some_and(|found| found == schema) {
            true => there += 1,
            false => missing.push(format!("{} version {} as {}", schema.subject, schema.version, schema.id)),
        }
        Ok(())
    })?;
    let outcome =
        Outcome::new(format!("{there} of {saved} schemas are in the registry")).receipt("schemas", saved, there);
    if missing.is_empty() {
        return Ok(outcome);
    }
    let message = format!(
        "the registry does not have these, and records name them by their number: {}. Import them from {}/{SCHEMAS} \
         with the registry in mode IMPORT",
        crate::inspect::listed(&missing),
        part::SCHEMAS
    );
    Ok(outcome.finding(Finding::warning("schema-missing", part::SCHEMAS, message)))
}

/// Every line is a schema.
///
/// # Errors
/// `corrupt` when one is not.
pub fn verify() -> Result<Outcome> {
    let mut schemas = 0;
    let mut sound = 0;
    each(|schema| {
        schemas += 1;
        sound += u64::from(schema.version > 0);
        Ok(())
    })?;
    Ok(Outcome::new(format!("{schemas} schemas")).receipt("schemas", schemas, sound))
}

fn each(mut using: impl FnMut(Named) -> Result<()>) -> Result<()> {
    let mut lines = BufReader::new(archive::open(part::SCHEMAS, SCHEMAS)?);
    let mut line = String::new();
    loop {
        line.clear();
        let limited = &mut std::io::Read::take(&mut lines, ANSWER_BYTES_MAX as u64);
        if limited.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let schema = serde_json::from_str(&line);
        using(schema.map_err(|error| Error::corrupt(format!("a line of {SCHEMAS} is no schema: {error}")))?)?;
    }
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::testing::{Host, proven};

    use super::*;

    const ONE: &str = r#"{"subject":"a/b","version":1,"id":7,"schema":"\"string\""}"#;
    const TWO: &str = r#"{"subject":"a/b","version":2,"id":9,"schema":"\"int\""}"#;

    fn registry(host: Host) -> Host {
        host.answer(grant::REGISTRY, "GET", "/subjects/a%2Fb/versions/1", 200, ONE)
            .answer(grant::REGISTRY, "GET", "/subjects/a%2Fb/versions/2", 200, TWO)
            .answer(grant::REGISTRY, "GET", "/subjects/a%2Fb/versions", 200, "[1,2]")
            .answer(grant::REGISTRY, "GET", "/subjects", 200, r#"["a/b"]"#)
    }

    #[test]
    fn every_version_of_every_subject_is_saved_and_found_again() {
        let host = registry(Host::new());
        assert!(proven(&backup().unwrap().receipts));
        let stored = String::from_utf8(host.stored(SCHEMAS).unwrap()).unwrap();
        assert_eq!(stored.lines().count(), 2);
        let host = host.stored_as_archive(part::SCHEMAS);
        let outcome = restore().unwrap();
        assert!(proven(&outcome.receipts) && outcome.findings.is_empty());
        assert!(proven(&verify().unwrap().receipts));
        drop(host);
    }

    #[test]
    fn a_schema_that_has_another_number_in_the_registry_is_named() {
        let other = TWO.replace("9", "10");
        let _host = registry(Host::new()).archived(part::SCHEMAS, SCHEMAS, format!("{ONE}\n{other}\n"));
        let outcome = restore().unwrap();
        assert!(!proven(&outcome.receipts));
        assert!(outcome.findings[0].message.contains("a/b version 2 as 10"), "{:?}", outcome.findings);
    }

    #[test]
    fn a_line_that_is_no_schema_is_damage() {
        let _host = Host::new().archived(part::SCHEMAS, SCHEMAS, "{}\n");
        assert!(verify().unwrap_err().message.contains("no schema"));
    }
}
