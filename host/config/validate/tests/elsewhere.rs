//! Repositories that are not on this machine.

use std::{path::Path, time::Duration};

use super::read;
use crate::secret::Source;

/// Every key of a repository behind SSH.
pub(in crate::config) const SFTP: &str = r#"
[pipeline]
name = "wiki"
[repository.nas]
url = "sftp://backup@nas.example:2222//srv/wiki"
format = "restic"
password = { file = "password" }
connections = 3
limit-upload = "2 MiB"
limit-download = 1000000
timeout = "90s"
retries = 0
ssh-config = "ssh_config"
[step.wiki]
plugin = "wiki"
"#;

/// Every key of a repository in a bucket.
pub(in crate::config) const S3: &str = r#"
[pipeline]
name = "wiki"
[repository.bucket]
url = "s3:https://s3.example/wiki-backup/a/b"
format = "restic"
password = { file = "password" }
region = "eu-central-1"
ca = "ca.pem"
access-key-id = { credential = "s3-key" }
secret-access-key = { env = "S3_SECRET" }
[step.wiki]
plugin = "wiki"
"#;

#[test]
fn a_repository_elsewhere_is_read_with_all_its_keys() {
    let sftp = read(SFTP).unwrap().repository;
    assert_eq!(sftp.url.to_string(), "sftp://backup@nas.example:2222//srv/wiki");
    assert_eq!((sftp.remote.connections, sftp.remote.retries), (3, 0));
    assert_eq!((sftp.remote.limit_upload, sftp.remote.limit_download), (Some(2 << 20), Some(1_000_000)));
    assert_eq!(sftp.remote.timeout, Duration::from_secs(90));
    assert_eq!(sftp.remote.ssh_config.as_deref(), Some(Path::new("/etc/strongroom/ssh_config")));
    let s3 = read(S3).unwrap().repository;
    assert_eq!(s3.url.to_string(), "s3:https://s3.example/wiki-backup/a/b");
    assert_eq!((s3.remote.connections, s3.remote.retries), (5, 5));
    assert_eq!(
        (&s3.remote.region[..], s3.remote.ca.as_deref()),
        ("eu-central-1", Some(Path::new("/etc/strongroom/ca.pem")))
    );
    assert_eq!(s3.remote.access_key_id, Some(Source::Credential("s3-key".into())));
    assert_eq!(s3.remote.secret_access_key, Some(Source::Env("S3_SECRET".into())));
    for text in [SFTP, S3] {
        let config = read(text).unwrap();
        let again = read(&config.as_file().unwrap()).unwrap().repository;
        assert_eq!((again.url, again.remote), (config.repository.url, config.repository.remote));
    }
}

#[test]
fn keys_that_mean_nothing_where_a_repository_is_are_refused() {
    let refused = |from: &str, to: &str, text: &str, words: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let drawn = read(&changed).unwrap_err().render(false);
        assert!(drawn.contains(words), "{drawn}");
        assert!(!drawn.contains("hunter2"), "{drawn}");
    };
    refused(
        "region",
        "ssh-config = \"x\"\nregion",
        S3,
        "`repository.bucket.ssh-config` means nothing for a repository in S3",
    );
    refused("retries", "ca = \"x\"\nretries", SFTP, "`repository.nas.ca` means nothing for a repository in SFTP");
    refused(
        "format",
        "retries = 1\nformat",
        SHORT,
        "`repository.local.retries` means nothing for a repository in a directory",
    );
    refused("https://", "http://", S3, "`repository.bucket.ca` is for https");
    refused("\"restic\"", "\"zip\"", SFTP, "a backup writes sets of format zip to directories only");
    refused("backup@", "backup:hunter2@", SFTP, "holds a password");
    refused("https://", "https://id:hunter2@", S3, "holds a user or a password");
    refused("\"eu-central-1\"", "\"a b\"", S3, "is no region");
    refused("{ env = \"S3_SECRET\" }", "\"hunter2\"", S3, "secret-access-key");
    refused("\"2 MiB\"", "\"2 KiB\"", SFTP, "must lie between 16.0 KiB and 1.0 TiB");
}

const SHORT: &str =
    "[pipeline]\nname = \"wiki\"\n[repository.local]\nurl = \"sets\"\nformat = \"zip\"\n[step.wiki]\nplugin = \"p\"\n";
