//! Which of Confluence's further directories the operator granted.

pub use strongroom_database::grants::{Address, database_user, has, is_one_of, many, path};

use crate::describe::grant;

/// Names of the granted `dirs.external-…`, in order.
pub fn externals() -> Vec<String> {
    many(grant::EXTERNAL)
}

/// Names of the granted `dirs.node-…`, in order.
pub fn nodes() -> Vec<String> {
    many(grant::NODE)
}
