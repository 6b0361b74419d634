//! To whom sets are encrypted: an age recipient, checked when the pipeline file is read.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A public key of age, `age1…` (<https://age-encryption.org/v1>): X25519, as `age-keygen` makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(age::x25519::Recipient);

/// Text that is no recipient. Does not repeat it: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no age recipient: expected `age1…` with its checksum, as `age-keygen -y` prints it")]
pub struct NoRecipient;

impl Recipient {
    /// The key, for what encrypts to it.
    pub fn key(&self) -> &age::x25519::Recipient {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = NoRecipient;

    fn from_str(text: &str) -> Result<Self, NoRecipient> {
        text.parse().map(Self).map_err(|_| NoRecipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
