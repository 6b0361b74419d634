//! What a MySQL or MariaDB server's refusal means for whoever asked: a code, and what to try.
//!
//! Error numbers: MySQL 8.0 Error Message Reference, "Server Error Message Reference"; MariaDB Knowledge Base,
//! "MariaDB Error Code Reference".

use mysql_async::{DriverError, Error as Cause, IoError, ServerError};

use crate::{
    config::SqlGrant,
    diagnostic::causes,
    sandbox::{fault::Code, native::Error, tls},
};

/// `ER_QUERY_INTERRUPTED`: somebody said `KILL QUERY`.
pub const INTERRUPTED: u16 = 1317;

/// Why no connection came about.
pub fn connecting(doing: &str, name: &str, grant: &SqlGrant, cause: &Cause) -> Error {
    match cause {
        Cause::Server(refusal) => refused(doing, name, grant, refusal),
        _ if tls::is_about_tls(cause) => insecure(doing, name, grant, &causes(cause)),
        Cause::Driver(DriverError::NoClientSslFlagFromServer) => {
            insecure(doing, name, grant, "the server does not support TLS")
        }
        Cause::Driver(DriverError::UnknownAuthPlugin { .. } | DriverError::CleartextPluginDisabled) => {
            Error::new(Code::Denied, format!("{doing}: {}: give the role another way to log in", plain(cause)))
        }
        _ => Error::passing(Code::Unavailable, format!("{doing}: {}", plain(cause))),
    }
}

fn refused(doing: &str, name: &str, grant: &SqlGrant, refusal: &ServerError) -> Error {
    let message = said(doing, refusal);
    match refusal.code {
        // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR
        1045 | 1698 if grant.password.is_none() => {
            Error::new(Code::Denied, format!("{message}: set password in grant.sql.{name}"))
        }
        1045 | 1698 => {
            let from = "and from where the server lets this user come";
            Error::new(Code::Denied, format!("{message}: check user and password in grant.sql.{name}, {from}"))
        }
        // ER_BAD_DB_ERROR
        1049 => Error::new(Code::NotFound, format!("{message}: check the url in grant.sql.{name}")),
        // ER_SECURE_TRANSPORT_REQUIRED
        3159 => insecure(doing, name, grant, &refusal.message),
        _ => asking(doing, "", &Cause::Server(refusal.clone())),
    }
}

fn insecure(doing: &str, name: &str, grant: &SqlGrant, what: &str) -> Error {
    let try_this = format!("check sslmode and ca in grant.sql.{name}");
    Error::new(Code::Denied, format!("{doing}: {what}: {try_this} (sslmode is {})", grant.sslmode.word()))
}

/// Why a statement brought nothing.
pub fn asking(doing: &str, location: &str, cause: &Cause) -> Error {
    let Cause::Server(refusal) = cause else {
        let message = format!("{doing}: the connection to {location} was lost: {}", plain(cause));
        return Error::passing(Code::Unavailable, message);
    };
    let message = said(doing, refusal);
    match refusal.code {
        // Databases, tables, columns, routines, privileges; a write in a read-only transaction; hosts.
        1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1370 | 1698 | 1792 => Error::new(Code::Denied, message),
        INTERRUPTED => Error::new(Code::Canceled, message),
        // No room, a shutdown, a time that was over there, a connection that was killed; a lock, a deadlock; a table
        // that was altered after the view was taken (ER_TABLE_DEF_CHANGED).
        1040 | 1053 | 1129 | 1203 | 1205 | 1213 | 1226 | 1412 | 1927 | 1969 | 3024 | 4031 => {
            Error::passing(Code::Unavailable, message)
        }
        // Storage engines and files, damaged tables.
        1021 | 1023 | 1024 | 1026 | 1030 | 1034 | 1035 | 1194 | 1195 => Error::new(Code::Io, message),
        _ => Error::new(Code::Invalid, message),
    }
}

fn said(doing: &str, refusal: &ServerError) -> String {
    format!("{doing}: {} (error {}, SQLSTATE {})", refusal.message, refusal.code, refusal.state)
}

/// Without the driver's words around it.
fn plain(cause: &Cause) -> String {
    match cause {
        Cause::Io(IoError::Io(inner)) => causes(inner),
        Cause::Driver(inner) => causes(inner),
        _ => causes(cause),
    }
}
