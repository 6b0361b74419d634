//! Key files: each holds the repository's master key, sealed with a password
//! (<https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac>).

use std::io;

use serde::{Deserialize, Serialize};

use super::{
    key::{KEY_BYTES, Key},
    storage::{Found, Kind, Name, Storage},
};
use crate::{
    digest::Digest,
    repository::{Error, host_name},
    secret::Secret,
};

/// scrypt's N (2^15), r and p for new keys: 32 MiB and a fifth of a second, as OWASP's password cheat sheet has it.
const COST: (u8, u32, u32) = (15, 8, 3);
/// Memory that a key file may ask for: 128·N·r bytes.
const MEMORY_MAX: u64 = 1 << 30;
/// Work that it may ask for: N·r·p. A thousand times what new keys take.
const WORK_MAX: u64 = 1000 << 20;

/// A key file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeyFile {
    pub created: String,
    pub username: String,
    pub hostname: String,
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    salt: Base64,
    data: Base64,
}

/// The master key as JSON.
#[derive(Serialize, Deserialize)]
struct Master {
    mac: Mac,
    encrypt: Base64,
}

#[derive(Serialize, Deserialize)]
struct Mac {
    k: Base64,
    r: Base64,
}

/// A repository's master key: 32 bytes that encrypt, then 16 and 16 that authenticate.
#[derive(Clone)]
pub(super) struct MasterKey([u8; KEY_BYTES]);

/// Bytes that JSON holds as base64.
#[derive(Debug)]
struct Base64(Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine;
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl MasterKey {
    /// A new one.
    pub(super) fn random() -> Self {
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes);
        Self(bytes)
    }

    /// The key that seals and opens.
    pub(super) fn key(&self) -> Key {
        Key::new(&self.0)
    }

    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let [encrypt, k, r] = [&self.0[..32], &self.0[32..48], &self.0[48..]].map(|bytes| Base64(bytes.to_vec()));
        serde_json::to_vec(&Master { mac: Mac { k, r }, encrypt })
    }

    fn from_json(json: &[u8]) -> Option<Self> {
        let Master { mac, encrypt } = serde_json::from_slice(json).ok()?;
        let whole = encrypt.0.len() == 32 && mac.k.0.len() == 16;
        [encrypt.0, mac.k.0, mac.r.0].concat().try_into().ok().filter(|_| whole).map(Self)
    }
}

impl KeyFile {
    /// Seals `master` with `password`.
    fn new(master: &MasterKey, password: &Secret) -> io::Result<Self> {
        let (log_n, r, p) = COST;
        let mut salt = vec![0; 64];
        rand::fill(&mut salt[..]);
        let mut file = Self {
            created: jiff::Timestamp::now().to_string(),
            username: std::env::var("USER").unwrap_or_default(),
            hostname: host_name(),
            kdf: "scrypt".into(),
            n: 1 << log_n,
            r,
            p,
            salt: Base64(salt),
            data: Base64(Vec::new()),
        };
        let mut data = Vec::new();
        let start = Key::begin(&mut data);
        data.extend(master.to_json()?);
        file.derive(password)?.seal(&mut data, start).map_err(io::Error::other)?;
        file.data = Base64(data);
        Ok(file)
    }

    /// The key that the password makes.
    fn derive(&self, password: &Secret) -> io::Result<Key> {
        let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        if self.kdf != "scrypt" || !self.n.is_power_of_two() {
            return Err(refuse("its password is not hashed with scrypt"));
        }
        let memory = self.n.saturating_mul(128).saturating_mul(self.r.into());
        let work = self.n.saturating_mul(self.r.into()).saturating_mul(self.p.into());
        if memory > MEMORY_MAX || work > WORK_MAX {
            return Err(refuse("its scrypt asks for more than a gigabyte of memory, or for minutes"));
        }
        let params = scrypt::Params::new(self.n.trailing_zeros() as u8, self.r, self.p, KEY_BYTES);
        let params = params.map_err(|_| refuse("its scrypt has impossible parameters"))?;
        let mut bytes = [0; KEY_BYTES];
        scrypt::scrypt(password.expose().as_bytes(), &self.salt.0, &params, &mut bytes)
            .map_err(|_| refuse("its scrypt has impossible parameters"))?;
        Ok(Key::new(&bytes))
    }

    /// The master key, where `password` is this file's.
    fn open(&self, password: &Secret) -> io::Result<Option<MasterKey>> {
        let mut data = self.data.0.clone();
        let opened = self.derive(password)?;
        let opened = opened.open(&mut data);
        Ok(opened.ok().and_then(|json| MasterKey::from_json(json)))
    }
}

/// Adds a key file; returns its name.
pub(super) fn add(storage: &dyn Storage, master: &MasterKey, password: &Secret) -> Result<Digest, Error> {
    let writing = || Error::io(format!("writing a key of {}", storage.place().display()));
    let file = KeyFile::new(master, password).map_err(writing())?;
    let file = serde_json::to_vec(&file).map_err(|why| writing()(why.into()))?;
    let digest = Digest::of(&file);
    storage.write(&Name::new(Kind::Key, digest), &file).map_err(writing())?;
    Ok(digest)
}

/// Tries the password on every key file; returns the master key and that file's name.
///
/// # Errors
/// [`Error::WrongPassword`] when it opens none.
pub(super) fn open(storage: &dyn Storage, password: &Secret) -> Result<(MasterKey, String), Error> {
    let place = storage.place();
    let mut unreadable = None;
    for Found { name, .. } in list(storage)? {
        let opened = read(storage, &name).and_then(|file| {
            file.open(password)
                .map_err(Error::io(format!("opening the key {}", place.join("keys").join(&name).display())))
        });
        match opened {
            Ok(Some(master)) => return Ok((master, name)),
            Ok(None) => {}
            Err(why) => unreadable = Some(why),
        }
    }
    // A key that cannot be read may be the one: that is damage, not a wrong password.
    Err(unreadable.unwrap_or_else(|| Error::WrongPassword(place.display().to_string())))
}

/// Whether the password opens one key file.
pub(super) fn opens(storage: &dyn Storage, name: &str, password: &Secret) -> Result<bool, Error> {
    let opening = format!("opening the key {}", storage.place().join("keys").join(name).display());
    Ok(read(storage, name)?.open(password).map_err(Error::io(opening))?.is_some())
}

/// Every key file.
pub(super) fn list(storage: &dyn Storage) -> Result<Vec<Found>, Error> {
    let mut keys =
        storage.list(Kind::Key).map_err(Error::io(format!("listing the keys of {}", storage.place().display())))?;
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(keys)
}

/// One key file.
pub(super) fn read(storage: &dyn Storage, name: &str) -> Result<KeyFile, Error> {
    let path = storage.place().join("keys").join(name);
    let bytes = storage.read(&Name::new(Kind::Key, name)).map_err(Error::io(format!("reading {}", path.display())))?;
    let damaged = |why: String| Error::Damaged(format!("{}: {why}", path.display()));
    if Digest::of(&bytes).to_string() != name {
        return Err(damaged("its content is not what its name says".into()));
    }
    serde_json::from_slice(&bytes).map_err(|why| damaged(format!("it cannot be understood: {why}")))
}
