//! Makes a restored `nuxeo.conf` name the restored database, directories, address and topics; nothing else in it changes.

use std::collections::BTreeMap;

use strongroom_database::{
    grants::{self, Address},
    jdbc::Url,
    located::Located,
    needs::DATABASE,
};
use strongroom_plugin::{Context, Error, Finding, Outcome, Result, archive, context, dirs, secrets};

use super::{
    appended,
    target::{self, below_of, is_dump},
};
use crate::{
    backup::note,
    conf::{
        properties::{BYTES_MAX, Properties},
        rewrite,
    },
    describe::grant,
    inspect::part,
    paths::Paths,
    settings::Settings,
};

/// Rewrites the file that was restored, in the user's part and in the generated block.
pub(super) fn rewrite(outcome: Outcome) -> Result<Outcome> {
    let Some(noted) = context::note(note::CONF)? else {
        let message = "the snapshot does not say where nuxeo.conf was: nothing in it was changed";
        return Ok(outcome.finding(Finding::warning("conf-kept", part::CONFIGURATION, message)));
    };
    let (grant, path) = noted
        .split_once('/')
        .ok_or_else(|| Error::corrupt(format!("the note of where nuxeo.conf was says {noted:?}")))?;
    let (dir, at) = (dirs::get(grant)?, Located::new(grant, path));
    let doing = format!("rewriting {at}");
    let stat = dir.stat(path).context(&doing)?;
    let bytes = dir.read(path, BYTES_MAX).context(&doing)?;
    let old = Properties::parse(&bytes).map_err(|bad| Error::corrupt(bad.to_string()).context(&doing))?;
    let change = Change::read(&old)?;
    let edits: Vec<(&str, &str)> = change.edits.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let new = rewrite::set(&bytes, &edits).map_err(|bad| Error::invalid(bad.to_string()).context(&doing))?;
    // It holds passwords. Its group is often the one that Nuxeo runs in.
    let mode = stat.mode & 0o770;
    match new == bytes {
        true => dir.set_mode(path, mode).context(doing)?,
        false => dir.write_bytes(path, &new, Some(mode)).context(doing)?,
    }
    let appended = appended::contradictions(&dir, path, &change.edits)?;
    // Names, never values: one of them is the password.
    let names: Vec<&str> = change.edits.keys().map(String::as_str).collect();
    let said = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    Ok(outcome.fact(format!("set in {at}"), said).findings(change.findings).findings(appended))
}

/// The directory that holds those of blobs.
const BLOBS_ROOT: &str = "nuxeo.binarystores.root";
/// The directory of the repository's own blobs.
const BLOBS: &str = "repository.binary.store";

/// What the restored file shall say.
#[derive(Default)]
struct Change {
    edits: BTreeMap<String, String>,
    findings: Vec<Finding>,
}

