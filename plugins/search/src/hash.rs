//! What an index holds, in one number that does not depend on the order of its documents.
//!
//! Engines give documents in the order in which they lie in their files, which is another one after a merge or a restore,
//! and a million ids do not fit into a plugin to be sorted. So each document becomes a number, the BLAKE2s over its id,
//! version, routing and source, each with its length, and the numbers are added modulo 2^256: "AdHash" of Bellare and
//! Micciancio, "A New Paradigm for Collision-Free Hashing" (1997). Equal sets have equal sums; a document that is missing,
//! there twice, or changed by a bit makes another one, but for a chance of 2^-256. Someone who may choose a great many
//! documents could make two sets with one sum (a birthday attack on many lists), so the sum is no seal against forgery:
//! that is the SHA-256 of every stored object, which the snapshot has anyway.
//!
//! First it was SHA-256, which takes a guest more than twice as long. A hash says which it is, so that no two are compared
//! that cannot be: a set from before is compared with what its own function makes of the documents.

use blake2::Blake2s256;
use sha2::{Digest, Sha256, digest::consts::U32};

use self::lanes::Messages;
use crate::document::Document;

mod lanes;

/// Documents that are longer are hashed at once.
const SHORT_BYTES_MAX: usize = 16 << 10;
/// So much waits until it is hashed.
const WAITING_BYTES: usize = 256 << 10;

/// What makes a number of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Function {
    /// RFC 7693, with 32 bytes and no key.
    #[default]
    Blake2s,
    /// Of sets whose `index.json` is of version 1.
    Sha256,
}

/// What a hash begins with, unless it is of [`Function::Sha256`].
const BLAKE2S: &str = "blake2s:";

impl Function {
    /// The one that made a hash; for none, the one that would.
    pub fn of(hash: &str) -> Self {
        if hash.is_empty() || hash.starts_with(BLAKE2S) { Self::Blake2s } else { Self::Sha256 }
    }
}

/// Documents counted and hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub documents: u64,
    function: Function,
    /// The sum of their numbers, its least part first.
    sum: [u64; 4],
}

impl Tally {
    /// No document yet.
    pub fn by(function: Function) -> Self {
        Self { function, ..Self::default() }
    }

    /// One more document.
    pub fn add(&mut self, document: &Document) {
        let digest = match self.function {
            Function::Blake2s => digest::<Blake2s256>(document),
            Function::Sha256 => digest::<Sha256>(document),
        };
        self.plus(1, number(digest.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))));
    }

    /// All documents of another tally by the same function.
    pub fn join(&mut self, other: &Self) {
        self.plus(other.documents, other.sum);
    }

    fn plus(&mut self, documents: u64, number: [u64; 4]) {
        self.documents = self.documents.saturating_add(documents);
        let mut carry = false;
        for (own, other) in self.sum.iter_mut().zip(number) {
            let (sum, over) = own.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(carry.into());
            (*own, carry) = (sum, over || over_again);
        }
    }

    /// The sum as 64 hexadecimal digits, behind `blake2s:` where that is the function.
    pub fn hash(&self) -> String {
        let name = if self.function == Function::Blake2s { BLAKE2S } else { "" };
        std::iter::once(name.to_owned()).chain(self.sum.iter().rev().map(|part| format!("{part:016x}"))).collect()
    }
}

fn digest<D: Digest<OutputSize = U32>>(document: &Document) -> [u8; 32] {
    let mut hasher = D::new();
    fields(document, |bytes| hasher.update(bytes));
    hasher.finalize().into()
}

/// What is hashed of a document.
fn fields(document: &Document, mut add: impl FnMut(&[u8])) {
    let mut field = |bytes: &[u8]| {
        add(&(bytes.len() as u64).to_le_bytes());
        add(bytes);
    };
    field(document.id.as_bytes());
    field(&document.version.to_le_bytes());
    match document.routing {
        // No routing is something else than an empty one.
        Some(routing) => field(routing.as_bytes()),
        None => add(&u64::MAX.to_le_bytes()),
    }
    add(&(document.source.len() as u64).to_le_bytes());
    add(document.source);
}

/// The eight words of a digest, its last ones first.
fn number(words: impl IntoIterator<Item = u32>) -> [u64; 4] {
    let mut number = [0; 4];
    for (at, word) in words.into_iter().enumerate() {
        if let Some(part) = number.iter_mut().nth_back(at / 2) {
            *part = *part << 32 | u64::from(word);
        }
    }
    number
}

/// Counts and hashes many documents: short ones together, which takes less than half the time.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    tally: Tally,
    waiting: Messages,
}

