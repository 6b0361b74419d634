//! A directory of blobs: how names are made, where the file of a key is, which files are none.
//!
//! Sources: `LocalBlobStoreConfiguration`, `PathStrategySubDirs`, `BinaryManagerRootDescriptor` and `AESBlobProvider` of
//! Nuxeo's nuxeo-core-api and nuxeo-core.

use quick_xml::{Reader, events::Event};
use strongroom_plugin::Algorithm;

/// Below the store's directory: what says how names are made.
pub const DESCRIPTOR: &str = "config.xml";
/// Below it: where the blobs are.
pub const DATA: &str = "data";
/// Below it: what is being written, and never part of the content.
pub const TEMPORARY: &str = "tmp";
/// How the file of an encrypted blob begins; its name is the digest of the content before it was encrypted.
pub const ENCRYPTED_MAGIC: &[u8] = b"NUXEOCRYPT";

/// The largest descriptor that is read: real ones have about a hundred bytes.
const DESCRIPTOR_BYTES_MAX: usize = 64 << 10;
/// The deepest tree that is believed: longer prefixes than any digest has would be needed for more.
const DEPTH_MAX: u32 = 64;

/// Why a `config.xml` cannot be used, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDescriptor {
    /// Too long to be one.
    #[error("it has {0} bytes, more than the {DESCRIPTOR_BYTES_MAX} that such a file may have")]
    TooLarge(usize),
    /// Not XML, or cut off.
    #[error("it is no complete XML: {0}")]
    Malformed(String),
    /// Another document.
    #[error("its root element is <{0}>, not <binary-store>")]
    Root(String),
    /// Not a number, or one that no store has.
    #[error("its depth is {0:?}, not a number from 0 to {DEPTH_MAX}")]
    Depth(String),
}

/// How a store names and places its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Of which digest of the content a name is made.
    pub digest: Digest,
    /// How many directories are above a file, each named by two characters of the key.
    pub depth: u32,
}

impl Default for Descriptor {
    /// What Nuxeo writes where no descriptor is.
    fn default() -> Self {
        Self { digest: Digest::Md5, depth: 2 }
    }
}

/// A digest by its Java name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// `MD5`.
    Md5,
    /// `SHA-1`.
    Sha1,
    /// `SHA-256`.
    Sha256,
    /// `SHA-384`.
    Sha384,
    /// `SHA-512`.
    Sha512,
    /// One that Java knows and the host does not compute.
    Other(String),
}

impl Digest {
    /// From the name that Java gives it; case does not matter.
    pub fn named(name: &str) -> Self {
        match name.trim().to_ascii_uppercase().as_str() {
            "MD5" => Self::Md5,
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => Self::Other(name.trim().to_owned()),
        }
    }

    /// Its Java name.
    pub fn name(&self) -> &str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Other(name) => name,
        }
    }

    /// The same for the host, which computes it without the bytes coming into the plugin.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Md5 => Some(Algorithm::Md5),
            Self::Sha1 => Some(Algorithm::Sha1),
            Self::Sha256 => Some(Algorithm::Sha256),
            Self::Sha384 => Some(Algorithm::Sha384),
            Self::Sha512 => Some(Algorithm::Sha512),
            Self::Other(_) => None,
        }
    }

    /// How many hexadecimal digits it has, as far as that is known.
    pub fn hex_length(&self) -> Option<usize> {
        match self {
            Self::Md5 => Some(32),
            Self::Sha1 => Some(40),
            Self::Sha256 => Some(64),
            Self::Sha384 => Some(96),
            Self::Sha512 => Some(128),
            Self::Other(name) => match name.to_ascii_uppercase().as_str() {
                "SHA-224" | "SHA-512/224" | "SHA3-224" => Some(56),
                "SHA-512/256" | "SHA3-256" => Some(64),
                "SHA3-384" => Some(96),
                "SHA3-512" => Some(128),
                "MD2" => Some(32),
                _ => None,
            },
        }
    }
}

/// What a file in a store is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Its content has this digest, unless the store encrypts.
    Digest,
    /// It is being written or was abandoned.
    Temporary,
    /// A key that says nothing about the content, as those of record stores.
    Other,
}

