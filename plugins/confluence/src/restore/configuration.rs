//! Makes every copy of `confluence.cfg.xml` name the restored database and directories; nothing else in it changes.

use strongroom_plugin::{
    Finding, Outcome, Result,
    dirs::{Dir, Kind},
    secrets,
};

use crate::{
    cfg::{Cfg, rewrite::Edit},
    cipher::{self, DECRYPTER, PASSWORD},
    describe::grant,
    grants::{self, Address},
    home::SHARED,
    jdbc::{Url, Vendor},
    paths::Paths,
    site::{CFG, plain, read_cfg},
};

const URL: &str = "hibernate.connection.url";
const USER: &str = "hibernate.connection.username";

/// Properties that hold a path.
const PATHS: [&str; 7] = [
    "attachments.dir",
    "confluence.cluster.home",
    "shared-home",
    "daily.backup.dir",
    "lucene.index.dir",
    "struts.multipart.saveDir",
    "webwork.multipart.saveDir",
];

/// What the target is.
#[derive(Debug, Default)]
pub(super) struct Change {
    address: Option<Address>,
    user: Option<String>,
    password: Option<String>,
    old: Paths,
    new: Paths,
}

impl Change {
    pub(super) fn read() -> Result<Self> {
        let (mut address, mut user) = (None, None);
        if grants::has("sql", grant::DATABASE) {
            // Java cannot use a socket's directory.
            address = Address::granted(grant::DATABASE)?.filter(|address| !address.host.starts_with('/'));
            user = Some(grants::database_user(grant::DATABASE)?);
        }
        let password = grants::has("secrets", grant::PASSWORD).then(|| secrets::reveal(grant::PASSWORD)).transpose()?;
        // A secret file ends with a line break that is not part of the secret.
        let password = password.map(|password| password.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Self { address, user, password, old: Paths::noted()?.unwrap_or_default(), new: Paths::of_target()? })
    }

    pub(super) const fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// What a datasource's attributes become.
    pub(super) fn attributes(&self, url: &str) -> Vec<(&'static str, String)> {
        let url = self.address.as_ref().and_then(|address| moved(url, address));
        let all = [("url", url), ("username", self.user.clone()), ("password", self.password.clone())];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn edits(&self, cfg: &Cfg) -> Vec<(String, Edit)> {
        let mut edits = Vec::new();
        let url = cfg.get(URL);
        match url.and_then(Vendor::of_url).is_some_and(Vendor::embedded) {
            true => edits.extend(url.and_then(|url| self.moved_files(url)).map(|url| (URL.to_owned(), Edit::Set(url)))),
            false => self.connection(cfg, &mut edits),
        }
        for name in PATHS {
            let path = cfg.get(name).and_then(|path| self.moved_path(name, path));
            edits.extend(path.map(|path| (name.to_owned(), Edit::Set(path))));
        }
        edits.retain(|(name, edit)| match (cfg.get(name), edit) {
            (Some(value), Edit::Set(new)) => value != new,
            (present, Edit::Remove) => present.is_some(),
            (None, _) => false,
        });
        edits
    }

    /// An embedded database has its own users: only servers are given other ones.
    fn connection(&self, cfg: &Cfg, edits: &mut Vec<(String, Edit)>) {
        let mut set = |name: &str, value: Option<String>| {
            edits.extend(value.map(|value| (name.to_owned(), Edit::Set(value))));
        };
        set(URL, self.address.as_ref().and_then(|address| moved(cfg.get(URL)?, address)));
        set(USER, self.user.clone());
        match &self.password {
            Some(password) => {
                set(PASSWORD, Some(password.clone()));
                edits.push((DECRYPTER.to_owned(), Edit::Remove));
            }
            // The cipher files may have moved with their directory.
            None if cfg.get(DECRYPTER).is_some() => {
                let follow = |path: &str| self.old.follow(&plain(path), &self.new);
                set(PASSWORD, cfg.get(PASSWORD).and_then(|value| cipher::follow(value, follow)));
            }
            None => {}
        }
    }

    /// The URL of an embedded database whose files lie in a directory that has moved.
    fn moved_files(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?.file()?;
        Some(url.pointed_at(&self.old.follow(&plain(&url.stem), &self.new)?))
    }

    /// A directory granted for the attachments is where they were restored to.
    fn moved_path(&self, name: &str, path: &str) -> Option<String> {
        match self.new.get(grant::ATTACHMENTS) {
            Some(granted) if name == "attachments.dir" => Some(granted.to_owned()),
            _ => self.old.follow(&plain(path), &self.new),
        }
    }
}

/// The URL for another database; none when it names that one already, or cannot be read.
fn moved(url: &str, address: &Address) -> Option<String> {
    let url = Url::parse(url).ok()?.server()?;
    match url.location() == address.location() {
        true => None,
        false => url.pointed_at(&address.host, address.port, &address.name),
    }
}

/// Rewrites the copies that were restored into a home, and takes every right on them from group and others.
pub(super) fn rewrite(part: &str, home: &Dir, mut outcome: Outcome) -> Result<Outcome> {
    let change = Change::read()?;
    if change.new.get(grant::HOME).is_none() {
        let message = "the host does not show where the home is: paths in confluence.cfg.xml stay as they were";
        outcome = outcome.finding(Finding::warning("paths-kept", part, message));
    }
    for path in [CFG.to_owned(), format!("{SHARED}/{CFG}")] {
        let Some(stat) = home.find(&path)?.filter(|stat| stat.kind == Kind::File) else { continue };
        let cfg = read_cfg(home, &path)?;
        if change.password.is_none() && cfg.get(PASSWORD).is_some_and(|password| !password.is_empty()) {
            let message = format!("{path} keeps its database password: secrets.database-password is not granted");
            outcome = outcome.finding(Finding::info("password-kept", part, message));
        }
        let edits = change.edits(&cfg);
        let tight = stat.mode & 0o700;
        match edits.is_empty() {
            true => home.set_mode(&path, tight)?,
            false => home.write_bytes(&path, &cfg.rewrite(&edits), Some(tight))?,
        }
        outcome = outcome.fact(format!("rewritten in {path}"), named(&edits));
    }
    Ok(outcome)
}

/// Names, never values: one of them is the password.
fn named(edits: &[(String, Edit)]) -> String {
    match edits.is_empty() {
        true => "nothing".into(),
        false => edits.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
    }
}
