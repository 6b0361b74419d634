//! Hides what a draft notes for itself on this machine's disk.

use std::{
    fs::File,
    io::{self, Read},
};

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::AeadInPlace};

/// Hides short records of a file that is read here and there: each is encrypted for the place where it lies, with a
/// key that only this process knows. No place may be used twice.
pub(crate) struct Veil(ChaCha20Poly1305);

impl Veil {
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        Ok(Self(ChaCha20Poly1305::new(&key.into())))
    }

    /// Hides a record that goes to `place`.
    pub(crate) fn hide(&self, place: u64, record: &mut Vec<u8>) -> io::Result<()> {
        self.0.encrypt_in_place(&nonce(place), b"", record).map_err(|_| io::Error::other("encrypting"))
    }

    /// Shows the record that lay at `place`.
    pub(crate) fn show(&self, place: u64, record: &mut Vec<u8>) -> io::Result<()> {
        let changed = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not what was written there");
        self.0.decrypt_in_place(&nonce(place), b"", record).map_err(changed)
    }
}

fn nonce(place: u64) -> chacha20poly1305::Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&place.to_le_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veiled_record_is_shown_at_its_place_only() {
        let veil = Veil::new().unwrap();
        let mut record = b"a path".to_vec();
        veil.hide(7, &mut record).unwrap();
        assert_ne!(&record[..6], b"a path");
        assert!(veil.show(8, &mut record.clone()).is_err());
        assert!(Veil::new().unwrap().show(7, &mut record.clone()).is_err());
        veil.show(7, &mut record).unwrap();
        assert_eq!(record, b"a path");
    }
}
