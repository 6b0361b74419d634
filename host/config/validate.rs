//! From the file as written to the pipeline as meant, or every problem at once.

use std::{
    collections::BTreeMap,
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    Config, Limits, Order, Step,
    reader::{Reader, Table, Value},
    redact, schema,
};
use crate::diagnostic::{Problems, Severity};

mod grants;
mod limits;
mod policy;
mod repository;
mod tcp;

/// Longest pipeline or lock file that is read, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why there is no pipeline.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("reading {path}: {cause}; name another one with --config", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said; kind `InvalidData` when it is no UTF-8 text or longer than 4 MiB.
        cause: std::io::Error,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Reads a pipeline file.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong in it.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let text = read(path).map_err(|cause| LoadError::Unreadable { path: path.to_owned(), cause })?;
    Ok(parse(path, &text, &|name| std::env::var(name).ok())?)
}

/// The text of a file that is not too long.
pub(super) fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "longer than 4 MiB"));
    }
    Ok(text)
}

/// Reads a pipeline's text. `path` says where relative paths begin, `env` is the environment.
///
/// # Errors
/// Everything that is wrong, with secrets that were written literally taken out of the text.
pub fn parse(path: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    let (tree, faults) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text, directory_of(path));
    let config = if faults.is_empty() {
        file(&mut reader, path, tree.get_ref(), env)
    } else {
        faults.iter().for_each(|fault| reader.problem(fault.span(), fault.message(), ""));
        reader.hidden = redact::likely_secrets(text);
        None
    };
    let Reader { mut problems, hidden, .. } = reader;
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
            let text = redact::redact(text, hidden, &mut problems);
            Err(Problems { file: path.display().to_string(), text, problems })
        }
    }
}

fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned())
}

fn file(reader: &mut Reader, path: &Path, tree: &DeTable, env: &dyn Fn(&str) -> Option<String>) -> Option<Config> {
    let root = Table::root(tree);
    reader.only(&root, schema::FILE);
    let pipeline = reader.required(&root, "pipeline", "[pipeline] with name = \"…\"").and_then(|value| {
        let table = reader.table(&value, schema::PIPELINE)?;
        pipeline(reader, &table, env)
    });
    let repositories = repository::read(reader, &root);
    let policy = policy::read(reader, &root);
    let steps = steps(reader, &root);
    if directory_of(path).to_str().is_none() {
        reader.problem(None, "the name of the pipeline file's directory is not UTF-8", "move it to another one");
    }
    let Pipeline { name, state, order, parallel, severity } = pipeline?;
    let (path, text) = (path.to_owned(), reader.text_of_file().to_owned());
    let ((repository, copies), policy, steps) = (repositories?, policy?, steps?);
    Some(Config { path, text, name, state, order, parallel, severity, repository, copies, policy, steps })
}

/// `[pipeline]`
struct Pipeline {
    name: String,
    state: PathBuf,
    order: Order,
    parallel: Option<NonZeroUsize>,
    severity: BTreeMap<String, Severity>,
}

fn pipeline(reader: &mut Reader, table: &Table, env: &dyn Fn(&str) -> Option<String>) -> Option<Pipeline> {
    let name = reader.required(table, "name", "\"…\"").and_then(|value| {
        let name = reader.text(&value)?;
        reader.name(name, value.span.clone()).then(|| name.to_owned())
    });
    let order = table.get("order").map_or(Some(Order::default()), |value| {
        reader.choice(&value, &[("settled", Order::Settled), ("strict", Order::Strict)])
    });
    let parallel = table.get("parallel").and_then(|value| reader.integer(&value, 1..=1024));
    let severity = table.get("severity").map_or_else(|| Some(BTreeMap::new()), |value| severity(reader, &value));
    let state = match table.get("state") {
        Some(value) => reader.path(&value),
        None => state(env, name.as_deref().unwrap_or_default()).or_else(|| {
            let help = "set `state` in [pipeline], or HOME, XDG_STATE_HOME or STATE_DIRECTORY";
            reader.problem(None, "there is no place for the pipeline's state", help);
            None
        }),
    };
    let parallel = parallel.and_then(|count| NonZeroUsize::new(count.try_into().ok()?));
    Some(Pipeline { name: name?, state: state?, order: order?, parallel, severity: severity? })
}

