//! A line for the operator, and how far along a part is.

pub use crate::bindings::strongroom::plugin::log::Level;
use crate::host::log as host;

/// A line with fields.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    host::emit(level, message, &fields);
}

/// For those who look closely.
pub fn debug(message: impl AsRef<str>) {
    emit(Level::Debug, message.as_ref(), &[]);
}

/// Worth a line.
pub fn info(message: impl AsRef<str>) {
    emit(Level::Info, message.as_ref(), &[]);
}

/// Someone should look at it; what must be kept with the snapshot is a [`crate::Finding`] instead.
pub fn warn(message: impl AsRef<str>) {
    emit(Level::Warn, message.as_ref(), &[]);
}

/// Something failed.
pub fn error(message: impl AsRef<str>) {
    emit(Level::Error, message.as_ref(), &[]);
}

/// How far along this part is.
pub fn progress(what: &str, done: u64, total: Option<u64>) {
    host::progress(what, done, total);
}
