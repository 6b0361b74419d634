//! Stores a MongoDB database as `mongodump` writes it. Nothing of it can be counted here, so it is never called proven.

use strongroom_plugin::{
    Context, Error, Finding, Instant, InstantKind, Meta, Outcome, Part, Result, context, snapshot, tools::Tool,
};

use crate::describe::grant;

/// The archive's name in its part.
pub const ARCHIVE: &str = "mongodb.archive";

/// How an archive of mongo-tools begins: `0x8199e26d`, the least significant byte first.
const MAGIC: [u8; 4] = [0x6d, 0xe2, 0x99, 0x81];
/// The same where the tool compresses.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Whether a file begins as an archive does.
pub fn is_archive(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) || head.starts_with(&GZIP)
}

/// With `--oplog` the dump stands for its end, without for no single moment: in both cases for nothing after its end.
pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let begun = context::now();
    let tool = Tool::new(grant::MONGODUMP).spawn()?;
    let output = tool.stdout()?;
    let head = output.peek(MAGIC.len() as u32).context("waiting for the dump of MongoDB")?;
    if !is_archive(&head) {
        tool.wait()?.check(grant::MONGODUMP)?;
        let message = "it wrote something else than an archive: grant it with --archive and without a file's name";
        return Err(Error::corrupt(format!("tool {:?}: {message}", grant::MONGODUMP)));
    }
    let pending = snapshot::submit(ARCHIVE, output, &Meta { mode: Some(0o600), ..Meta::default() })?;
    tool.wait()?.check(grant::MONGODUMP)?;
    let stored = pending.wait().context("storing the dump of MongoDB")?;
    snapshot::fix_instant(&Instant {
        not_before: begun,
        not_after: context::now(),
        kind: InstantKind::End,
        clock: "host".into(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    })?;
    let message = "what MongoDB holds is neither counted nor compared with the blobs: without --oplog on a replica set the dump is of no single moment either";
    Ok(Outcome::new(format!("{} bytes", stored.size)).finding(Finding::warning(
        "mongodb-unproven",
        &part.name,
        message,
    )))
}
