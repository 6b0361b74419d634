//! Writes a pipeline as it is meant: a file with every default filled in, which is read back as the same pipeline.

use std::{path::Path, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use toml::{Table, Value};

use super::{
    ClientCertificate, Config, DirGrant, EnvValue, Grants, HttpGrant, Limits, Place, Remote, Repository, SqlGrant,
    Step, TcpGrant, ToolGrant,
    http::Credential,
    keep::{Count, Keep, Reach},
};
use crate::secret::Source;

impl Config {
    /// As a pipeline file. Paths are absolute, and secrets stand as where they come from.
    ///
    /// # Errors
    /// When a value has no counterpart in TOML: none that was read from TOML.
    pub fn as_file(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&tree(self))
    }

    /// The same as JSON, with the keys of the file.
    ///
    /// # Errors
    /// As [`Self::as_file`].
    pub fn as_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(tree(self))
    }
}

fn tree(config: &Config) -> Table {
    let mut pipeline = Table::new();
    put(&mut pipeline, "name", config.name.as_str());
    put(&mut pipeline, "state", path(&config.state));
    put(&mut pipeline, "order", word(&config.order));
    put_some(&mut pipeline, "parallel", config.parallel.map(|count| count.get() as i64));
    let severities: Table = config.severity.iter().map(|(code, is)| (code.clone(), is.word().into())).collect();
    put_filled(&mut pipeline, "severity", severities);
    let mut policy = Table::new();
    put(&mut policy, "forget", word(&config.policy.forget));
    put_filled(&mut policy, "keep", keep(&config.policy.keep));
    let mut repositories = Table::new();
    put(&mut repositories, &config.repository.name, repository(&config.repository));
    for copy in &config.copies {
        let mut table = repository(copy);
        put(&mut table, "copy-of", config.repository.name.as_str());
        put(&mut repositories, &copy.name, table);
    }
    let steps: Table = config.steps.iter().map(|of| (of.name.clone(), step(of).into())).collect();
    [("pipeline", pipeline), ("repository", repositories), ("policy", policy), ("step", steps)]
        .map(|(key, table)| (key.to_owned(), table.into()))
        .into_iter()
        .collect()
}

fn repository(repository: &Repository) -> Table {
    let mut table = Table::new();
    put(&mut table, "url", repository.url.to_string());
    put(&mut table, "format", word(&repository.format));
    put(&mut table, "compression", word(&repository.compression));
    if !repository.recipients.is_empty() {
        put(&mut table, "recipients", repository.recipients.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    put_some(&mut table, "identity", repository.identity.as_ref().map(source));
    put_some(&mut table, "password", repository.password.as_ref().map(source));
    match &repository.url {
        Place::Directory(_) => {}
        Place::Sftp(_) => {
            remote(&mut table, &repository.remote);
            put_some(&mut table, "ssh-config", repository.remote.ssh_config.as_deref().map(path));
        }
        Place::S3(_) => {
            remote(&mut table, &repository.remote);
            s3(&mut table, &repository.remote);
        }
    }
    table
}

fn remote(table: &mut Table, remote: &Remote) {
    let speed = |limit: Option<u64>| limit.and_then(|bytes| i64::try_from(bytes).ok());
    put(table, "connections", i64::from(remote.connections));
    put_some(table, "limit-upload", speed(remote.limit_upload));
    put_some(table, "limit-download", speed(remote.limit_download));
    put(table, "timeout", duration(remote.timeout));
    put(table, "retries", i64::from(remote.retries));
}

fn s3(table: &mut Table, remote: &Remote) {
    put(table, "region", remote.region.as_str());
    put_some(table, "ca", remote.ca.as_deref().map(path));
    put_some(table, "access-key-id", remote.access_key_id.as_ref().map(source));
    put_some(table, "secret-access-key", remote.secret_access_key.as_ref().map(source));
}

fn keep(keep: &Keep) -> Table {
    let value = |reach: Reach| match reach {
        Reach::Buckets(Count::Of(count)) => Value::from(i64::from(count)),
        Reach::Buckets(Count::Unlimited) => Count::Unlimited.to_string().into(),
        Reach::Within(period) => period.to_string().into(),
    };
    keep.rules().iter().map(|rule| (rule.key().to_owned(), value(rule.reach))).collect()
}

fn step(step: &Step) -> Table {
    let mut table = Table::new();
    put(&mut table, "plugin", step.plugin.as_str());
    put(&mut table, "after", step.after.clone());
    // It came from TOML, so it has a counterpart there.
    put_filled(&mut table, "config", Table::try_from(&step.config).unwrap_or_default());
    put_filled(&mut table, "grant", grants(&step.grants));
    put(&mut table, "limits", limits(&step.limits));
    table
}

fn grants(grants: &Grants) -> Table {
    let mut table = Table::new();
    put_filled(&mut table, "dirs", each(&grants.dirs, dir));
    put_filled(&mut table, "sql", each(&grants.sql, sql));
    put_filled(&mut table, "http", each(&grants.http, http));
    put_filled(&mut table, "tcp", each(&grants.tcp, tcp));
    put_filled(&mut table, "tools", each(&grants.tools, tool));
    put_filled(&mut table, "secrets", each(&grants.secrets, source));
    table
}

fn each<T>(grants: &std::collections::BTreeMap<String, T>, write: impl Fn(&T) -> Table) -> Table {
    grants.iter().map(|(name, grant)| (name.clone(), write(grant).into())).collect()
}

fn dir(grant: &DirGrant) -> Table {
    let mut table = Table::new();
    put(&mut table, "path", path(&grant.path));
    put(&mut table, "access", grant.access.word());
    table
}

fn sql(grant: &SqlGrant) -> Table {
    let mut table = Table::new();
    put(&mut table, "url", url(grant));
    put_some(&mut table, "password", grant.password.as_ref().map(source));
    put_some(&mut table, "timeout", grant.timeout.map(duration));
    table
}

/// What is no part of a name in a URL, or would end it.
const OUTSIDE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn url(grant: &SqlGrant) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, OUTSIDE).to_string();
    let host = match grant.host.contains(':') {
        true => format!("[{}]", grant.host),
        false => encoded(&grant.host),
    };
    let scheme = word(&grant.engine);
    let (user, name) = (encoded(&grant.user), encoded(&grant.database));
    let mut url = format!("{scheme}://{user}@{host}:{}/{name}?sslmode={}", grant.port, grant.sslmode.word());
    if let Some(ca) = &grant.ca {
        url.push_str(&format!("&sslrootcert={}", encoded(&path(ca))));
    }
    url
}

