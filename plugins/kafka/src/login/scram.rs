//! SCRAM: both sides prove that they know the password, and neither says it (RFC 5802, with SHA-256 by RFC 7677).
//!
//! Kafka normalises neither names nor passwords (its `ScramFormatter`), so neither does this.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use strongroom_plugin::Error as Cause;

use crate::{Error, Result};

/// What the client adds to the exchange that nobody can guess.
pub(super) const NONCE_BYTES: u32 = 24;
/// RFC 7677 asks for no fewer; Kafka stores none below either.
const ROUNDS_MIN: u32 = 4096;
/// Above it a broker would only make us work: Kafka's own limit is 16,384.
const ROUNDS_MAX: u32 = 200_000;

/// Which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

/// The exchange before the broker's first word.
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    /// The first message without its preamble: part of what is proved.
    bare: String,
}

/// What is sent, and what the broker must answer.
pub(super) struct Proof {
    pub(super) message: String,
    expected: Vec<u8>,
}

/// No channel binding, and nobody else to act for.
const PREAMBLE: &str = "n,,";

impl Scram {
    pub(super) fn new(hash: Hash, user: &str, nonce: &[u8]) -> Self {
        let nonce = BASE64.encode(nonce);
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, bare: format!("n={user},r={nonce}"), nonce }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{PREAMBLE}{}", self.bare)
    }

    /// The second, which answers the broker's first.
    ///
    /// # Errors
    /// `corrupt` when it does not lead on from ours; `denied` when it asks for too little or too much work.
    pub(super) fn prove(&self, password: &str, said: &[u8]) -> Result<Proof> {
        let said = text(said)?;
        let (nonce, salt, rounds) = (field(said, "r")?, field(said, "s")?, field(said, "i")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Error::corrupt("the broker does not answer to what it was told (nonce)"));
        }
        let rounds =
            rounds.parse().ok().filter(|rounds| (ROUNDS_MIN..=ROUNDS_MAX).contains(rounds)).ok_or_else(|| {
                Cause::denied(format!(
                    "the broker asks for a number of iterations outside {ROUNDS_MIN} to {ROUNDS_MAX}"
                ))
            })?;
        let salt = BASE64.decode(salt).map_err(|_| Error::corrupt("the broker's salt is not base64"))?;
        let bare = format!("c={},r={nonce}", BASE64.encode(PREAMBLE));
        let proved = format!("{},{said},{bare}", self.bare);
        let (proof, expected) = signatures(self.hash, password, &salt, rounds, &proved);
        Ok(Proof { message: format!("{bare},p={}", BASE64.encode(proof)), expected })
    }
}

impl Proof {
    /// Whether the broker knows the password too.
    ///
    /// # Errors
    /// `denied` when it does not.
    pub(super) fn check(&self, said: &[u8]) -> Result<()> {
        let said = text(said)?;
        let signature = field(said, "v").ok().and_then(|signature| BASE64.decode(signature).ok());
        match signature.as_ref() == Some(&self.expected) {
            true => Ok(()),
            false => {
                Err(Cause::denied("the broker does not prove that it knows the password: it is not who it says").into())
            }
        }
    }
}

/// The client's proof, and the server's signature: both over what was said, with keys made from the password.
fn signatures(hash: Hash, password: &str, salt: &[u8], rounds: u32, proved: &str) -> (Vec<u8>, Vec<u8>) {
    let salted = hash.stretch(password.as_bytes(), salt, rounds);
    let client_key = hash.keyed(&salted, b"Client Key");
    let signature = hash.keyed(&hash.digest(&client_key), proved.as_bytes());
    let proof = client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
    let server_key = hash.keyed(&salted, b"Server Key");
    (proof, hash.keyed(&server_key, proved.as_bytes()))
}

impl Hash {
    fn stretch(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, rounds).to_vec(),
            Self::Sha512 => pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, rounds).to_vec(),
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    fn keyed(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, data),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, data),
        }
    }
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key may have any length: there is no other error.
    <M as Mac>::new_from_slice(key)
        .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn text(said: &[u8]) -> Result<&str> {
    std::str::from_utf8(said).map_err(|_| Error::corrupt("the broker's answer to the login is not UTF-8"))
}

/// One field of a message, `name=value`.
fn field<'a>(said: &'a str, name: &str) -> Result<&'a str> {
    let found = said.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    found.ok_or_else(|| Error::corrupt(format!("the broker's answer to the login has no {name:?}")))
}

#[cfg(test)]
mod tests;
