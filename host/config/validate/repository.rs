//! `[repository.NAME]`: where snapshots go, where copies of them, and how a place elsewhere is reached.

use std::time::Duration;

use super::grants;
use crate::config::{
    Compression, Format, Place, Remote, Repository, place,
    reader::{Reader, Table, Value},
    recipient::Recipient,
    schema,
    wrong::Wrong,
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
        let (message, help) = match closed(first, copy) {
            _ if copy.url == first.url => {
                (format!("{} is where backups are written to", copy.url), "copies need another place")
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

/// The repository whose sets a copy cannot be made without opening, where nothing opens them.
fn closed<'r>(first: &'r Repository, copy: &'r Repository) -> Option<&'r Repository> {
    let is_closed = |one: &Repository| !one.recipients.is_empty() && one.identity.is_none();
    match (first.format, copy.format) {
        // A set that is encrypted stays as it is.
        (Format::Zip, Format::Zip) if !first.recipients.is_empty() => None,
        // What is brought elsewhere is read back without being opened.
        (_, Format::Zip) if copy.url.directory().is_none() => Some(first).filter(|first| is_closed(first)),
        _ => [first, copy].into_iter().find(|one| is_closed(one)),
    }
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
    let url = reader.required(&table, "url", "\"/srv/backup\"").and_then(|value| url(reader, &value));
    let format = reader.required(&table, "format", "\"zip\" or \"restic\"").and_then(|value| format(reader, &value));
    let compression =
        table.get("compression").map_or(Some(Compression::default()), |value| compression(reader, &value));
    let recipients = table.get("recipients").map_or_else(|| Some(Vec::new()), |value| recipients(reader, &value));
    let identity = secret(reader, &table, "identity");
    let password = secret(reader, &table, "password");
    let fits = format.is_some_and(|format| fits(reader, &table, value, format));
    let remote = remote(reader, &table);
    let (url, format) = (url?, format?);
    let reached = reaches(reader, &table, &url, format);
    let (compression, recipients, identity, password) = (compression?, recipients?, identity?, password?);
    let remote = remote.filter(|_| named && fits && reached)?;
    let name = name.to_owned();
    let repository = Repository { name, url, format, compression, recipients, identity, password, remote };
    Some(Read { repository, copy_of: copy_of? })
}

/// The outer `None` is a problem, the inner one means that nothing is said.
fn secret(reader: &mut Reader, table: &Table, name: &str) -> Option<Option<crate::secret::Source>> {
    table.get(name).map_or(Some(None), |value| grants::source(reader, &value).map(Some))
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

fn url(reader: &mut Reader, value: &Value) -> Option<Place> {
    let text = reader.text(value)?;
    match place::elsewhere(text) {
        Ok(Some(place)) => Some(place),
        Ok(None) => reader.path(value).map(Place::Directory),
        Err(Wrong(message, help)) => {
            // Where a password or a token may be.
            if text.contains(['@', '?']) {
                reader.hidden.push(value.span.clone());
            }
            reader.problem(value.span.clone(), message, help);
            None
        }
    }
}

const CONNECTIONS_MAX: i64 = 64;
const RETRIES_MAX: i64 = 20;
/// Bytes a second: less would take hours for one file.
const SPEED_MIN: u64 = 16 << 10;
const SPEED_MAX: u64 = 1 << 40;

/// What says how a place that is not on this machine is reached.
fn remote(reader: &mut Reader, table: &Table) -> Option<Remote> {
    let default = Remote::default();
    let mut count = |name, range, default| match table.get(name) {
        Some(value) => reader.integer(&value, range).and_then(|count| u16::try_from(count).ok()),
        None => Some(default),
    };
    let connections = count("connections", 1..=CONNECTIONS_MAX, default.connections);
    let retries = count("retries", 0..=RETRIES_MAX, default.retries);
    let mut speed = |name| match table.get(name) {
        Some(value) => reader.size(&value, SPEED_MIN..=SPEED_MAX).map(Some),
        None => Some(None),
    };
    let (limit_upload, limit_download) = (speed("limit-upload"), speed("limit-download"));
    let timeout = match table.get("timeout") {
        Some(value) => reader.duration(&value, Duration::from_secs(1)..=Duration::from_secs(3600)),
        None => Some(default.timeout),
    };
    let mut file = |name| table.get(name).map_or(Some(None), |value| reader.path(&value).map(Some));
    let (ssh_config, ca) = (file("ssh-config"), file("ca"));
    let region = table.get("region").map_or(Some(default.region), |value| region(reader, &value));
    let (access_key_id, secret_access_key) =
        (secret(reader, table, "access-key-id"), secret(reader, table, "secret-access-key"));
    Some(Remote {
        connections: connections?,
        limit_upload: limit_upload?,
        limit_download: limit_download?,
        timeout: timeout?,
        retries: retries?,
        ssh_config: ssh_config?,
        ca: ca?,
        region: region?,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
    })
}

fn region(reader: &mut Reader, value: &Value) -> Option<String> {
    let text = reader.text(value)?;
    if text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        reader.problem(value.span.clone(), format!("{text:?} is no region"), "write for example \"eu-central-1\"");
        return None;
    }
    Some(text.to_owned())
}

/// Names each key that means nothing for a repository that is there, and a format that cannot be kept there.
fn reaches(reader: &mut Reader, table: &Table, url: &Place, format: Format) -> bool {
    let (strange, place): (Vec<&[&str]>, _) = match url {
        Place::Directory(_) => (vec![schema::REMOTE, schema::SFTP, schema::S3], "a directory"),
        Place::Sftp(_) => (vec![schema::S3], "SFTP"),
        Place::S3(_) => (vec![schema::SFTP], "S3"),
    };
    let mut reaches = true;
    for value in strange.into_iter().flatten().filter_map(|key| table.get(key)) {
        let message = format!("`{}` means nothing for a repository in {place}", value.key);
        reader.problem(value.key_span.clone(), message, "take it out");
        reaches = false;
    }
    if let (Place::S3(s3), Some(ca)) = (url, table.get("ca"))
        && !s3.origin.secure
    {
        let message = format!("`{}` is for https, and `url` says http://", ca.key);
        reader.problem(ca.key_span.clone(), message, "write https:// in `url`, or take it out");
        reaches = false;
    }
    if format == Format::Zip
        && url.directory().is_none()
        && table.get("copy-of").is_none()
        && let Some(value) = table.get("format")
    {
        let help = "write the path of a directory in `url`, and a second repository with copy-of for what is elsewhere; \
                    or format = \"restic\"";
        reader.problem(value.span.clone(), "a backup writes sets of format zip to directories only", help);
        reaches = false;
    }
    reaches
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