impl Descriptor {
    /// Reads a `config.xml`; what it does not say is as in [`Self::default`].
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(xml: &[u8]) -> Result<Self, BadDescriptor> {
        if xml.len() > DESCRIPTOR_BYTES_MAX {
            return Err(BadDescriptor::TooLarge(xml.len()));
        }
        let [digest, depth] = texts(xml)?;
        let read = Self::default();
        Ok(Self {
            digest: digest.filter(|name| !name.trim().is_empty()).map_or(read.digest, |name| Digest::named(&name)),
            depth: match depth {
                Some(text) => match text.trim().parse() {
                    Ok(depth) if depth <= DEPTH_MAX => depth,
                    _ => return Err(BadDescriptor::Depth(text)),
                },
                None => read.depth,
            },
        })
    }

    /// Where the blob of a key is, below the store's directory (`data/ab/cd/abcd…`). None for a key that Nuxeo would
    /// not store by digest: one of other characters than letters and digits.
    pub fn path(&self, key: &str) -> Option<String> {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let pairs = 2 * self.depth as usize;
        let mut path = DATA.to_owned();
        match key.get(..pairs) {
            Some(prefix) => {
                for pair in prefix.as_bytes().chunks_exact(2) {
                    path.push('/');
                    path.extend(pair.iter().map(|byte| char::from(*byte)));
                }
            }
            None => path.push_str("/000"),
        }
        Some(format!("{path}/{key}"))
    }

    /// What a file is called this way for.
    pub fn name(&self, name: &str) -> Name {
        if name.ends_with(".tmp") {
            return Name::Temporary;
        }
        let hex = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match self.digest.hex_length() {
            Some(length) if hex && name.len() == length => Name::Digest,
            _ => Name::Other,
        }
    }
}

/// The text of `<digest>` and of `<depth>` below `<binary-store>`.
fn texts(xml: &[u8]) -> Result<[Option<String>; 2], BadDescriptor> {
    let malformed = |error: String| BadDescriptor::Malformed(error);
    let mut reader = Reader::from_reader(xml);
    let mut open: Vec<String> = Vec::new();
    let mut found = [None, None];
    let mut seen = false;
    loop {
        match reader.read_event().map_err(|error| malformed(error.to_string()))? {
            Event::Start(tag) => {
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                if open.is_empty() && name != "binary-store" {
                    return Err(BadDescriptor::Root(name));
                }
                seen = true;
                open.push(name);
            }
            Event::Empty(tag) if open.is_empty() => {
                if tag.name().as_ref() != b"binary-store" {
                    return Err(BadDescriptor::Root(String::from_utf8_lossy(tag.name().as_ref()).into_owned()));
                }
                seen = true;
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => {
                let text = text.decode().map_err(|error| malformed(error.to_string()))?.into_owned();
                match open.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["binary-store", "digest"] => found[0] = Some(text),
                    ["binary-store", "depth"] => found[1] = Some(text),
                    _ => {}
                }
            }
            Event::DocType(_) => return Err(malformed("it declares a document type".into())),
            Event::Eof if open.is_empty() && seen => return Ok(found),
            Event::Eof => return Err(malformed("it ends too early".into())),
            _ => {}
        }
    }
}

/// Whether a file's first bytes say that it is an encrypted blob.
pub fn is_encrypted(first: &[u8]) -> bool {
    first.starts_with(ENCRYPTED_MAGIC)
}

/// The key of a blob as the database holds it: `provider:key@version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The blob provider; none where the repository's own is meant.
    pub provider: Option<&'a str>,
    /// The key in the provider's store.
    pub key: &'a str,
    /// Which version of it.
    pub version: Option<&'a str>,
}