fn http(grant: &HttpGrant) -> Table {
    let mut table = Table::new();
    put(&mut table, "url", grant.url());
    put(&mut table, "methods", grant.methods.clone());
    put(&mut table, "paths", grant.paths.clone());
    put_some(&mut table, "ca", grant.ca.as_deref().map(path));
    put_identity(&mut table, grant.identity.as_ref());
    match &grant.credential {
        Some(Credential::Basic { user, password }) => {
            let pair = [("user".to_owned(), user.clone().into()), ("password".to_owned(), source(password).into())];
            put(&mut table, "basic", Table::from_iter(pair));
        }
        Some(Credential::Bearer(token)) => put(&mut table, "bearer", source(token)),
        Some(Credential::Header { name, value }) => {
            let pair = [("name".to_owned(), name.clone().into()), ("value".to_owned(), source(value).into())];
            put(&mut table, "header", Table::from_iter(pair));
        }
        None => {}
    }
    put(&mut table, "timeout", duration(grant.timeout));
    put(&mut table, "connect-timeout", duration(grant.connect_timeout));
    table
}

fn tcp(grant: &TcpGrant) -> Table {
    let mut table = Table::new();
    put(&mut table, "endpoints", grant.endpoints.iter().map(ToString::to_string).collect::<Vec<_>>());
    if let Some(tls) = &grant.tls {
        let mut inner = Table::new();
        put_some(&mut inner, "ca", tls.ca.as_deref().map(path));
        put_identity(&mut inner, tls.identity.as_ref());
        put_some(&mut inner, "server-name", tls.server_name.clone());
        put(&mut table, "tls", if inner.is_empty() { Value::from(true) } else { inner.into() });
    }
    put(&mut table, "connect-timeout", duration(grant.connect_timeout));
    put(&mut table, "idle", duration(grant.idle));
    table
}

fn put_identity(table: &mut Table, identity: Option<&ClientCertificate>) {
    if let Some(identity) = identity {
        put(table, "certificate", path(&identity.certificate));
        put(table, "key", path(&identity.key));
    }
}

fn tool(grant: &ToolGrant) -> Table {
    let mut table = Table::new();
    put(&mut table, "argv", grant.argv.iter().map(ToString::to_string).collect::<Vec<_>>());
    let value = |value: &EnvValue| match value {
        EnvValue::Text(text) => Value::from(text.to_string()),
        EnvValue::Secret(from) => Table::from_iter([("secret".to_owned(), source(from).into())]).into(),
        EnvValue::SecretFile(from) => Table::from_iter([("secret-file".to_owned(), source(from).into())]).into(),
    };
    put_filled(&mut table, "env", grant.env.iter().map(|(name, is)| (name.clone(), value(is))).collect());
    put(&mut table, "offline", grant.offline);
    put(&mut table, "ok-exit", grant.ok_exit.clone());
    put_some(&mut table, "timeout", grant.timeout.map(duration));
    table
}

