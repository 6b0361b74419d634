//! Blob stores: how their files are named, and which file a key of the database means.

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Algorithm, Error, Part, Result};

use crate::conf::blobs::{DATA, Descriptor, Digest, Key};

/// The setting of a part that holds its store.
pub const SETTING: &str = "store";

/// Files in the making, which never belong to a document: `LocalBlobStore`'s, and those of `LocalBinaryManager`.
pub const TEMPORARY: [&str; 3] = ["/tmp/*", "/data/**/*.tmp", "/bin_*.tmp"];

/// How a store's files are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// By the digest of what they hold, in hexadecimal.
    Digest {
        /// As `config.xml` names it: `MD5`, `SHA-256`.
        algorithm: String,
        /// How many directories lie above a file, each named by two digits.
        depth: u32,
    },
    /// By the document, all in one directory; what they hold changes.
    Flat,
}

/// A store of a blob provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Store {
    /// The provider's name before the colon of a key; empty for the repository's own.
    pub provider: String,
    /// The part that holds it.
    pub part: String,
    /// How its files are named.
    pub layout: Layout,
    /// Files hold something else than the digest in their names is made of.
    pub encrypted: bool,
}

impl Store {
    /// From the settings of a part.
    ///
    /// # Errors
    /// `invalid` when the plan has no such setting.
    pub fn of(part: &Part) -> Result<Self> {
        read(part.expect_setting(SETTING)?)
    }

    /// For the settings of a part.
    ///
    /// # Errors
    /// Never: it can be JSON.
    pub fn to_setting(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// How names are made and files placed; none where documents name them.
    pub fn descriptor(&self) -> Option<Descriptor> {
        match &self.layout {
            Layout::Digest { algorithm, depth } => Some(Descriptor { digest: Digest::named(algorithm), depth: *depth }),
            Layout::Flat => None,
        }
    }

    /// How many hexadecimal digits a name has that is a digest, and the digest, where the host can compute it.
    pub fn digest(&self) -> Option<(usize, Option<Algorithm>)> {
        let digest = self.descriptor()?.digest;
        Some((digest.hex_length()?, digest.algorithm().filter(|_| !self.encrypted)))
    }

    /// Where the file of a key may be, below the step: one of them must be there.
    pub fn paths(&self, key: &str) -> Vec<String> {
        // A version is one of a bucket's object; in a directory it may be part of the name.
        let plain = Key::parse(key).key;
        let keys = [Some(key), (plain != key).then_some(plain)];
        keys.into_iter().flatten().filter(|key| !key.is_empty()).flat_map(|key| self.places(key)).collect()
    }

    fn places(&self, key: &str) -> Vec<String> {
        let (part, name) = (&self.part, file_name(key));
        match self.descriptor().map(|descriptor| descriptor.path(key)) {
            Some(Some(path)) => vec![format!("{part}/{path}")],
            Some(None) => vec![format!("{part}/*/{name}")],
            None => vec![format!("{part}/{DATA}/{name}"), format!("{part}/{name}")],
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(setting: &str) -> Result<T> {
    serde_json::from_str(setting)
        .map_err(|error| Error::from(error).context("reading what the plan says of blob stores"))
}

/// The list of stores in the settings of a database's part.
///
/// # Errors
/// `invalid` when it is no such list.
pub fn all(setting: &str) -> Result<Vec<Store>> {
    read(setting)
}

/// Whether a name is a digest of that many hexadecimal digits.
pub fn is_digest(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A pattern for files named by a digest of that many hexadecimal digits.
pub fn digest_pattern(digits: usize) -> String {
    "[0-9a-f]".repeat(digits)
}

/// A key as the name of a file, as Nuxeo's `AbstractBlobStore` makes it safe: unchanged where nothing in it is special,
/// else `%` and then each special byte as `%` and two digits.
pub fn file_name(key: &str) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && !b"%/:\\".contains(&byte);
    if key.bytes().all(plain) {
        return key.to_owned();
    }
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    format!("%{}", key.bytes().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(algorithm: &str, depth: u32) -> Store {
        let layout = Layout::Digest { algorithm: algorithm.to_owned(), depth };
        Store { provider: String::new(), part: "blobs".into(), layout, encrypted: false }
    }

    #[test]
    fn a_key_is_looked_for_where_its_store_puts_it() {
        assert_eq!(digest("SHA-256", 3).paths("abcdef01"), ["blobs/data/ab/cd/ef/abcdef01"]);
        assert_eq!(digest("MD5", 2).paths("abc"), ["blobs/data/000/abc"]);
        assert_eq!(digest("MD5", 2).paths("ab_ns"), ["blobs/*/ab_ns"]);
        assert_eq!(digest("MD5", 2).paths("abcdef@v1"), ["blobs/*/abcdef@v1", "blobs/data/ab/cd/abcdef"]);
        let flat = Store { layout: Layout::Flat, part: "blobs-records".into(), ..digest("MD5", 2) };
        assert_eq!(flat.paths("0a-1"), ["blobs-records/data/0a-1", "blobs-records/0a-1"]);
    }

    #[test]
    fn a_key_that_could_leave_its_directory_is_escaped() {
        assert_eq!(file_name("../../etc/passwd"), "%..%2f..%2fetc%2fpasswd");
        assert_eq!(file_name("a:b%c\\d\u{e9}\n"), "%a%3ab%25c%5cd%c3%a9%0a");
        assert_eq!(file_name("abc-1_x"), "abc-1_x");
        assert_eq!(digest("MD5", 2).paths("../x"), ["blobs/*/%..%2fx"]);
    }

    #[test]
    fn only_what_the_host_can_compute_and_what_is_not_encrypted_is_checked() {
        assert_eq!(digest("sha-1", 2).digest(), Some((40, Some(Algorithm::Sha1))));
        assert_eq!(digest("MD2", 2).digest(), Some((32, None)));
        assert_eq!(Store { encrypted: true, ..digest("MD5", 2) }.digest(), Some((32, None)));
        assert_eq!(Store { layout: Layout::Flat, ..digest("MD5", 2) }.digest(), None);
        assert!(is_digest(&"0a".repeat(16), 32) && !is_digest(&"0A".repeat(16), 32) && !is_digest("0a", 32));
    }

    #[test]
    fn a_store_survives_the_plan() {
        let store = digest("SHA-256", 3);
        let part = Part::new("blobs", strongroom_plugin::Stage::Files).set(SETTING, store.to_setting().unwrap());
        assert_eq!(Store::of(&part).unwrap(), store);
        assert!(Store::of(&Part::new("blobs", strongroom_plugin::Stage::Files).set(SETTING, "{}")).is_err());
    }
}
