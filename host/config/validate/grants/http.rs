//! `[step.NAME.grant.http.NAME]`: where a service is, what may be asked of it, and who asks.

use std::time::Duration;

use super::{TIMEOUT_MAX, TIMEOUT_MIN, literal, source};
use crate::config::{
    ClientCertificate, HttpGrant,
    http::{self, Credential, Location},
    reader::{Reader, Table, Value},
    schema,
    wrong::Wrong,
};

/// One service.
pub(super) fn read(reader: &mut Reader, value: &Value) -> Option<HttpGrant> {
    let table = reader.table(value, schema::HTTP)?;
    let url = reader.required(&table, "url", "\"https://HOST:PORT/PATH\"");
    let location = url.and_then(|value| location(reader, &value));
    let methods = match table.get("methods") {
        Some(value) => methods(reader, &value),
        None => Some(vec!["GET".to_owned()]),
    };
    let paths = match table.get("paths") {
        Some(value) => paths(reader, &value),
        None => Some(vec!["/".to_owned()]),
    };
    let ca = file(reader, &table, "ca");
    let identity = identity(reader, &table);
    let credential = credential(reader, &table);
    let timeout = duration(reader, &table, "timeout", http::TIMEOUT);
    let connect_timeout = duration(reader, &table, "connect-timeout", http::CONNECT_TIMEOUT);
    let location = location?;
    encrypted_only(reader, &table, location.origin.secure)?;
    Some(HttpGrant {
        origin: location.origin,
        base: location.base,
        methods: methods?,
        paths: paths?,
        ca: ca?,
        identity: identity?,
        credential: credential?,
        timeout: timeout?,
        connect_timeout: connect_timeout?,
    })
}

fn location(reader: &mut Reader, value: &Value) -> Option<Location> {
    match http::location(reader.text(value)?) {
        Ok(location) => Some(location),
        Err(Wrong(message, help)) => {
            // It may hold a password or a token in a place where nobody looks for it.
            reader.hidden.push(value.span.clone());
            reader.problem(value.span.clone(), message, help);
            None
        }
    }
}

/// A list that says something: an empty one would grant nothing at all.
fn filled<'v>(reader: &mut Reader, value: &Value<'v>, help: &str) -> Option<Vec<Value<'v>>> {
    let items = reader.list(value)?;
    if items.is_empty() {
        reader.problem(value.span.clone(), format!("`{}` is empty, so nothing could be asked", value.key), help);
        return None;
    }
    Some(items)
}

fn methods(reader: &mut Reader, value: &Value) -> Option<Vec<String>> {
    let help = "write for example [\"GET\", \"POST\"]";
    let items = filled(reader, value, help)?;
    let method = |item: &Value| {
        let text = reader.text(item)?;
        if !http::is_method(text) {
            reader.problem(item.span.clone(), format!("{text:?} is no method that can be granted"), help);
            return None;
        }
        Some(text.to_owned())
    };
    let methods: Vec<_> = items.iter().map(method).collect();
    methods.into_iter().collect()
}

fn paths(reader: &mut Reader, value: &Value) -> Option<Vec<String>> {
    let help = "write prefixes of whole segments, relative to `url`: [\"/wiki\", \"/_snapshot\"]";
    let items = filled(reader, value, help)?;
    let path = |item: &Value| {
        let text = reader.text(item)?;
        if let Some(fault) = http::prefix_fault(text) {
            reader.problem(item.span.clone(), format!("{text:?} is no prefix of a path: {fault}"), help);
            return None;
        }
        Some(text.to_owned())
    };
    let paths: Vec<_> = items.iter().map(path).collect();
    paths.into_iter().collect()
}

/// The outer `None` is a problem, the inner one means that nothing is said.
fn file(reader: &mut Reader, table: &Table, name: &str) -> Option<Option<std::path::PathBuf>> {
    match table.get(name) {
        Some(value) => reader.path(&value).map(Some),
        None => Some(None),
    }
}

