//! Walks a TOML tree that knows where each value stands, and collects every problem instead of stopping at the first.

use std::{
    ops::{Range, RangeInclusive},
    path::PathBuf,
    time::Duration,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::schema;
use crate::diagnostic::Diagnostic;

/// What has been found so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    directory: PathBuf,
    /// In the order in which they were met.
    pub(super) problems: Vec<Diagnostic>,
    /// Parts of the text that must not be shown to anyone.
    pub(super) hidden: Vec<Range<usize>>,
}

/// A value, the key that it stands behind, and where.
#[derive(Clone)]
pub(super) struct Value<'a> {
    /// The whole key: `step.wiki.plugin`.
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

/// A table and where its name stands.
#[derive(Clone)]
pub(super) struct Table<'a> {
    /// `step.wiki`; empty for the whole file.
    pub(super) key: String,
    span: Option<Range<usize>>,
    entries: &'a DeTable<'a>,
}

impl<'a> Value<'a> {
    /// The last name of its key.
    pub(super) fn name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or(&self.key)
    }
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(super) fn root(entries: &'a DeTable<'a>) -> Self {
        Self { key: String::new(), span: None, entries }
    }

    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// In the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let prefix = if self.key.is_empty() { String::new() } else { format!("{}.", self.key) };
        self.entries.iter().map(move |(key, value)| {
            let name: &'a str = key.get_ref();
            let (key_span, key) = (key.span(), format!("{prefix}{name}"));
            (name, Value { key, key_span, span: value.span(), value: value.get_ref() })
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn display(&self) -> String {
        if self.key.is_empty() { "the file".to_owned() } else { format!("[{}]", self.key) }
    }
}

impl<'a> Reader<'a> {
    /// A reader of `text` whose relative paths begin at `directory`, which is absolute.
    pub(super) fn new(text: &'a str, directory: PathBuf) -> Self {
        Self { text, directory, problems: Vec::new(), hidden: Vec::new() }
    }

    pub(super) fn problem(
        &mut self,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.problems.push(Diagnostic { message: message.into(), span: span.into(), help });
    }

    /// Where `range` of a string's value stands in the file; the whole string when it is written with escapes.
    pub(super) fn inside(&self, value: &Value, range: Range<usize>) -> Range<usize> {
        let written = self.text.get(value.span.clone()).unwrap_or_default();
        match (value.value.as_str(), written.find(['"', '\''])) {
            (Some(text), Some(0)) if written.get(1..written.len() - 1) == Some(text) => {
                value.span.start + 1 + range.start..value.span.start + 1 + range.end
            }
            _ => value.span.clone(),
        }
    }

    fn mistyped(&mut self, value: &Value, expected: &str) {
        let found = match value.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(value.span.clone(), format!("`{}` is {found}, expected {expected}", value.key), "");
    }

    /// A table with any keys.
    pub(super) fn map<'v>(&mut self, value: &Value<'v>) -> Option<Table<'v>> {
        let Some(entries) = value.value.as_table() else {
            self.mistyped(value, "a table");
            return None;
        };
        Some(Table { key: value.key.clone(), span: Some(value.key_span.clone()), entries })
    }

    /// A table with no other keys than `known`.
    pub(super) fn table<'v>(&mut self, value: &Value<'v>, known: &[&str]) -> Option<Table<'v>> {
        let table = self.map(value)?;
        self.only(&table, known);
        Some(table)
    }

    /// Reports every key that is not `known`. What stands behind one in a grant may be a secret, and is not shown.
    pub(super) fn only(&mut self, table: &Table, known: &[&str]) {
        for (name, value) in table.iter().filter(|(name, _)| !known.contains(name)) {
            let inline = !self.text[value.span.clone()].starts_with('[') || value.value.is_array();
            if table.key.contains(".grant") && inline {
                self.hidden.push(value.span.clone());
            }
            let help = match schema::near(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.problem(value.key_span.clone(), format!("unknown key `{name}` in {}", table.display()), help);
        }
    }

    /// A key that must be there; `example` is its value, or for a table its `[header]`.
    pub(super) fn required<'v>(&mut self, table: &Table<'v>, name: &str, example: &str) -> Option<Value<'v>> {
        let value = table.get(name);
        let misspelt = |problem: &Diagnostic| {
            let meant = |(key, value): (&str, Value)| {
                problem.span.as_ref() == Some(&value.key_span) && schema::near(key, [name]).is_some()
            };
            table.iter().any(meant)
        };
        if value.is_none() && !self.problems.iter().any(misspelt) {
            let is_header = example.starts_with(&format!("[{name}"));
            let help = if is_header { example.to_owned() } else { format!("{name} = {example}") };
            self.problem(table.span.clone(), format!("{} lacks `{name}`", table.display()), format!("add {help}"));
        }
        value
    }

    /// Text that is not empty and holds no control character.
    pub(super) fn text<'v>(&mut self, value: &Value<'v>) -> Option<&'v str> {
        let Some(text) = value.value.as_str() else {
            self.mistyped(value, "a string");
            return None;
        };
        if text.is_empty() || text.contains(char::is_control) {
            let message = format!("`{}` is empty or holds a control character", value.key);
            self.problem(value.span.clone(), message, "");
            return None;
        }
        Some(text)
    }

    pub(super) fn flag(&mut self, value: &Value) -> Option<bool> {
        let flag = value.value.as_bool();
        if flag.is_none() {
            self.mistyped(value, "true or false");
        }
        flag
    }

    pub(super) fn list<'v>(&mut self, value: &Value<'v>) -> Option<Vec<Value<'v>>> {
        let Some(array) = value.value.as_array() else {
            self.mistyped(value, "a list");
            return None;
        };
        let item = |item: &'v Spanned<DeValue<'v>>| Value {
            key: value.key.clone(),
            key_span: item.span(),
            span: item.span(),
            value: item.get_ref(),
        };
        Some(array.iter().map(item).collect())
    }

    pub(super) fn texts<'v>(&mut self, value: &Value<'v>) -> Option<Vec<&'v str>> {
        self.list(value)?.iter().map(|item| self.text(item)).collect()
    }

    pub(super) fn integer(&mut self, value: &Value, range: RangeInclusive<i64>) -> Option<i64> {
        let Some(integer) = value.value.as_integer() else {
            self.mistyped(value, "an integer");
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|integer| range.contains(integer)) {
            Some(integer) => Some(integer),
            None => {
                let message = format!("`{}` must lie between {} and {}", value.key, range.start(), range.end());
                self.problem(value.span.clone(), message, "");
                None
            }
        }
    }

    /// "6h", "90s", "2m 30s".
    pub(super) fn duration(&mut self, value: &Value, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text(value)?;
        let (low, high) = (humantime::format_duration(*range.start()), humantime::format_duration(*range.end()));
        match humantime::parse_duration(text) {
            Ok(duration) if range.contains(&duration) => return Some(duration),
            Ok(_) => {
                let message = format!("`{}` must lie between {low} and {high}", value.key);
                self.problem(value.span.clone(), message, "");
            }
            Err(error) => {
                let message = format!("`{}` is no duration: {error}", value.key);
                self.problem(value.span.clone(), message, "write a number and a unit, like \"90s\", \"15m\" or \"6h\"");
            }
        }
        None
    }

    /// "256 MiB", or a number of bytes.
    pub(super) fn size(&mut self, value: &Value, range: RangeInclusive<u64>) -> Option<u64> {
        if value.value.is_integer() {
            let limit = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            let bytes = self.integer(value, limit(*range.start())..=limit(*range.end()))?;
            return u64::try_from(bytes).ok();
        }
        let text = self.text(value)?;
        let show = |bytes: u64| bytesize::ByteSize(bytes).display().iec();
        match text.parse::<bytesize::ByteSize>() {
            Ok(size) if range.contains(&size.as_u64()) => return Some(size.as_u64()),
            Ok(_) => {
                let (low, high) = (show(*range.start()), show(*range.end()));
                self.problem(value.span.clone(), format!("`{}` must lie between {low} and {high}", value.key), "");
            }
            Err(_) => {
                let help = "write a number and a unit, like \"256 MiB\"";
                self.problem(value.span.clone(), format!("`{}` is no size", value.key), help);
            }
        }
        None
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, value: &Value, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let list: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let message = format!("{text:?} is no value of `{}`", value.key);
        self.problem(value.span.clone(), message, format!("write {}", list.join(" or ")));
        None
    }

    /// An absolute path; a relative one begins at the pipeline file's directory.
    pub(super) fn path(&mut self, value: &Value) -> Option<PathBuf> {
        let text = self.text(value)?;
        if text == "~" || text.starts_with("~/") {
            let message = format!("`{}` begins with ~, which is not expanded", value.key);
            self.problem(value.span.clone(), message, "write the whole path");
            return None;
        }
        Some(self.absolute(text))
    }

    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        // Through its components, so that "." and doubled slashes do not make two spellings of one path.
        self.directory.join(path).components().collect()
    }

    pub(super) fn text_of_file(&self) -> &'a str {
        self.text
    }

    /// Reports a key that may not name a pipeline, repository, step or grant.
    pub(super) fn name(&mut self, name: &str, span: Range<usize>) -> bool {
        let good = schema::is_name(name);
        if !good {
            let help = "lower-case letters, digits, - and _, beginning with a letter or digit, at most 63";
            self.problem(span, format!("{name:?} is no name"), help);
        }
        good
    }
}
