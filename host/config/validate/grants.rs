//! `[step.NAME.grant]`: directories, databases, services, tools and secrets, and what they say of each other.

use std::{collections::BTreeMap, path::Path, time::Duration};

use toml::de::DeValue;

use crate::{
    config::{
        Access, DirGrant, EnvValue, Grants, ParameterKind, Piece, SqlGrant, Template, ToolGrant, database,
        reader::{Reader, Table, Value},
        redact, schema,
        wrong::Wrong,
    },
    secret::Source,
};

mod http;

pub(super) const TIMEOUT_MIN: Duration = Duration::from_millis(10);
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
const SOURCE_HELP: &str =
    "write { file = \"/path\" }, { env = \"NAME\" }, { command = [\"/path\", …] } or { credential = \"NAME\" }";

/// What a step is granted.
pub(super) fn read(reader: &mut Reader, step: &Table) -> Option<Grants> {
    let Some(value) = step.get("grant") else { return Some(Grants::default()) };
    let grant = reader.table(&value, schema::GRANT)?;
    let dirs = named(reader, &grant, "dirs", dir);
    let sql = named(reader, &grant, "sql", sql);
    let tcp = named(reader, &grant, "tcp", super::tcp::grant);
    let granted = Granted { dirs: names(&grant, "dirs"), sql: names(&grant, "sql") };
    let tools = named(reader, &grant, "tools", |reader, value| tool(reader, value, &granted));
    let http = named(reader, &grant, "http", http::read);
    let secrets = named(reader, &grant, "secrets", source);
    Some(Grants { dirs: dirs?, sql: sql?, http: http?, tcp: tcp?, tools: tools?, secrets: secrets? })
}

/// Names that templates may refer to: as written, so that a mistake in a grant is not reported again wherever it is used.
struct Granted<'a> {
    dirs: Vec<&'a str>,
    sql: Vec<&'a str>,
}

fn names<'a>(grant: &Table<'a>, capability: &str) -> Vec<&'a str> {
    let table = grant.get(capability).and_then(|value| value.value.as_table());
    table.into_iter().flat_map(|table| table.keys()).map(|name| name.get_ref().as_ref()).collect()
}

fn named<T>(
    reader: &mut Reader,
    grant: &Table,
    capability: &str,
    read: impl Fn(&mut Reader, &Value) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let Some(value) = grant.get(capability) else { return Some(BTreeMap::new()) };
    let table = reader.map(&value)?;
    let found: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            let good = reader.name(name, value.key_span.clone());
            read(reader, &value).filter(|_| good).map(|grant| (name.to_owned(), grant))
        })
        .collect();
    found.into_iter().collect()
}

fn dir(reader: &mut Reader, value: &Value) -> Option<DirGrant> {
    let table = reader.table(value, schema::DIR)?;
    let path = reader.required(&table, "path", "\"/path/of/a/directory\"").and_then(|value| reader.path(&value));
    let access = reader
        .required(&table, "access", "\"read\"")
        .and_then(|value| reader.choice(&value, &[("read", Access::Read), ("write", Access::Write)]));
    Some(DirGrant { path: path?, access: access? })
}

fn sql(reader: &mut Reader, value: &Value) -> Option<SqlGrant> {
    let table = reader.table(value, schema::SQL)?;
    let location = reader.required(&table, "url", "\"postgresql://USER@HOST:5432/DATABASE\"").and_then(|value| {
        let text = reader.text(&value)?;
        match database::location(text) {
            Ok(location) => Some(location),
            Err(Wrong(message, help)) => {
                // A URL that cannot be read may hold a password in a place where nobody looks for it.
                reader.hidden.push(value.span.clone());
                reader.problem(value.span.clone(), message, help);
                None
            }
        }
    });
    let password = table.get("password").map(|value| source(reader, &value));
    let timeout = timeout(reader, &table);
    let location = location?;
    Some(SqlGrant {
        engine: location.engine,
        host: location.host,
        port: location.port,
        database: location.database,
        user: location.user,
        password: password.map_or(Some(None), |password| password.map(Some))?,
        sslmode: location.sslmode,
        ca: location.ca.map(|path| reader.absolute(&path)),
        timeout: timeout?,
    })
}

/// The outer `None` is a problem, the inner one means that nothing is said.
fn timeout(reader: &mut Reader, table: &Table) -> Option<Option<Duration>> {
    match table.get("timeout") {
        Some(value) => reader.duration(&value, TIMEOUT_MIN..=TIMEOUT_MAX).map(Some),
        None => Some(None),
    }
}

fn tool(reader: &mut Reader, value: &Value, granted: &Granted) -> Option<ToolGrant> {
    let table = reader.table(value, schema::TOOL)?;
    let argv = reader
        .required(&table, "argv", "[\"/absolute/program\", \"argument\", …]")
        .and_then(|value| argv(reader, &value, granted));
    let env = table.get("env").map_or_else(|| Some(BTreeMap::new()), |value| env(reader, &value, granted));
    let offline = table.get("offline").map_or(Some(false), |value| reader.flag(&value));
    let ok_exit = table.get("ok-exit").map_or_else(|| Some(vec![0]), |value| ok_exit(reader, &value));
    let timeout = timeout(reader, &table);
    Some(ToolGrant { argv: argv?, env: env?, offline: offline?, ok_exit: ok_exit?, timeout: timeout? })
}

