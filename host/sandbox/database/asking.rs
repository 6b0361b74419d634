//! What tests of every engine ask of a transaction.

use tokio::io::AsyncReadExt;

use super::Transaction;
use crate::sandbox::native::Error;

/// The rows that a statement brings.
pub(super) async fn ask(transaction: &Transaction, statement: &str, parameters: &[&str]) -> Result<String, Error> {
    let parameters: Vec<String> = parameters.iter().map(|value| (*value).to_owned()).collect();
    let mut text = String::new();
    transaction.query(statement, &parameters).await?.read_to_string(&mut text).await.unwrap();
    Ok(text)
}

/// Why it brings none.
pub(super) async fn refused(transaction: &Transaction, statement: &str, parameters: &[&str]) -> Error {
    ask(transaction, statement, parameters).await.unwrap_err()
}
