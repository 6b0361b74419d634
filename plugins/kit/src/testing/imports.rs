//! The contract's imports as the generated bindings have them, answered by the script.

pub(crate) mod archive;
pub(crate) mod context;
pub(crate) mod dirs;
pub(crate) mod holds;
pub(crate) mod http;
pub(crate) mod snapshot;
pub(crate) mod sql;
pub(crate) mod streams;
pub(crate) mod tcp;
pub(crate) mod tools;

pub(crate) mod log {
    //! Lines are kept, progress is not.
    use crate::{Level, testing::state};

    pub(crate) fn emit(level: Level, message: &str, _fields: &[(String, String)]) {
        state(|state| state.log.push((level, message.to_owned())));
    }

    pub(crate) fn progress(_what: &str, _done: u64, _total: Option<u64>) {}
}

pub(crate) mod secrets {
    //! What the script grants.
    use crate::{
        bindings::strongroom::plugin::types::Error,
        testing::{denied, state},
    };

    pub(crate) fn reveal(grant: &str) -> Result<String, Error> {
        state(|state| state.secrets.get(grant).cloned()).ok_or_else(|| denied("secrets", grant))
    }
}