impl<'a> Key<'a> {
    /// Reads one.
    pub fn parse(text: &'a str) -> Self {
        let (provider, rest) = text.split_once(':').map_or((None, text), |(provider, rest)| (Some(provider), rest));
        let (key, version) = rest.rsplit_once('@').map_or((rest, None), |(key, version)| (key, Some(version)));
        Self { provider, key, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(xml: &str) -> Result<Descriptor, BadDescriptor> {
        Descriptor::parse(xml.as_bytes())
    }

    #[test]
    fn the_fixture_says_sha_256_and_depth_3() {
        let read = Descriptor::parse(include_bytes!("../../fixtures/binaries-config.xml")).unwrap();
        assert_eq!((read.digest.name(), read.depth), ("SHA-256", 3));
        assert_eq!(read.path("abcdef0123").as_deref(), Some("data/ab/cd/ef/abcdef0123"));
    }

    #[test]
    fn what_a_descriptor_does_not_say_is_the_default() {
        assert_eq!(descriptor("<binary-store></binary-store>").unwrap(), Descriptor::default());
        assert_eq!(descriptor("<binary-store/>").unwrap(), Descriptor::default());
        assert_eq!(descriptor("<store/>").unwrap_err(), BadDescriptor::Root("store".into()));
        let read = descriptor("<binary-store><digest>sha-512</digest></binary-store>").unwrap();
        assert_eq!((read.digest, read.depth), (Digest::Sha512, 2));
        let read = descriptor("<binary-store><depth> 0 </depth><digest>SHA-384</digest></binary-store>").unwrap();
        assert_eq!((read.digest.hex_length(), read.path("abc").as_deref()), (Some(96), Some("data/abc")));
    }

    #[test]
    fn a_descriptor_that_is_none_is_refused() {
        for xml in ["", "x", "<binary-store><digest>MD5", "<binary-store", "<!DOCTYPE a><binary-store></binary-store>"]
        {
            assert!(matches!(descriptor(xml), Err(BadDescriptor::Malformed(_))), "{xml}");
        }
        assert_eq!(descriptor("<store></store>").unwrap_err(), BadDescriptor::Root("store".into()));
        for depth in ["-1", "65", "99999999999999999999", "two", ""] {
            let refused = descriptor(&format!("<binary-store><depth>{depth}</depth></binary-store>"));
            assert_eq!(refused.is_err(), !depth.is_empty(), "{depth}");
        }
        assert!(matches!(Descriptor::parse(&vec![b' '; 1 << 20]), Err(BadDescriptor::TooLarge(_))));
        let deep = "<binary-store>".repeat(4000);
        assert!(matches!(descriptor(&deep), Err(BadDescriptor::Malformed(_))));
    }

    #[test]
    fn keys_have_one_place_each() {
        let store = Descriptor::default();
        assert_eq!(store.path("0123abcd").as_deref(), Some("data/01/23/0123abcd"));
        assert_eq!(store.path("0123").as_deref(), Some("data/01/23/0123"));
        assert_eq!(store.path("012").as_deref(), Some("data/000/012"), "short keys have a directory of their own");
        for key in ["", "../../etc/passwd", "ab/cd", "é123", "0123abcd@1", "a:b"] {
            assert_eq!(store.path(key), None, "{key}");
        }
        let deepest = Descriptor { depth: DEPTH_MAX, ..Descriptor::default() };
        assert_eq!(deepest.path("abc").as_deref(), Some("data/000/abc"));
    }

    #[test]
    fn names_say_what_a_file_is() {
        let store = Descriptor::default();
        let digest = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(store.name(digest), Name::Digest);
        for temporary in ["create_123.tmp", "bin_x.tmp", &format!("{digest}123.tmp")] {
            assert_eq!(store.name(temporary), Name::Temporary);
        }
        let upper = digest.to_ascii_uppercase();
        for other in [&upper, &digest[1..], "", "8a3f-doc-id", "config.xml", "éééééééééééééééé"] {
            assert_eq!(store.name(other), Name::Other, "{other}");
        }
        let unknown = Descriptor { digest: Digest::named("WHIRLPOOL"), depth: 2 };
        assert_eq!(unknown.name(digest), Name::Other);
    }

    #[test]
    fn encrypted_blobs_are_recognised_by_their_beginning() {
        assert!(is_encrypted(b"NUXEOCRYPT\x01\x02"));
        assert!(!is_encrypted(b"NUXEOCRYP") && !is_encrypted(b"") && !is_encrypted(b"xNUXEOCRYPT"));
    }

    #[test]
    fn keys_of_the_database_are_taken_apart() {
        let key = Key::parse("s3:abc@v1");
        assert_eq!((key.provider, key.key, key.version), (Some("s3"), "abc", Some("v1")));
        let key = Key::parse("abc");
        assert_eq!((key.provider, key.key, key.version), (None, "abc", None));
        assert_eq!(Key::parse("records:id@x@2").key, "id@x");
    }
}
