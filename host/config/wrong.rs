//! What is wrong with a URL that the operator wrote.

/// What is wrong, and what to write instead. Neither holds a piece of the URL that may be a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) String, pub(super) String);

/// Both of them.
pub(super) fn wrong(message: impl Into<String>, help: impl Into<String>) -> Wrong {
    Wrong(message.into(), help.into())
}
