//! Who is asking, where the broker wants to know (SASL). Encryption is the host's.

use std::fmt;

use strongroom_plugin::context;

use crate::{
    Fault, Result,
    api::{SASL_AUTHENTICATE, SASL_HANDSHAKE},
    connection::{Connection, refusal},
};

mod scram;

use self::scram::{Hash, Scram};

/// How to log in. No secret shows in its `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Not at all: a plain listener, or one that knows its clients by their certificates.
    #[default]
    None,
    /// SASL PLAIN: the password goes to the broker. Only over TLS.
    Plain {
        /// Who
        user: String,
        /// The secret
        password: String,
    },
    /// SASL SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides prove that they know the password.
    ScramSha256 {
        /// Who
        user: String,
        /// The secret
        password: String,
    },
    /// SASL SCRAM-SHA-512
    ScramSha512 {
        /// Who
        user: String,
        /// The secret
        password: String,
    },
}

impl Login {
    /// Its name among SASL's mechanisms; none without a login.
    pub fn mechanism(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Plain { .. } => Some("PLAIN"),
            Self::ScramSha256 { .. } => Some("SCRAM-SHA-256"),
            Self::ScramSha512 { .. } => Some("SCRAM-SHA-512"),
        }
    }

    /// The user; none without a login.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Plain { user, .. } | Self::ScramSha256 { user, .. } | Self::ScramSha512 { user, .. } => Some(user),
        }
    }
}

impl Login {
    /// Tells the broker who is asking.
    ///
    /// # Errors
    /// `denied` when the broker, or what it says of itself, is refused; `unsupported` when it does not know the mechanism.
    pub(crate) fn log_in(&self, connection: &mut Connection) -> Result<()> {
        let Some(mechanism) = self.mechanism() else { return Ok(()) };
        let doing = format!("logging in as {:?} by {mechanism}", self.user().unwrap_or_default());
        shake_hands(connection, mechanism).and_then(|()| self.prove(connection)).map_err(|error| error.context(doing))
    }

    fn prove(&self, connection: &mut Connection) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Plain { user, password } => {
                // RFC 4616: who to act for (oneself), who, and the secret.
                exchange(connection, format!("\0{user}\0{password}").as_bytes()).map(drop)
            }
            Self::ScramSha256 { user, password } => scram(connection, Hash::Sha256, user, password),
            Self::ScramSha512 { user, password } => scram(connection, Hash::Sha512, user, password),
        }
    }
}

fn scram(connection: &mut Connection, hash: Hash, user: &str, password: &str) -> Result<()> {
    let scram = Scram::new(hash, user, &context::random(scram::NONCE_BYTES));
    let first = exchange(connection, scram.first().as_bytes())?;
    let proof = scram.prove(password, &first)?;
    let last = exchange(connection, proof.message.as_bytes())?;
    proof.check(&last)
}

fn shake_hands(connection: &mut Connection, mechanism: &str) -> Result<()> {
    let answer = connection.ask(&SASL_HANDSHAKE, |writer, _| {
        writer.text(mechanism);
    })?;
    let (code, known) =
        answer.read(|reader, _| Ok((reader.i16()?, reader.list(|reader| Ok(reader.text()?.to_owned()))?)))?;
    refusal(code, None).map_err(|error| match error.is(Fault::UnsupportedSaslMechanism) {
        true => error.context(format!("the broker knows {}", known.join(", "))),
        false => error,
    })
}

/// One message of the mechanism, and what the broker says to it.
fn exchange(connection: &mut Connection, message: &[u8]) -> Result<Vec<u8>> {
    let answer = connection.ask(&SASL_AUTHENTICATE, |writer, _| {
        writer.bytes(message);
    })?;
    answer.read(|reader, version| {
        let (code, words, said) = (reader.i16()?, reader.nullable_text()?, reader.bytes()?);
        if version >= 1 {
            // How long it holds: a broker that ends it closes the connection, and the next one logs in anew.
            reader.i64()?;
        }
        refusal(code, words)?;
        Ok(said.to_vec())
    })
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({} as {:?})", self.mechanism().unwrap_or("none"), self.user().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