fn source(source: &Source) -> Table {
    let (key, place) = match source {
        Source::File(file) => ("file", path(file).into()),
        Source::Env(name) => ("env", name.clone().into()),
        Source::Command(argv) => ("command", argv.clone().into()),
        Source::Credential(name) => ("credential", name.clone().into()),
    };
    Table::from_iter([(key.to_owned(), place)])
}

fn limits(limits: &Limits) -> Table {
    let mut table = Table::new();
    put(&mut table, "memory", size(limits.memory_bytes));
    put(&mut table, "compute", duration(limits.compute));
    put(&mut table, "no-progress", duration(limits.no_progress));
    put(&mut table, "part-time", duration(limits.part_time));
    put(&mut table, "handles", i64::from(limits.handles));
    put(&mut table, "open-streams", i64::from(limits.open_streams));
    put(&mut table, "log-bytes", size(limits.log_bytes));
    put(&mut table, "hostcall-fuel", size(limits.hostcall_fuel_bytes));
    table
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn put_some<T: Into<Value>>(table: &mut Table, key: &str, value: Option<T>) {
    if let Some(value) = value {
        put(table, key, value);
    }
}

fn put_filled(table: &mut Table, key: &str, value: Table) {
    if !value.is_empty() {
        put(table, key, value);
    }
}

/// Every path of a pipeline came from TOML, which is UTF-8.
fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The word of an enum whose variants are words of the file.
fn word(word: &impl Serialize) -> String {
    serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// With the largest unit that divides it, so that nothing is rounded.
fn size(bytes: u64) -> Value {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit).into(),
        None => i64::try_from(bytes).unwrap_or(i64::MAX).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        schema,
        validate::tests::{self, HEAD, WHOLE},
    };

    fn read(text: &str) -> Config {
        tests::read(text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    fn short() -> String {
        format!("{HEAD}[step.wiki]\nplugin = \"wiki\"\n")
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same_pipeline() {
        let config = read(WHOLE);
        let again = read(&config.as_file().unwrap());
        assert_eq!(config.as_json().unwrap(), again.as_json().unwrap());
        for (step, step_again) in config.steps.iter().zip(&again.steps) {
            assert_eq!((&step.grants, &step.limits), (&step_again.grants, &step_again.limits));
            assert_eq!((&step.config, &step.after), (&step_again.config, &step_again.after));
        }
        assert_eq!((config.state, config.severity, config.parallel), (again.state, again.severity, again.parallel));
    }

    #[test]
    fn a_short_file_is_shown_with_its_defaults() {
        insta::assert_snapshot!(read(&short()).as_file().unwrap(), @r#"
        [pipeline]
        name = "wiki"
        state = "/state"
        order = "settled"

        [repository.local]
        url = "/etc/strongroom/sets"
        format = "zip"
        compression = "auto"

        [policy]
        forget = "when-asked"

        [step.wiki]
        plugin = "wiki"
        after = []

        [step.wiki.limits]
        memory = "64 MiB"
        compute = "10m"
        no-progress = "5m"
        part-time = "1day"
        handles = 4096
        open-streams = 1024
        log-bytes = "1 MiB"
        hostcall-fuel = "8 MiB"
        "#);
    }

    #[test]
    fn every_key_that_a_file_may_have_is_shown() {
        let elsewhere = read(tests::SFTP).as_file().unwrap() + &read(tests::S3).as_file().unwrap();
        let shown = read(WHOLE).as_file().unwrap() + &elsewhere;
        let tables = [
            schema::PIPELINE,
            schema::REPOSITORY,
            schema::STEP,
            schema::GRANT,
            schema::DIR,
            schema::SQL,
            schema::POLICY,
            schema::HTTP,
            schema::HTTP_BASIC,
            schema::HTTP_HEADER,
            schema::TCP,
            schema::TCP_TLS,
            schema::TOOL,
            schema::TOOL_ENV,
            schema::SOURCE,
            schema::LIMITS,
        ];
        for key in tables.concat() {
            let written = [format!("{key} = "), format!(".{key}]"), format!(".{key}."), format!("[{key}]")];
            assert!(
                written.iter().any(|words| shown.contains(words)),
                "`{key}` is not shown: write it in config/written.rs\n{shown}"
            );
        }
    }

    #[test]
    fn odd_names_and_sockets_stand_in_a_url_that_is_read_back() {
        for url in [
            "postgresql://me@%2Frun%2Fpg:7/wiki",
            "postgresql://me@/wiki?host=/run/a%20b",
            "postgresql://a%20b%40c@[::1]:5433/x%2Fy%3Fz?sslrootcert=/c%26d.pem",
        ] {
            let text = short() + &format!("[step.wiki.grant.sql.database]\nurl = \"{url}\"\n");
            let config = read(&text);
            assert_eq!(config.steps[0].grants, read(&config.as_file().unwrap()).steps[0].grants, "{url}");
        }
    }
}
