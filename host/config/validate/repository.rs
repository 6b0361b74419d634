//! `[repository.NAME]`: where snapshots go, and where copies of them.

use std::path::PathBuf;

use super::grants;
use crate::config::{
    Compression, Format, Repository,
    reader::{Reader, Table, Value},
    recipient::Recipient,
    schema,
};

/// A repository, and what it is a copy of.
struct Read {
    repository: Repository,
    copy_of: Option<String>,
}

/// The one that snapshots go to, and those that they are copied to.
pub(super) fn read(reader: &mut Reader, root: &Table) -> Option<(Repository, Vec<Repository>)> {
    let value = reader.required(root, "repository", "[repository.local] with url = \"…\" and format = \"zip\"")?;
    let repositories = reader.map(&value)?;
    if repositories.is_empty() {
        reader.problem(value.key_span, "[repository] has no repository in it", "write [repository.local]");
        return None;
    }
    let read: Vec<_> = repositories.iter().map(|(name, value)| one(reader, name, &value)).collect();
    let names = names(reader, &repositories);
    let (mut first, mut copies) = (None, Vec::new());
    for Read { repository, copy_of } in read.into_iter().collect::<Option<Vec<_>>>()? {
        match copy_of {
            None => first = Some(repository),
            Some(_) => copies.push(repository),
        }
    }
    let first = first?;
    let apart = are_apart(reader, &repositories, &first, &copies);
    (names && apart).then_some((first, copies))
}

/// Whether each copy has a place of its own, and can be made.
fn are_apart(reader: &mut Reader, repositories: &Table, first: &Repository, copies: &[Repository]) -> bool {
    let mut well = true;
    for copy in copies {
        let closed = [first, copy].into_iter().find(|one| !one.recipients.is_empty() && one.identity.is_none());
        let (message, help) = match closed {
            _ if copy.url == first.url => {
                (format!("{} is where backups are written to", copy.url.display()), "copies need another place")
            }
            Some(closed) => (
                format!("copies cannot be made without an `identity`: the sets of {} are encrypted", closed.name),
                "write identity = { file = \"…\" } there: a copy is read from one repository, and read back from the other",
            ),
            None => continue,
        };
        let span = repositories.get(&copy.name).map(|value| value.key_span);
        reader.problem(span, message, help);
        well = false;
    }
    well
}

/// Whether one repository is no copy, and all others are copies of that one.
fn names(reader: &mut Reader, repositories: &Table) -> bool {
    let mut first = None;
    let mut well = true;
    let mut copies = Vec::new();
    for (name, value) in repositories.iter() {
        match (value.value.as_table().and_then(|table| table.get("copy-of")), first) {
            (Some(_), _) => copies.push(value),
            (None, None) => first = Some(name),
            (None, Some(first)) => {
                let message = format!("a second repository, {name:?}");
                let help = format!("a backup is written to one: write copy-of = {first:?} in all others");
                reader.problem(value.key_span.clone(), message, help);
                well = false;
            }
        }
    }
    let Some(first) = first else {
        let help = "leave `copy-of` out of the one that backups are written to";
        let span = copies.first().map(|value| value.key_span.clone());
        reader.problem(span, "every repository is a copy", help);
        return false;
    };
    for value in copies {
        well &= is_copy_of(reader, &value, first);
    }
    well
}

fn is_copy_of(reader: &mut Reader, value: &Value, first: &str) -> bool {
    let Some(value) = reader.map(value).and_then(|table| table.get("copy-of")) else { return false };
    let Some(of) = reader.text(&value) else { return false };
    if of != first {
        let message = format!("`copy-of` names {of:?}, which is not where backups are written to");
        reader.problem(value.span.clone(), message, format!("write copy-of = {first:?}"));
    }
    of == first
}