fn state(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<PathBuf> {
    let set = |variable: &str| env(variable).filter(|value| value.starts_with('/'));
    if let Some(directories) = set("STATE_DIRECTORY") {
        // systemd lists several with colons between them; the first is ours.
        return directories.split(':').next().map(PathBuf::from);
    }
    if rustix::process::geteuid().is_root() {
        return Some(Path::new("/var/lib/strongroom").join(name));
    }
    let base = set("XDG_STATE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))?;
    Some(base.join("strongroom").join(name))
}

fn severity(reader: &mut Reader, value: &Value) -> Option<BTreeMap<String, Severity>> {
    let words = [Severity::Info, Severity::Warning, Severity::Blocker].map(|severity| (severity.word(), severity));
    let codes = reader.map(value)?;
    codes.iter().map(|(code, value)| Some((code.to_owned(), reader.choice(&value, &words)?))).collect()
}

fn steps(reader: &mut Reader, root: &Table) -> Option<Vec<Step>> {
    let value = reader.required(root, "step", "[step.NAME] with plugin = \"…\"")?;
    let table = reader.map(&value)?;
    if table.is_empty() {
        reader.problem(value.key_span, "[step] has no step in it", "write [step.NAME] with plugin = \"…\"");
    }
    let steps: Vec<_> = table.iter().map(|(name, value)| step(reader, name, &value)).collect();
    order(reader, &table);
    steps.into_iter().collect()
}

fn step(reader: &mut Reader, name: &str, value: &Value) -> Option<Step> {
    let named = reader.name(name, value.key_span.clone());
    let table = reader.table(value, schema::STEP)?;
    let plugin = reader.required(&table, "plugin", "\"…\"").and_then(|value| reader.text(&value));
    let after = table.get("after").map_or_else(|| Some(Vec::new()), |value| reader.texts(&value));
    let config = table.get("config").map_or_else(
        || Some(serde_json::Value::Object(serde_json::Map::new())),
        |value| reader.map(&value).and_then(|_| json(reader, &value.key, value.value, &value.span)),
    );
    let grants = grants::read(reader, &table);
    let limits = table.get("limits").map_or_else(|| Some(Limits::default()), |value| limits::read(reader, &value));
    Some(Step {
        name: named.then(|| name.to_owned())?,
        plugin: plugin?.to_owned(),
        after: after?.into_iter().map(str::to_owned).collect(),
        config: config?,
        grants: grants?,
        limits: limits?,
    })
}

/// The plugin's own configuration: TOML's dates become text, everything else has a counterpart.
fn json(reader: &mut Reader, key: &str, value: &DeValue, span: &std::ops::Range<usize>) -> Option<serde_json::Value> {
    let found = match value {
        DeValue::String(text) => Some(text.as_ref().into()),
        DeValue::Boolean(flag) => Some((*flag).into()),
        DeValue::Datetime(time) => Some(time.to_string().into()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(serde_json::Value::from)
        }
        DeValue::Float(float) => {
            float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Into::into)
        }
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| json(reader, key, item.get_ref(), &item.span())).collect();
            return items.into_iter().collect::<Option<Vec<_>>>().map(Into::into);
        }
        DeValue::Table(table) => {
            let entry = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue>)| {
                let name: &std::borrow::Cow<str> = name.get_ref();
                Some((name.to_string(), json(reader, &format!("{key}.{name}"), value.get_ref(), &value.span())?))
            };
            let entries: Vec<_> = table.iter().map(entry).collect();
            return entries.into_iter().collect::<Option<serde_json::Map<_, _>>>().map(Into::into);
        }
    };
    if found.is_none() {
        reader.problem(span.clone(), format!("`{key}` is a number that JSON cannot hold"), "");
    }
    found
}

/// `after` names other steps, and no step comes after itself.
fn order(reader: &mut Reader, steps: &Table) {
    let names: Vec<&str> = steps.iter().map(|(name, _)| name).collect();
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in steps.iter() {
        let Some(list) = value.value.as_table().and_then(|table| table.get("after")) else { continue };
        let Some(items) = list.get_ref().as_array() else { continue };
        for item in items.iter() {
            let Some(earlier) = item.get_ref().as_str() else { continue };
            if !names.contains(&earlier) {
                let help = match schema::near(earlier, names.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("steps are {}", names.join(", ")),
                };
                reader.problem(item.span(), format!("`after` names {earlier:?}, which is no step"), help);
            } else if earlier == name || reaches(&after, earlier, name) {
                let message = format!("step {name:?} would come after itself");
                reader.problem(item.span(), message, format!("take {earlier:?} out of its `after`"));
            } else {
                after.entry(name).or_default().push(earlier);
            }
        }
    }
}

/// Whether `from` comes, over any number of steps, after `to`. There are no cycles in `after` yet.
fn reaches(after: &BTreeMap<&str, Vec<&str>>, from: &str, to: &str) -> bool {
    let (mut open, mut seen) = (vec![from], std::collections::BTreeSet::new());
    while let Some(step) = open.pop() {
        if step == to {
            return true;
        }
        if seen.insert(step) {
            open.extend(after.get(step).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
pub(super) mod tests;