impl Change {
    fn read(old: &Properties) -> Result<Self> {
        let settings = Settings::read()?;
        let mut change = Self::default();
        change.paths(old, &settings)?;
        if archive::parts()?.iter().any(|name| name == part::DATABASE) && is_dump(DATABASE)? {
            change.database(old)?;
        }
        change.addresses(old, &settings);
        Ok(change)
    }

    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.edits.insert(key.to_owned(), value.into());
    }

    fn keep(&mut self, code: &str, message: impl Into<String>) {
        self.findings.push(Finding::warning(code, part::CONFIGURATION, message));
    }

    /// Everything that lay in a directory that has moved.
    fn paths(&mut self, old: &Properties, settings: &Settings) -> Result<()> {
        let (was, now) = (Paths::noted()?, Paths::of_target(settings));
        for (key, value) in counting(old) {
            let moved: Vec<Option<String>> = value.split(',').map(|piece| was.follow(piece.trim(), &now)).collect();
            if moved.iter().all(Option::is_none) {
                continue;
            }
            // Written anew, a reference would be text.
            if value.contains("${") {
                let message = format!("{key} names a directory that has moved, among references: change it by hand");
                self.keep("paths-kept", message);
                continue;
            }
            let pieces = value.split(',').zip(moved);
            let pieces: Vec<String> = pieces.map(|(piece, moved)| moved.unwrap_or_else(|| piece.to_owned())).collect();
            self.set(key, pieces.join(","));
        }
        self.directory(old, part::DATA, "nuxeo.data.dir", &was, &now)?;
        self.blobs(old, &was, &now)?;
        self.transient(old, &was, &now)?;
        self.directory(old, part::STREAM, "nuxeo.stream.chronicle.dir", &was, &now)
    }

    /// Where a part was and where it is now; none where it is not in the snapshot, has not moved, or nobody can tell.
    fn moved(&self, name: &str, was: &Paths, now: &Paths) -> Result<Option<String>> {
        if !archive::parts()?.iter().any(|part| part == name) {
            return Ok(None);
        }
        let (Some(from), to) = (target::noted(name)?, target::place(name)?) else { return Ok(None) };
        let new = now.path(&to.grant, &to.path);
        Ok(new.filter(|new| was.path(&from.grant, &from.path).as_ref() != Some(new)))
    }

    /// A key that names the part's directory itself.
    fn directory(&mut self, old: &Properties, name: &str, key: &str, was: &Paths, now: &Paths) -> Result<()> {
        if last(old, key).is_none() && follows(name, grant::HOME)? {
            return Ok(());
        }
        if let Some(new) = self.moved(name, was, now)? {
            self.set(key, new);
        }
        Ok(())
    }

    /// Blobs lie in the data directory unless one of two keys says otherwise.
    fn blobs(&mut self, old: &Properties, was: &Paths, now: &Paths) -> Result<()> {
        let own = last(old, BLOBS).is_some();
        if !own && last(old, BLOBS_ROOT).is_none() && follows(part::BLOBS, grant::DATA)? {
            return Ok(());
        }
        let Some(new) = self.moved(part::BLOBS, was, now)? else { return Ok(()) };
        match above(&new, "binaries").filter(|_| !own) {
            Some(root) => self.set(BLOBS_ROOT, root),
            None => self.set(BLOBS, new),
        }
        Ok(())
    }

    /// Transient stores lie beside the blobs unless a key says otherwise: what moves those alone must say so of both.
    fn transient(&mut self, old: &Properties, was: &Paths, now: &Paths) -> Result<()> {
        const ROOT: &str = "nuxeo.transientstores.root";
        let beside = last(old, ROOT).is_none() && !self.edits.contains_key(BLOBS_ROOT);
        if beside && follows(part::TRANSIENT, grant::DATA)? {
            return Ok(());
        }
        if let Some(root) = self.moved(part::TRANSIENT, was, now)?.and_then(|new| above(&new, "transientstores")) {
            self.set(ROOT, root);
        }
        Ok(())
    }

    fn database(&mut self, old: &Properties) -> Result<()> {
        const URL: &str = "nuxeo.db.jdbc.url";
        if !grants::has("sql", DATABASE) {
            return Ok(());
        }
        match Address::granted(DATABASE)? {
            Some(address) if address.host.starts_with('/') => self.keep(
                "url-kept",
                format!("nuxeo.conf keeps its database: Java cannot use the socket in {}", address.host),
            ),
            Some(address) => {
                self.set("nuxeo.db.host", &address.host);
                self.set("nuxeo.db.port", address.port.to_string());
                self.set("nuxeo.db.name", &address.name);
                let url = last(old, URL).and_then(|url| Url::parse(url).ok()?.server());
                if let Some(url) = url.and_then(|url| url.pointed_at(&address.host, address.port, &address.name)) {
                    self.set(URL, url);
                }
            }
            None => {}
        }
        self.set("nuxeo.db.user", grants::database_user(DATABASE)?);
        if grants::has("secrets", grant::PASSWORD) {
            // A secret file ends with a line break that is not part of the secret.
            let password = secrets::reveal(grant::PASSWORD)?;
            self.set("nuxeo.db.password", password.trim_end_matches(['\r', '\n']));
        } else {
            let message = "nuxeo.conf keeps its database password: secrets.database-password is not granted";
            self.findings.push(Finding::info("password-kept", part::CONFIGURATION, message));
        }
        Ok(())
    }

    /// What the target is called by users and by brokers: nothing tells but the operator.
    fn addresses(&mut self, old: &Properties, settings: &Settings) {
        match &settings.url {
            Some(url) => self.set("nuxeo.url", url),
            None => self.findings.push(Finding::info(
                "address-kept",
                part::CONFIGURATION,
                "nuxeo.url stays as it was: set url in the step's config where users see another address",
            )),
        }
        if let Some(servers) = &settings.kafka_bootstrap {
            self.set("kafka.bootstrap.servers", servers);
        }
        match &settings.topic_prefix {
            Some(prefix) => self.set("kafka.topicPrefix", prefix),
            None if last(old, "kafka.enabled").is_some_and(|value| value != "false") => self.keep(
                "topics-kept",
                "kafka.topicPrefix stays as it was, so that the restored instance works on the topics of the old one: set topic-prefix in the step's config, or let the step that restores the streams set it",
            ),
            None => {}
        }
        if last(old, "nuxeo.mongodb.server").is_some() {
            let message =
                "nuxeo.mongodb.server stays as it was: change it by hand where the restored database is another";
            self.keep("mongodb-kept", message);
        }
    }
}

/// Whether a part lies where it lay below the home, or below the data directory: what names that names the part too.
fn follows(name: &str, base: &str) -> Result<bool> {
    let (Some(was), now) = (target::noted(name)?, target::place(name)?) else { return Ok(false) };
    if base == grant::HOME {
        return Ok(was.grant == base && was == now);
    }
    let Some(data) = target::noted(part::DATA)? else { return Ok(false) };
    let (was, now) = (below_of(&was, &data), below_of(&now, &target::place(part::DATA)?).map(str::to_owned));
    Ok(was.is_some() && was == now.as_deref())
}

/// The directory above one of that name.
fn above(path: &str, name: &str) -> Option<String> {
    let root = path.strip_suffix(name)?.strip_suffix('/')?;
    (!root.is_empty()).then(|| root.to_owned())
}

/// Each key with the value that counts: the last one, the generated block's if it has one.
fn counting(file: &Properties) -> BTreeMap<&str, &str> {
    file.assignments.iter().map(|assignment| (assignment.key.as_str(), assignment.value.as_str())).collect()
}

/// The value that counts.
fn last<'a>(file: &'a Properties, key: &str) -> Option<&'a str> {
    file.assignments.iter().rev().find(|assignment| assignment.key == key).map(|assignment| assignment.value.as_str())
}
