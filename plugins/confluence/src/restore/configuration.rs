//! Makes every copy of `confluence.cfg.xml` name the restored database and directories; nothing else in it changes.

use strongroom_plugin::{
    Context, Finding, Outcome, Result,
    dirs::{Dir, Kind},
    secrets,
};

use crate::{
    cfg::{Cfg, rewrite::Edit},
    describe::grant,
    grants::{self, Address},
    home::SHARED,
    inspect::part,
    jdbc::Url,
    paths::Paths,
    site::{CFG, read_cfg},
};

const URL: &str = "hibernate.connection.url";
const USER: &str = "hibernate.connection.username";
const PASSWORD: &str = "hibernate.connection.password";
const DECRYPTER: &str = "jdbc.password.decrypter.classname";

/// Properties that hold a path.
const PATHS: [&str; 5] = [
    "attachments.dir",
    "daily.backup.dir",
    "lucene.index.dir",
    "struts.multipart.saveDir",
    "webwork.multipart.saveDir",
];

/// What the target is.
#[derive(Debug, Default)]
struct Change {
    address: Option<Address>,
    user: Option<String>,
    password: Option<String>,
    old: Paths,
    new: Paths,
}

impl Change {
    fn read() -> Result<Self> {
        let (mut address, mut user) = (None, None);
        if grants::has("sql", grant::DATABASE) {
            // Java cannot use a socket's directory.
            address = Address::granted()?.filter(|address| !address.host.starts_with('/'));
            user = Some(grants::database_user()?);
        }
        let password = grants::has("secrets", grant::PASSWORD).then(|| secrets::reveal(grant::PASSWORD)).transpose()?;
        // A secret file ends with a line break that is not part of the secret.
        let password = password.map(|password| password.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Self { address, user, password, old: Paths::noted()?.unwrap_or_default(), new: Paths::of_target()? })
    }

    fn edits(&self, cfg: &Cfg) -> Vec<(String, Edit)> {
        let mut edits = Vec::new();
        let mut set = |name: &str, value: String| edits.push((name.to_owned(), Edit::Set(value)));
        if let Some(address) = &self.address
            && let Some(url) = cfg.get(URL).and_then(|url| moved(url, address))
        {
            set(URL, url);
        }
        if let Some(user) = &self.user {
            set(USER, user.clone());
        }
        for name in PATHS {
            if let Some(path) = cfg.get(name).and_then(|path| self.moved_path(name, path)) {
                set(name, path);
            }
        }
        if let Some(password) = &self.password {
            set(PASSWORD, password.clone());
            edits.push((DECRYPTER.to_owned(), Edit::Remove));
        }
        edits.retain(|(name, edit)| match (cfg.get(name), edit) {
            (Some(value), Edit::Set(new)) => value != new,
            (present, Edit::Remove) => present.is_some(),
            (None, _) => false,
        });
        edits
    }

    /// A directory granted for the attachments is where they were restored to.
    fn moved_path(&self, name: &str, path: &str) -> Option<String> {
        match self.new.get(grant::ATTACHMENTS) {
            Some(granted) if name == "attachments.dir" => Some(granted.to_owned()),
            _ => self.old.follow(path, &self.new),
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

/// Rewrites the copies that were restored, and takes every right on them from group and others.
pub(super) fn rewrite(home: &Dir, mut outcome: Outcome) -> Result<Outcome> {
    let change = Change::read()?;
    if change.new.get(grant::HOME).is_none() {
        let message = "the host does not show where the home is: paths in confluence.cfg.xml stay as they were";
        outcome = outcome.finding(Finding::warning("paths-kept", part::HOME, message));
    }
    if change.password.is_none() {
        let message = "confluence.cfg.xml keeps its database password: secrets.database-password is not granted";
        outcome = outcome.finding(Finding::info("password-kept", part::HOME, message));
    }
    for path in [CFG.to_owned(), format!("{SHARED}/{CFG}")] {
        let Some(stat) = home.find(&path)?.filter(|stat| stat.kind == Kind::File) else { continue };
        let cfg = read_cfg(home, &path)?;
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
