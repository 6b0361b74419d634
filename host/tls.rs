//! Encrypts connections to servers: whom to trust, and how much of a certificate is checked.

use std::{io, path::Path, sync::Arc};

use crate::config::ClientCertificate;
pub use rustls::pki_types::ServerName;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

/// Where systems keep the authorities that they trust: Debian, Fedora, Alpine and macOS.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How much of a server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing: whoever answers is believed.
    Nothing,
    /// That a trusted authority vouches for it.
    Authority,
    /// The same, and that it names the host.
    AuthorityAndName,
}

/// How a client of such a server shakes hands. Reads the authorities' file (none: the system's) when it is needed, and
/// what proves who asks, if there is such a thing.
///
/// # Errors
/// Says which file cannot be used, and why.
pub fn client(check: Check, ca: Option<&Path>, identity: Option<&ClientCertificate>) -> Result<ClientConfig, String> {
    let trusted = if check == Check::Nothing { Vec::new() } else { authorities(ca)? };
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier { check, roots: roots(&trusted), trusted, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("setting up TLS: {cause}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(identity) = identity else { return Ok(config.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|cause| format!("reading a private key from {}: {cause}", identity.key.display()))?;
    config.with_client_auth_cert(certificates(&identity.certificate)?, key).map_err(|cause| {
        let (certificate, key) = (identity.certificate.display(), identity.key.display());
        format!("using {certificate} with the key {key}: {cause}")
    })
}

/// What a server's certificate must name.
///
/// # Errors
/// Says that no certificate can.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("no certificate can name {host:?}"))
}

/// Whether a connection failed because the two do not trust or understand each other: trying again does not help.
pub fn is_refusal(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Error>())
}

/// The authorities for a driver that shakes hands itself, each as DER. Reads their file (none: the system's).
///
/// # Errors
/// Says which file cannot be used, and why.
pub fn trusted(ca: Option<&Path>) -> Result<Vec<Vec<u8>>, String> {
    let usable = |found: &CertificateDer<'static>| RootCertStore::empty().add(found.clone()).is_ok();
    Ok(authorities(ca)?.into_iter().filter(usable).map(|found| found.to_vec()).collect())
}

/// Whether a failure is one of TLS.
pub fn is_about_tls(failure: &(dyn std::error::Error + 'static)) -> bool {
    cause(failure).is_some()
}

/// A name that the server's certificate has, when all that is wrong with it is that it lacks the one that was wanted.
pub fn name_instead(failure: &(dyn std::error::Error + 'static)) -> Option<String> {
    let Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) = cause(failure)? else {
        return None;
    };
    // As webpki writes it: `DnsName("*.example.org")`, `IpAddress(10.0.0.1)`.
    let name =
        presented.iter().find_map(|name| Some(name.split_once('(')?.1.trim_end_matches(')').trim_matches('"')))?;
    Some(name.replacen('*', "any", 1))
}

/// What TLS said, wherever in the chain of causes it is; an `io::Error` does not show what it holds as its cause.
fn cause<'a>(failure: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut next = Some(failure);
    while let Some(error) = next {
        let held = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref()?.downcast_ref::<Error>());
        if let Some(found) = held.or_else(|| error.downcast_ref()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn authorities(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let path =
        match ca {
            Some(path) => path,
            None => SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists()).ok_or_else(|| {
                format!("no certificates of trusted authorities at {}: set ca", SYSTEM_ROOTS.join(", "))
            })?,
        };
    certificates(path)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |cause| format!("reading certificates from {}: {cause}", path.display());
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unusable)?;
    if found.is_empty() {
        return Err(format!("{} holds no certificate in PEM form", path.display()));
    }
    Ok(found)
}

/// Those among them that can be authorities; a system's file may hold oddities.
fn roots(trusted: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    roots
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    trusted: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn trusts(
        &self,
        shown: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A server's self-signed certificate is its own authority: `ca` holds just that one.
        if self.trusted.contains(shown) {
            return Ok(());
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, between, now, algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check != Check::Nothing {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            self.trusts(end_entity, &parsed, intermediates, now)?;
            if self.check == Check::AuthorityAndName {
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
