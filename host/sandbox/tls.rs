//! Encrypts connections to granted servers, as `crate::tls` does, and says in a plugin's words why it cannot.

use std::{path::PathBuf, sync::Arc};

use tokio_rustls::TlsConnector;

use super::{fault::Code, native};
use crate::config::ClientCertificate;
pub use crate::tls::{Check, ServerName, client, is_about_tls, is_refusal, name_instead, server_name, trusted};

/// For connections to a server that must prove its name. The files are read on a thread that may block.
///
/// # Errors
/// `invalid` for a file that cannot be used.
pub async fn connector(
    doing: &str,
    ca: Option<PathBuf>,
    identity: Option<ClientCertificate>,
) -> Result<TlsConnector, native::Error> {
    let made = tokio::task::spawn_blocking(move || client(Check::AuthorityAndName, ca.as_deref(), identity.as_ref()));
    let config = made.await.map_err(|broken| native::Error::new(Code::Internal, format!("{doing}: {broken}")))?;
    let config = config.map_err(|what| native::Error::new(Code::Invalid, format!("{doing}: {what}")))?;
    Ok(TlsConnector::from(Arc::new(config)))
}
