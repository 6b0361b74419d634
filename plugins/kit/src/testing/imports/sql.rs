//! A database that answers by a piece of the statement.

use std::cell::Cell;

use crate::{
    Timestamp,
    bindings::strongroom::plugin::types::{Error, ErrorCode},
    testing::{self, at, denied, fail, state},
};

use super::streams::InputStream;

pub(crate) struct Database {
    name: String,
    scripted: testing::Database,
}

pub(crate) struct Transaction {
    scripted: testing::Database,
    frozen: Cell<bool>,
}

pub(crate) fn get(grant: &str) -> Result<Database, Error> {
    let scripted = state(|state| state.databases.get(grant).cloned()).ok_or_else(|| denied("sql", grant))?;
    Ok(Database { name: grant.into(), scripted })
}

impl Database {
    pub(crate) fn engine(&self) -> String {
        self.scripted.engine.clone().unwrap_or_else(|| "postgresql".into())
    }

    pub(crate) fn server_version(&self) -> String {
        "15.0".into()
    }

    pub(crate) fn location(&self) -> String {
        self.scripted.location.clone().unwrap_or_else(|| format!("localhost:5432/{}", self.name))
    }

    pub(crate) fn user(&self) -> String {
        self.scripted.user.clone().unwrap_or_else(|| "backup".into())
    }

    pub(crate) fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction { scripted: self.scripted.clone(), frozen: Cell::new(false) })
    }
}

impl Transaction {
    pub(crate) fn seen(&self) -> (Timestamp, Timestamp) {
        (at(1_700_000_001), at(1_700_000_002))
    }

    pub(crate) fn shared_name(&self) -> Option<String> {
        (!self.freezes()).then(|| "00000003-00000001-1".into())
    }

    fn freezes(&self) -> bool {
        matches!(self.scripted.engine.as_deref(), Some("mysql" | "mariadb"))
    }

    pub(crate) fn freeze(&self, _seconds_max: u32) -> Result<(), Error> {
        match (self.freezes(), self.scripted.never_frozen) {
            (false, _) => Err(fail(ErrorCode::Unsupported, "only mysql and mariadb can be frozen")),
            (true, true) => Err(fail(ErrorCode::Denied, "the role lacks the right to freeze")),
            (true, false) => {
                self.frozen.set(true);
                Ok(())
            }
        }
    }

    pub(crate) fn thaw(&self) -> Result<(), Error> {
        match self.frozen.replace(false) {
            true => Ok(()),
            false => Err(fail(ErrorCode::Invalid, "nothing is frozen")),
        }
    }

    pub(crate) fn query(&self, statement: &str, _parameters: &[String]) -> Result<InputStream, Error> {
        state(|state| state.asked.push(statement.into()));
        let asked = statement.to_lowercase();
        let answer = self.scripted.answers.iter().find(|(part, _)| asked.contains(part.as_str()));
        let missing = || fail(ErrorCode::Invalid, format!("the script has no rows for {statement:?}"));
        answer.map(|(_, lines)| InputStream::of(lines.clone())).ok_or_else(missing)
    }

    pub(crate) fn end(_this: Self) -> Result<(), Error> {
        Ok(())
    }
}