fn argv(reader: &mut Reader, value: &Value, granted: &Granted) -> Option<Vec<Template>> {
    let items = reader.list(value)?;
    let Some(program) = items.first() else {
        reader.problem(value.span.clone(), "`argv` is empty", "begin it with the absolute path of a program");
        return None;
    };
    let templates: Vec<_> = items.iter().map(|item| template(reader, item, granted)).collect();
    let absolute = program.value.as_str().is_some_and(|program| Path::new(program).is_absolute());
    let literal = templates[0].as_ref().is_none_or(|program| program.literal().is_some());
    if !absolute || !literal {
        let message = "a tool's program must be an absolute path without parameters";
        reader.problem(program.span.clone(), message, "write for example \"/usr/bin/pg_dump\"");
        return None;
    }
    templates.into_iter().collect()
}

fn template(reader: &mut Reader, value: &Value, granted: &Granted) -> Option<Template> {
    // An empty argument is a fine one; what `text` refuses beyond that cannot be handed to a program.
    let text = if value.value.as_str() == Some("") { "" } else { reader.text(value)? };
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(fault) => {
            let span = reader.inside(value, fault.range);
            reader.problem(span, fault.message, fault.help);
            return None;
        }
    };
    let mut good = true;
    for piece in &template.0 {
        let (kind, name, known) = match piece {
            Piece::Sql { grant, .. } => ("sql", grant, &granted.sql),
            Piece::Parameter { kind: ParameterKind::Path(grant), .. } => ("dirs", grant, &granted.dirs),
            _ => continue,
        };
        if !known.contains(&name.as_str()) {
            good = false;
            let at = text.find(name.as_str()).map_or(0..text.len(), |at| at..at + name.len());
            let help = match schema::near(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("grant it with [….grant.{kind}.{name}], or name one that is granted"),
            };
            let span = reader.inside(value, at);
            reader.problem(span, format!("the template names {kind}.{name}, which is not granted"), help);
        }
    }
    good.then_some(template)
}

fn env(reader: &mut Reader, value: &Value, granted: &Granted) -> Option<BTreeMap<String, EnvValue>> {
    let table = reader.map(value)?;
    let found: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            let good = !name.is_empty() && !name.contains('=') && !name.contains(char::is_control);
            if !good {
                let message = format!("{name:?} is no name of an environment variable");
                reader.problem(value.key_span.clone(), message, "");
            }
            env_value(reader, &value, granted).filter(|_| good).map(|value| (name.to_owned(), value))
        })
        .collect();
    found.into_iter().collect()
}

fn env_value(reader: &mut Reader, value: &Value, granted: &Granted) -> Option<EnvValue> {
    if !value.value.is_table() {
        if redact::names_a_secret(value.name()) {
            return literal(
                reader,
                value,
                "write { secret = { file = \"/path\" } }, or secret-file for the path of one",
            );
        }
        return template(reader, value, granted).map(EnvValue::Text);
    }
    let table = reader.table(value, schema::TOOL_ENV)?;
    match (table.get("secret"), table.get("secret-file")) {
        (Some(secret), None) => source(reader, &secret).map(EnvValue::Secret),
        (None, Some(secret)) => source(reader, &secret).map(EnvValue::SecretFile),
        _ => {
            let help = "write text, { secret = SOURCE } or { secret-file = SOURCE }";
            reader.problem(value.span.clone(), format!("`{}` needs one value", value.key), help);
            None
        }
    }
}

fn literal<T>(reader: &mut Reader, value: &Value, help: &str) -> Option<T> {
    reader.hidden.push(value.span.clone());
    let message = format!("`{}`: secrets are never written literally", value.key);
    reader.problem(value.span.clone(), message, help);
    None
}

fn ok_exit(reader: &mut Reader, value: &Value) -> Option<Vec<i32>> {
    let items = reader.list(value)?;
    if items.is_empty() {
        reader.problem(value.span.clone(), format!("`{}` accepts no exit code at all", value.key), "write [0]");
        return None;
    }
    let code = |item| reader.integer(item, 0..=255).and_then(|code| i32::try_from(code).ok());
    items.iter().map(code).collect()
}

/// Where a secret comes from: exactly one place.
pub(super) fn source(reader: &mut Reader, value: &Value) -> Option<Source> {
    let DeValue::Table(entries) = value.value else {
        return literal(reader, value, SOURCE_HELP);
    };
    let table = reader.table(value, schema::SOURCE)?;
    if entries.len() != 1 {
        reader.problem(value.span.clone(), format!("`{}` needs exactly one source", value.key), SOURCE_HELP);
        return None;
    }
    let (key, place) = table.iter().next()?;
    match key {
        "file" => reader.path(&place).map(Source::File),
        "env" => reader.text(&place).map(|name| Source::Env(name.to_owned())),
        "credential" => credential(reader, &place),
        "command" => command(reader, &place),
        _ => None,
    }
}

fn credential(reader: &mut Reader, value: &Value) -> Option<Source> {
    let name = reader.text(value)?;
    if name.contains('/') || name == "." || name == ".." {
        reader.problem(value.span.clone(), "a credential is a single file name", "write the name from LoadCredential=");
        return None;
    }
    Some(Source::Credential(name.to_owned()))
}

fn command(reader: &mut Reader, value: &Value) -> Option<Source> {
    let argv = reader.texts(value)?;
    if !argv.first().is_some_and(|program| Path::new(program).is_absolute()) {
        let message = "a secret's command must begin with the absolute path of a program";
        reader.problem(value.span.clone(), message, "write for example [\"/usr/bin/pass\", \"show\", \"wiki\"]");
        return None;
    }
    Some(Source::Command(argv.into_iter().map(str::to_owned).collect()))
}
