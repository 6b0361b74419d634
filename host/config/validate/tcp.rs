//! `[step.NAME.grant.tcp.NAME]`: a service's endpoints, TLS and deadlines.

use std::{path::PathBuf, time::Duration};

use super::grants::{TIMEOUT_MAX, TIMEOUT_MIN};
use crate::config::{
    ClientCertificate, Endpoint, TcpGrant, TcpTls,
    reader::{Reader, Table, Value},
    schema,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(60);

/// One service.
pub(super) fn grant(reader: &mut Reader, value: &Value) -> Option<TcpGrant> {
    let table = reader.table(value, schema::TCP)?;
    let endpoints = reader.required(&table, "endpoints", "[\"HOST:PORT\"]").and_then(|value| endpoints(reader, &value));
    let tls = table.get("tls").map_or(Some(None), |value| tls(reader, &value));
    let connect_timeout = duration(reader, &table, "connect-timeout", CONNECT_TIMEOUT);
    let idle = duration(reader, &table, "idle", IDLE);
    Some(TcpGrant { endpoints: endpoints?, tls: tls?, connect_timeout: connect_timeout?, idle: idle? })
}

fn duration(reader: &mut Reader, table: &Table, name: &str, default: Duration) -> Option<Duration> {
    table.get(name).map_or(Some(default), |value| reader.duration(&value, TIMEOUT_MIN..=TIMEOUT_MAX))
}

fn endpoints(reader: &mut Reader, value: &Value) -> Option<Vec<Endpoint>> {
    let items = reader.list(value)?;
    if items.is_empty() {
        let message = format!("`{}` is empty", value.key);
        reader.problem(value.span.clone(), message, "write [\"HOST:PORT\"]");
        return None;
    }
    let found: Vec<_> = items.iter().map(|item| endpoint(reader, item)).collect();
    found.into_iter().collect()
}

fn endpoint(reader: &mut Reader, value: &Value) -> Option<Endpoint> {
    let text = reader.text(value)?;
    match Endpoint::parse(text) {
        Ok(endpoint) => Some(endpoint),
        Err(why) => {
            let help = "write \"host:port\", or \"[2001:db8::1]:port\"";
            reader.problem(value.span.clone(), format!("{text:?} is no endpoint: {why}"), help);
            None
        }
    }
}

/// `true`, `false`, or what differs from TLS with the system's authorities.
fn tls(reader: &mut Reader, value: &Value) -> Option<Option<TcpTls>> {
    if !value.value.is_table() {
        return reader.flag(value).map(|on| on.then(TcpTls::default));
    }
    let table = reader.table(value, schema::TCP_TLS)?;
    let ca = file(reader, &table, "ca");
    let identity = identity(reader, value, &table);
    let server_name = table.get("server-name").map_or(Some(None), |value| server_name(reader, &value).map(Some));
    Some(Some(TcpTls { ca: ca?, identity: identity?, server_name: server_name? }))
}

/// The outer `None` is a problem, the inner one means that nothing is said.
fn file(reader: &mut Reader, table: &Table, name: &str) -> Option<Option<PathBuf>> {
    table.get(name).map_or(Some(None), |value| reader.path(&value).map(Some))
}

fn identity(reader: &mut Reader, value: &Value, table: &Table) -> Option<Option<ClientCertificate>> {
    let (certificate, key) = (file(reader, table, "certificate"), file(reader, table, "key"));
    match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some(Some(ClientCertificate { certificate, key })),
        (None, None) => Some(None),
        (found, _) => {
            let lacks = if found.is_some() { "key" } else { "certificate" };
            let message = format!("`{}` lacks `{lacks}`: a client certificate needs its key", value.key);
            reader.problem(value.span.clone(), message, format!("add {lacks} = \"/path/of/a.pem\""));
            None
        }
    }
}

fn server_name(reader: &mut Reader, value: &Value) -> Option<String> {
    let text = reader.text(value)?;
    match Endpoint::parse(&format!("{text}:1")) {
        Ok(endpoint) => Some(endpoint.host),
        Err(why) => {
            reader.problem(
                value.span.clone(),
                format!("{text:?} is no name of a server: {why}"),
                "write its host name",
            );
            None
        }
    }
}