fn identity(reader: &mut Reader, table: &Table) -> Option<Option<ClientCertificate>> {
    match (file(reader, table, "certificate")?, file(reader, table, "key")?) {
        (Some(certificate), Some(key)) => Some(Some(ClientCertificate { certificate, key })),
        (None, None) => Some(None),
        (certificate, _) => {
            let (there, lacks) = if certificate.is_some() { ("certificate", "key") } else { ("key", "certificate") };
            let span = table.get(there).map(|value| value.key_span);
            reader.problem(span, format!("`{there}` needs `{lacks}` beside it"), "both are PEM files");
            None
        }
    }
}

/// What is of no use, and misleads, where nothing is encrypted.
fn encrypted_only(reader: &mut Reader, table: &Table, secure: bool) -> Option<()> {
    let useless: Vec<_> = ["ca", "certificate", "key"].iter().filter_map(|name| table.get(name)).collect();
    if secure || useless.is_empty() {
        return Some(());
    }
    for value in useless {
        let message = format!("`{}` is for https, and `url` begins with http://", value.key);
        reader.problem(value.key_span, message, "write https:// in `url`, or take it out");
    }
    None
}

fn credential(reader: &mut Reader, table: &Table) -> Option<Option<Credential>> {
    let said: Vec<_> = schema::HTTP_CREDENTIALS.iter().filter_map(|name| table.get(name)).collect();
    let [value] = &said[..] else {
        if let Some(second) = said.get(1) {
            let message = format!("`{}` is a second credential", second.key);
            reader.problem(second.key_span.clone(), message, "keep one of basic, bearer and header");
            said.iter().for_each(|value| reader.hidden.push(value.span.clone()));
            return None;
        }
        return Some(None);
    };
    let credential = match value.name() {
        "basic" => basic(reader, value),
        "bearer" => source(reader, value).map(Credential::Bearer),
        _ => header(reader, value),
    };
    credential.map(Some)
}

fn basic(reader: &mut Reader, value: &Value) -> Option<Credential> {
    let help = "write { user = \"…\", password = { file = \"/path/of/a/file\" } }";
    if !value.value.is_table() {
        return literal(reader, value, help);
    }
    let table = reader.table(value, schema::HTTP_BASIC)?;
    let user = reader.required(&table, "user", "\"…\"").and_then(|value| {
        let user = reader.text(&value)?;
        // RFC 7617 §2: the colon ends it.
        if user.contains(':') {
            reader.hidden.push(value.span.clone());
            reader.problem(value.span.clone(), "a user's name cannot hold a colon", help);
            return None;
        }
        Some(user.to_owned())
    });
    let password = reader.required(&table, "password", "{ file = \"/path/of/a/file\" }");
    let password = password.and_then(|value| source(reader, &value));
    Some(Credential::Basic { user: user?, password: password? })
}

fn header(reader: &mut Reader, value: &Value) -> Option<Credential> {
    if !value.value.is_table() {
        return literal(reader, value, "write { name = \"…\", value = { file = \"/path/of/a/file\" } }");
    }
    let table = reader.table(value, schema::HTTP_HEADER)?;
    let name = reader.required(&table, "name", "\"…\"").and_then(|value| {
        let name = reader.text(&value)?;
        if !http::is_token(name) || http::is_travel_header(name) {
            let message = format!("{name:?} is no header that can carry a credential");
            reader.problem(value.span.clone(), message, "write for example \"Authorization\" or \"X-Api-Key\"");
            return None;
        }
        Some(name.to_owned())
    });
    let content = reader.required(&table, "value", "{ file = \"/path/of/a/file\" }");
    let content = content.and_then(|value| source(reader, &value));
    Some(Credential::Header { name: name?, value: content? })
}

fn duration(reader: &mut Reader, table: &Table, name: &str, default: Duration) -> Option<Duration> {
    match table.get(name) {
        Some(value) => reader.duration(&value, TIMEOUT_MIN..=TIMEOUT_MAX),
        None => Some(default),
    }
}
