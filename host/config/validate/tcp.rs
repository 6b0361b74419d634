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

#[cfg(test)]
mod tests {
    use crate::{
        config::{Config, parse},
        diagnostic::Problems,
    };

    fn read(grants: &str) -> Result<Config, Problems> {
        let head =
            "[pipeline]\nname = \"wiki\"\nstate = \"state\"\n[repository.local]\nurl = \"sets\"\nformat = \"zip\"\n";
        let text = format!("{head}[step.wiki]\nplugin = \"p\"\n{grants}");
        parse("/etc/strongroom/wiki.toml".as_ref(), &text, &|_| None)
    }

    #[test]
    fn a_service_is_shown_with_all_that_its_grant_says() {
        let config = read(
            r#"
[step.wiki.grant.tcp.plain]
endpoints = ["Broker-0:9092", "[2001:DB8::0:1]:9092"]
[step.wiki.grant.tcp.system]
endpoints = ["broker-0:9093"]
tls = true
[step.wiki.grant.tcp.whole]
endpoints = ["broker-0:9093"]
tls = { ca = "ca.pem", certificate = "c.pem", key = "k.pem", server-name = "Broker.example.org" }
connect-timeout = "3s"
idle = "500ms"
"#,
        );
        insta::assert_snapshot!(config.unwrap().steps[0].grants.lines().join("\n"), @"
        tcp.plain broker-0:9092 [2001:db8::1]:9092, not encrypted, connect-timeout 10s, idle 1m
        tcp.system broker-0:9093, TLS, connect-timeout 10s, idle 1m
        tcp.whole broker-0:9093, TLS, authorities /etc/strongroom/ca.pem, certificate /etc/strongroom/c.pem, key /etc/strongroom/k.pem, server-name broker.example.org, connect-timeout 3s, idle 500ms
        ");
    }

    #[test]
    fn what_is_wrong_with_a_service_is_said_for_each_mistake() {
        let problems = read(
            r#"
[step.wiki.grant.tcp.a]
endpoints = ["broker", "127.1:9092", "broker:70000"]
tls = { certificate = "c.pem" }
[step.wiki.grant.tcp.b]
endpoints = []
tls = "yes"
idle = "1ms"
[step.wiki.grant.tcp.c]
tls = { ca = "ca.pem", server-name = "a b" }
"#,
        );
        let messages: Vec<_> = problems.unwrap_err().problems.into_iter().map(|problem| problem.message).collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        "broker" is no endpoint: it lacks a port
        "127.1:9092" is no endpoint: its host is neither a name nor an address of four numbers
        "broker:70000" is no endpoint: its port is no number from 1 to 65535
        `step.wiki.grant.tcp.a.tls` lacks `key`: a client certificate needs its key
        `step.wiki.grant.tcp.b.endpoints` is empty
        `step.wiki.grant.tcp.b.tls` is a string, expected true or false
        `step.wiki.grant.tcp.b.idle` must lie between 10ms and 30days
        [step.wiki.grant.tcp.c] lacks `endpoints`
        "a b" is no name of a server: its host is no name of letters, digits, `-`, `_` and dots between them
        "#);
    }

    #[test]
    fn a_grant_of_no_service_has_the_digest_that_it_had_before_there_were_services() {
        let none = read("").unwrap().steps[0].grants.clone();
        assert!(!serde_json::to_string(&none).unwrap().contains("tcp"));
        let other = read("[step.wiki.grant.tcp.a]\nendpoints = [\"broker:1\"]").unwrap().steps[0].grants.clone();
        assert_ne!(none.digest(), other.digest());
    }
}