impl Hasher {
    /// No document yet.
    pub fn by(function: Function) -> Self {
        Self { tally: Tally::by(function), waiting: Messages::default() }
    }

    /// One more document.
    pub fn add(&mut self, document: &Document) {
        if document.source.len() > SHORT_BYTES_MAX || self.tally.function != Function::Blake2s {
            return self.tally.add(document);
        }
        fields(document, |bytes| self.waiting.append(bytes));
        self.waiting.end();
        if self.waiting.len() >= WAITING_BYTES {
            self.hash();
        }
    }

    /// All documents so far.
    pub fn tally(&mut self) -> Tally {
        self.hash();
        self.tally
    }

    fn hash(&mut self) {
        let tally = &mut self.tally;
        self.waiting.digests(|digest| tally.plus(1, number(digest)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn one(id: &'static str, version: u64, routing: Option<&'static str>, source: &'static str) -> Document<'static> {
        Document { id, version, routing, source: source.as_bytes() }
    }

    fn tally(documents: &[Document]) -> Tally {
        let mut tally = Tally::default();
        documents.iter().for_each(|document| tally.add(document));
        tally
    }

    #[test]
    fn whatever_a_document_is_made_of_changes_its_hash() {
        let different = [
            one("a", 1, None, "{}"),
            one("b", 1, None, "{}"),
            one("a", 2, None, "{}"),
            one("a", 1, Some(""), "{}"),
            one("a", 1, Some("r"), "{}"),
            one("a", 1, None, "{ }"),
            one("", 1, None, "a{}"),
            one("a", 1, Some("r{"), "}"),
        ];
        let unique: BTreeSet<_> = different.iter().map(|document| tally(&[*document]).hash()).collect();
        assert_eq!(unique.len(), different.len());
    }

    #[test]
    fn the_order_of_documents_does_not_count_but_their_number_does() {
        let (a, b, c) = (one("a", 1, None, "1"), one("b", 1, None, "2"), one("c", 1, None, "3"));
        assert_eq!(tally(&[a, b, c]), tally(&[c, a, b]));
        assert_ne!(tally(&[a, b, c]).hash(), tally(&[a, b]).hash());
        assert_ne!(tally(&[a, b, b]).hash(), tally(&[a, a, b]).hash());
        assert_ne!(tally(&[a, a]).hash(), tally(&[]).hash(), "twice is not never");
        let mut joined = tally(&[a]);
        joined.join(&tally(&[b, c]));
        assert_eq!(joined, tally(&[b, c, a]));
    }

    #[test]
    fn a_sum_carries_from_part_to_part_and_over_the_end() {
        let mut tally = Tally { documents: 1, sum: [u64::MAX; 4], ..Tally::default() };
        tally.plus(1, [1, 0, 0, 0]);
        assert_eq!(tally.hash(), format!("blake2s:{}", "0".repeat(64)));
        tally.sum = [u64::MAX, u64::MAX, 0, 0];
        tally.plus(1, [1, 0, 0, 0]);
        assert_eq!(tally.sum, [0, 0, 1, 0]);
    }

    #[test]
    fn documents_that_are_hashed_together_have_the_same_hash() {
        let (mut hasher, mut alone) = (Hasher::default(), Tally::default());
        for number in 0..2000_usize {
            let source = "x".repeat(if number == 700 { SHORT_BYTES_MAX + 1 } else { number });
            let id = number.to_string();
            let routing = (number % 3 == 0).then_some("r");
            let document = Document { id: &id, version: 7, routing, source: source.as_bytes() };
            hasher.add(&document);
            alone.add(&document);
            if number % 500 == 1 {
                assert_eq!(hasher.tally(), alone);
            }
        }
        assert_eq!(hasher.tally(), alone);
        assert_eq!(alone.documents, 2000);
    }

    #[test]
    fn the_number_is_the_digest_as_it_is_written_and_says_of_which_function() {
        let mut bytes = Vec::new();
        for field in [1u64.to_le_bytes().as_slice(), b"a", &8u64.to_le_bytes(), &1u64.to_le_bytes()] {
            bytes.extend_from_slice(field);
        }
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        bytes.extend_from_slice(&2u64.to_le_bytes());
        bytes.extend_from_slice(b"{}");
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (function, expected) in [
            (Function::Sha256, hex(&Sha256::digest(&bytes))),
            (Function::Blake2s, format!("blake2s:{}", hex(&Blake2s256::digest(&bytes)))),
        ] {
            let mut hasher = Hasher::by(function);
            hasher.add(&one("a", 1, None, "{}"));
            assert_eq!((hasher.tally().hash(), Function::of(&expected)), (expected, function));
        }
        assert_eq!(Function::of(""), Function::Blake2s);
    }
}
