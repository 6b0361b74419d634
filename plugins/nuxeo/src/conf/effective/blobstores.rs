//! The blob providers that properties tell of, and whether a blob can go while it is copied.

use super::{Directories, Values, Version, directories::in_data};
use crate::conf::paths::absolute;

/// One blob provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobStore {
    /// Its name: what stands before the `:` of a key.
    pub provider: String,
    /// The class that implements it.
    pub class: String,
    /// What that class does.
    pub kind: Kind,
    /// The directory with `config.xml` and `data`, where there is one.
    pub path: Option<String>,
}

/// What a blob provider does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Keeps files under their digest.
    Local,
    /// The same, encrypted: a name is the digest of what cannot be read without the key.
    Encrypted,
    /// Keeps them in a bucket of the repository's MongoDB.
    GridFs(String),
    /// Keeps them in that cloud's store, of which nothing is here.
    Cloud(&'static str),
    /// Not known.
    Other,
}

impl Kind {
    fn of(values: &Values<'_>, class: &str) -> Self {
        let name = class.rsplit('.').next().unwrap_or(class);
        let clouds = [
            ("S3", "Amazon S3"),
            ("CloudFront", "Amazon S3"),
            ("Azure", "Azure Storage"),
            ("Google", "Google Cloud Storage"),
            ("GCS", "Google Cloud Storage"),
            ("GCP", "Google Cloud Storage"),
            ("JClouds", "a cloud's store"),
        ];
        match name {
            "LocalBlobProvider" | "LocalBinaryManager" | "DefaultBinaryManager" => Self::Local,
            "AESBlobProvider" | "AESBinaryManager" => Self::Encrypted,
            _ if name.starts_with("GridFS") => Self::GridFs(values.text("nuxeo.mongodb.gridfs.bucket")),
            _ => clouds
                .iter()
                .find(|(start, _)| name.starts_with(start))
                .map_or(Self::Other, |(_, one)| Self::Cloud(one)),
        }
    }

    fn has_directory(&self) -> bool {
        !matches!(self, Self::GridFs(_) | Self::Cloud(_))
    }
}

/// Those that properties tell of.
pub(super) fn all(values: &Values<'_>, directories: &Directories) -> Vec<BlobStore> {
    let class = values.text("nuxeo.core.binarymanager");
    let kind = Kind::of(values, &class);
    let store = |provider: &str, path: String| BlobStore {
        provider: provider.to_owned(),
        class: class.clone(),
        path: kind.has_directory().then_some(path),
        kind: kind.clone(),
    };
    let default = in_data(values, &directories.data, &values.text("repository.binary.store"));
    let mut all = vec![store("default", default)];
    // The second name is that of LTS 2025.
    if values.flag("nuxeo.vcs.fulltext.storedInBlob") || values.flag("nuxeo.fulltext.storedInBlob") {
        all.push(store("fulltext", absolute(&directories.binarystores_root, "fulltext")));
    }
    all
}

/// Whether blobs that no document uses go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobGc {
    /// `nuxeo.bulk.action.blobGC.enabled`.
    pub enabled: bool,
    /// Whether the instance can do it: the repository is in MongoDB and the version is recent or not known.
    pub at_once: bool,
}

impl BlobGc {
    pub(super) fn of(values: &Values<'_>, version: Option<Version>, mongo: bool) -> Self {
        let enabled = values.flag("nuxeo.bulk.action.blobGC.enabled");
        Self { enabled, at_once: enabled && mongo && version.is_none_or(Version::has_immediate_gc) }
    }
}
