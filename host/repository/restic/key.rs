//! Seals what a repository stores, and opens it: AES-256 in counter mode with Poly1305-AES, as restic's design document
//! says (<https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac>).
//!
//! Sealed bytes are a nonce of 16 bytes, the encrypted ones, and a tag of 16 bytes.

use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Tag, aead::AeadInPlace};

/// Bytes ahead of what is encrypted.
pub(super) const NONCE: usize = 16;
/// Bytes behind it.
const TAG: usize = 16;
/// Bytes that sealing adds.
pub(super) const OVERHEAD: usize = NONCE + TAG;
/// Bytes of a key: 32 that encrypt, then 16 and 16 that authenticate.
pub(super) const KEY_BYTES: usize = 64;

/// A key that seals and opens. Shows nothing.
#[derive(Clone)]
pub(super) struct Key(Aes256CtrPoly1305Aes);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// It was not sealed with that key, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not open with the repository's key: it was changed, or cut short")]
pub(super) struct NotOurs;

impl Key {
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Aes256CtrPoly1305Aes::new(bytes.into()))
    }

    /// Makes room for a nonce at the end of `out`: what is appended after it can be sealed. Returns where it begins.
    pub(super) fn begin(out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.resize(start + NONCE, 0);
        rand::fill(&mut out[start..]);
        start
    }

    /// Seals what follows the nonce at `start`, up to the end of `out`.
    pub(super) fn seal(&self, out: &mut Vec<u8>, start: usize) -> Result<(), NotOurs> {
        let (head, body) = out.split_at_mut(start + NONCE);
        let nonce = aes256ctr_poly1305aes::Nonce::from_slice(&head[start..]);
        let tag = self.0.encrypt_in_place_detached(nonce, b"", body).map_err(|_| NotOurs)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens `sealed` where it lies; returns what was in it.
    pub(super) fn open<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a mut [u8], NotOurs> {
        let length = sealed.len().checked_sub(OVERHEAD).ok_or(NotOurs)?;
        let (nonce, rest) = sealed.split_at_mut(NONCE);
        let (body, tag) = rest.split_at_mut(length);
        let nonce = aes256ctr_poly1305aes::Nonce::from_slice(nonce);
        self.0.decrypt_in_place_detached(nonce, b"", body, Tag::from_slice(tag)).map_err(|_| NotOurs)?;
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_only_and_unchanged_only() {
        let key = Key::new(&[7; KEY_BYTES]);
        let mut sealed = b"before".to_vec();
        let start = Key::begin(&mut sealed);
        sealed.extend(b"the text");
        key.seal(&mut sealed, start).unwrap();
        assert_eq!(sealed.len(), 6 + 8 + OVERHEAD);
        let mut sealed = sealed.split_off(6);
        assert_eq!(key.open(&mut sealed.clone()), Ok(&mut b"the text".to_vec()[..]));
        assert_eq!(Key::new(&[8; KEY_BYTES]).open(&mut sealed.clone()), Err(NotOurs));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&mut changed), Err(NotOurs), "byte {at}");
        }
        assert_eq!(key.open(&mut sealed[..OVERHEAD - 1]), Err(NotOurs));
    }
}
