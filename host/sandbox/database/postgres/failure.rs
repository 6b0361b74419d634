//! What a server's refusal means for whoever asked: a code, and what to try.

use tokio_postgres::{Error as Cause, error::SqlState};

use crate::{
    config::SqlGrant,
    diagnostic::causes,
    sandbox::{fault::Code, native::Error},
};

/// Why no connection came about.
pub fn connecting(doing: &str, name: &str, grant: &SqlGrant, cause: &Cause) -> Error {
    let Some(refusal) = cause.as_db_error() else { return unreached(doing, name, grant, cause) };
    let message = format!("{doing}: {} (SQLSTATE {})", refusal.message(), refusal.code().code());
    match refusal.code() {
        code if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Error::new(Code::Denied, format!("{message}: check user and password in grant.sql.{name}, and pg_hba.conf"))
        }
        code if *code == SqlState::INVALID_CATALOG_NAME => {
            Error::new(Code::NotFound, format!("{message}: check the url in grant.sql.{name}"))
        }
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => Error::new(Code::Denied, message),
        _ => Error::passing(Code::Unavailable, message),
    }
}

/// Nobody answered, or what answered could not be talked to.
fn unreached(doing: &str, name: &str, grant: &SqlGrant, cause: &Cause) -> Error {
    let text = causes(cause);
    if text.contains("TLS") {
        let try_this = format!("check sslmode and ca in grant.sql.{name}");
        return Error::new(Code::Denied, format!("{doing}: {text}: {try_this} (sslmode is {})", grant.sslmode.word()));
    }
    if text.contains("password missing") {
        let message = format!("{doing}: the server asks for a password: set password in grant.sql.{name}");
        return Error::new(Code::Denied, message);
    }
    Error::passing(Code::Unavailable, format!("{doing}: {text}"))
}

/// Why a statement brought nothing. `lost` is what ended the connection, when it is known to have ended.
pub fn asking(doing: &str, location: &str, cause: &Cause, lost: Option<&String>) -> Error {
    let Some(refusal) = cause.as_db_error() else {
        let why = lost.cloned().unwrap_or_else(|| causes(cause));
        let message = format!("{doing}: the connection to {location} was lost: {why}");
        return Error::passing(Code::Unavailable, message);
    };
    let state = refusal.code().code();
    let hint = refusal.hint().map_or_else(String::new, |hint| format!(": {hint}"));
    let message = format!("{doing}: {} (SQLSTATE {state}){hint}", refusal.message());
    match (state, state.get(..2).unwrap_or_default()) {
        ("42501" | "25006", _) => Error::new(Code::Denied, message),
        ("57014", _) => Error::new(Code::Canceled, message),
        ("40001" | "40P01" | "55P03", _) | (_, "08" | "53" | "57") => Error::passing(Code::Unavailable, message),
        (_, "58" | "XX") => Error::new(Code::Io, message),
        _ => Error::new(Code::Invalid, message),
    }
}
