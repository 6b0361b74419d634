//! The passwords that open a repository: each has a key file of its own.

use super::{
    ResticRepository, keys,
    lock::Lock,
    storage::{Kind, Name},
};
use crate::{
    diagnostic::causes,
    repository::{Error, Repository},
    secret::Secret,
};

/// A key file, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyListed {
    /// Its whole name, 64 hex digits.
    pub id: String,
    /// Who made it.
    pub username: String,
    /// Where.
    pub hostname: String,
    /// When, RFC 3339.
    pub created: String,
    /// Whether it is the one that this repository was opened with.
    pub in_use: bool,
}

impl KeyListed {
    /// The begin of its name, as restic prints it.
    pub fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

impl ResticRepository {
    /// Every key file that can be read, and why others cannot.
    ///
    /// # Errors
    /// When the repository cannot be opened or listed.
    pub fn keys(&self) -> Result<(Vec<KeyListed>, Vec<String>), Error> {
        self.vault()?;
        let (_, current) = keys::open(&*self.storage, &self.password)?;
        let (mut listed, mut unreadable) = (Vec::new(), Vec::new());
        for found in keys::list(&*self.storage)? {
            match keys::read(&*self.storage, &found.name) {
                Ok(file) => listed.push(KeyListed {
                    in_use: found.name == current,
                    id: found.name,
                    username: file.username,
                    hostname: file.hostname,
                    created: file.created,
                }),
                Err(why) => unreadable.push(causes(&why)),
            }
        }
        Ok((listed, unreadable))
    }

    /// Adds a password; returns its key file's name.
    ///
    /// # Errors
    /// [`Error::Refused`] for an empty one.
    pub fn add_key(&self, password: &Secret) -> Result<String, Error> {
        let _lock = Lock::take(&self.vault()?, false)?;
        self.add_proven(password)
    }

    /// Adds a password, and opens what was written before anybody relies on it.
    fn add_proven(&self, password: &Secret) -> Result<String, Error> {
        if password.expose().is_empty() {
            return Err(Error::Refused("an empty password opens no repository".into()));
        }
        let (master, _) = keys::open(&*self.storage, &self.password)?;
        let id = keys::add(&*self.storage, &master, password)?.to_string();
        match keys::opens(&*self.storage, &id, password)? {
            true => Ok(id),
            false => Err(Error::Damaged(format!("the key {id} does not open with the password that it was made for"))),
        }
    }

    /// Removes a password: `id` is the begin of its key file's name. Returns the whole name.
    ///
    /// # Errors
    /// [`Error::Refused`] for the one that is in use, or where several begin like that; [`Error::NotFound`]; and
    /// [`Error::Busy`] while somebody else uses the repository.
    pub fn remove_key(&self, id: &str) -> Result<String, Error> {
        let vault = self.vault()?;
        let _lock = Lock::take(&vault, true)?;
        let (_, current) = keys::open(&*self.storage, &self.password)?;
        let mut like: Vec<_> = keys::list(&*self.storage)?;
        like.retain(|found| !id.is_empty() && found.name.starts_with(id));
        let place = self.place();
        let (Some(found), 1) = (like.first(), like.len()) else {
            return Err(match like.is_empty() {
                true => Error::NotFound(format!("a key {id} in {}", place.display())),
                false => Error::Refused(format!("{} keys begin with {id}\nhelp: give more digits", like.len())),
            });
        };
        if found.name == current {
            return Err(Error::Refused(format!(
                "the key {id} is the one that {} was opened with\nhelp: `key passwd` changes its password, or open it with \
                 another one",
                place.display()
            )));
        }
        vault.remove(&Name::new(Kind::Key, &found.name))?;
        Ok(found.name.clone())
    }

    /// Replaces the password that this repository was opened with; returns the new key file's name. Cut off at any
    /// moment, one of the two opens it. After it, open the repository anew.
    ///
    /// # Errors
    /// As [`Self::add_key`]; [`Error::Busy`] while somebody else uses the repository.
    pub fn change_password(&self, password: &Secret) -> Result<String, Error> {
        let vault = self.vault()?;
        let _lock = Lock::take(&vault, true)?;
        let (_, current) = keys::open(&*self.storage, &self.password)?;
        let id = self.add_proven(password)?;
        vault.remove(&Name::new(Kind::Key, current))?;
        Ok(id)
    }
}
