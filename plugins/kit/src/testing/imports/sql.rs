//! A database that answers by a piece of the statement.

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

pub(crate) struct Transaction(testing::Database);

pub(crate) fn get(grant: &str) -> Result<Database, Error> {
    let scripted = state(|state| state.databases.get(grant).cloned()).ok_or_else(|| denied("sql", grant))?;
    Ok(Database { name: grant.into(), scripted })
}

impl Database {
    pub(crate) fn engine(&self) -> String {
        "postgresql".into()
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
        Ok(Transaction(self.scripted.clone()))
    }
}

impl Transaction {
    pub(crate) fn seen(&self) -> (Timestamp, Timestamp) {
        (at(1_700_000_001), at(1_700_000_002))
    }

    pub(crate) fn shared_name(&self) -> Option<String> {
        Some("00000003-00000001-1".into())
    }

    pub(crate) fn freeze(&self, _seconds_max: u32) -> Result<(), Error> {
        Err(fail(ErrorCode::Unsupported, "only mysql and mariadb can be frozen"))
    }

    pub(crate) fn thaw(&self) -> Result<(), Error> {
        self.freeze(0)
    }

    pub(crate) fn query(&self, statement: &str, _parameters: &[String]) -> Result<InputStream, Error> {
        state(|state| state.asked.push(statement.into()));
        let asked = statement.to_lowercase();
        let answer = self.0.answers.iter().find(|(part, _)| asked.contains(part.as_str()));
        let missing = || fail(ErrorCode::Invalid, format!("the script has no rows for {statement:?}"));
        answer.map(|(_, lines)| InputStream::of(lines.clone())).ok_or_else(missing)
    }

    pub(crate) fn end(_this: Self) -> Result<(), Error> {
        Ok(())
    }
}