fn one(reader: &mut Reader, name: &str, value: &Value) -> Option<Read> {
    let named = reader.name(name, value.key_span.clone());
    let table = reader.table(value, schema::REPOSITORY)?;
    let copy_of = table.get("copy-of").map_or(Some(None), |value| Some(Some(reader.text(&value)?.to_owned())));
    let url = reader.required(&table, "url", "\"/srv/backup\"").and_then(|value| directory(reader, &value));
    let format = reader.required(&table, "format", "\"zip\" or \"restic\"").and_then(|value| format(reader, &value));
    let compression =
        table.get("compression").map_or(Some(Compression::default()), |value| compression(reader, &value));
    let recipients = table.get("recipients").map_or_else(|| Some(Vec::new()), |value| recipients(reader, &value));
    let identity = table.get("identity").map_or(Some(None), |value| grants::source(reader, &value).map(Some));
    let password = table.get("password").map_or(Some(None), |value| grants::source(reader, &value).map(Some));
    let fits = format.is_some_and(|format| fits(reader, &table, value, format));
    let repository = Repository {
        name: name.to_owned(),
        url: url?,
        format: format?,
        compression: compression?,
        recipients: recipients?,
        identity: identity?,
        password: password?,
    };
    (named && fits).then_some(Read { repository, copy_of: copy_of? })
}

/// Most recipients of a set.
const RECIPIENTS_MAX: usize = 64;

fn recipients(reader: &mut Reader, value: &Value) -> Option<Vec<Recipient>> {
    let items = reader.list(value)?;
    if items.is_empty() || items.len() > RECIPIENTS_MAX {
        let message = format!("`{}` must name 1 to {RECIPIENTS_MAX} recipients", value.key);
        reader.problem(value.span.clone(), message, "without the key, sets are not encrypted");
        return None;
    }
    let recipient = |item: &Value| {
        let parsed = reader.text(item)?.parse::<Recipient>();
        if let Err(why) = parsed {
            // Somebody may have taken the secret key instead.
            reader.hidden.push(item.span.clone());
            let message = format!("`{}`: {why}", item.key);
            reader.problem(item.span.clone(), message, "write the public key; the secret one belongs into a file");
        }
        parsed.ok()
    };
    let recipients: Vec<_> = items.iter().map(recipient).collect();
    recipients.into_iter().collect()
}

fn directory(reader: &mut Reader, value: &Value) -> Option<PathBuf> {
    let text = reader.text(value)?;
    if let Some((scheme, _)) = text.split_once("://") {
        if text.contains('@') {
            reader.hidden.push(value.span.clone());
        }
        let message = format!("repositories at {scheme}:// are not in this release yet");
        reader.problem(value.span.clone(), message, "write the path of a directory");
        return None;
    }
    reader.path(value)
}

fn format(reader: &mut Reader, value: &Value) -> Option<Format> {
    reader.choice(value, &[Format::Zip, Format::Restic].map(|format| (format.word(), format)))
}

/// Names each key that means nothing in a repository of that format, or is missing there.
fn fits(reader: &mut Reader, table: &Table, value: &Value, format: Format) -> bool {
    let (strange, help): (&[&str], _) = match format {
        Format::Zip => (&["password"], "a set is encrypted by `recipients`, and opened by `identity`"),
        Format::Restic => (&["recipients", "identity"], "a repository of format restic is encrypted by its `password`"),
    };
    let mut fits = true;
    for value in strange.iter().filter_map(|key| table.get(key)) {
        let message = format!("`{}` means nothing in this format", value.key);
        reader.problem(value.key_span.clone(), message, help);
        fits = false;
    }
    if format == Format::Restic && table.get("password").is_none() {
        let message = "a repository of format restic needs a `password`";
        reader.problem(value.key_span.clone(), message, "write password = { file = \"/etc/strongroom/password\" }");
        fits = false;
    }
    fits
}

fn compression(reader: &mut Reader, value: &Value) -> Option<Compression> {
    reader.choice(value, &[("auto", Compression::Auto), ("off", Compression::Off)])
}
