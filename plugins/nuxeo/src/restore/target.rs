//! Where each part of a snapshot goes.

use strongroom_database::{
    dump::DUMP,
    grants,
    located::{Located, below},
    trees::Target,
};
use strongroom_plugin::{Error, Result, archive, context};

use crate::{
    backup::note,
    describe::grant,
    inspect::part,
    stored::{self, DIRS},
};

/// The places of a part that is directories or files.
///
/// # Errors
/// When the snapshot does not say where it came from, and nothing is granted for it.
pub(super) fn all(name: &str) -> Result<Vec<Target>> {
    if name == part::CONFIGURATION {
        let one = |grant: String| Target { from: format!("{DIRS}/{grant}"), to: Located::new(grant, "") };
        return Ok(stored::grants()?.into_iter().map(one).collect());
    }
    Ok(vec![Target::whole(place(name)?)])
}

/// Whether the part of a database is a dump instead of files.
///
/// # Errors
/// As [`archive::exists`].
pub(super) fn is_dump(name: &str) -> Result<bool> {
    archive::exists(name, DUMP)
}

/// The directory that is granted for the part; else where it was, as the data directory has moved.
///
/// # Errors
/// `invalid` when the snapshot's note of that is none.
pub(super) fn place(name: &str) -> Result<Located> {
    let own = own_grant(name);
    if let Some(own) = own.as_ref().filter(|own| grants::has("dirs", own))
        && (name != part::POSITIONS || archive::parts()?.iter().any(|other| other == part::STREAM))
    {
        return Ok(Located::new(own, ""));
    }
    let Some(was) = noted(name)? else {
        return Ok(Located::new(own.unwrap_or_else(|| grant::DATA.to_owned()), ""));
    };
    if name == part::DATA {
        return Ok(was);
    }
    match noted(part::DATA)?.and_then(|data| Some(below_of(&was, &data)?.to_owned())) {
        Some(rest) => Ok(joined(&place(part::DATA)?, &rest)),
        None => Ok(was),
    }
}

/// Where the part came from.
pub(super) fn noted(name: &str) -> Result<Option<Located>> {
    let Some(note) = context::note(&note::place(name))? else { return Ok(None) };
    let (grant, path) = note
        .split_once('/')
        .ok_or_else(|| Error::corrupt(format!("the note of where the part {name} came from says {note:?}")))?;
    Ok(Some(Located::new(grant, path)))
}

/// What of a place lies below another one in the same grant.
pub(super) fn below_of<'a>(place: &'a Located, base: &Located) -> Option<&'a str> {
    if place.grant != base.grant {
        return None;
    }
    if base.path.is_empty() { Some(&place.path) } else { below(&place.path, &base.path) }
}

fn joined(base: &Located, rest: &str) -> Located {
    let pieces = [base.path.as_str(), rest];
    Located::new(&base.grant, pieces.iter().filter(|piece| !piece.is_empty()).copied().collect::<Vec<_>>().join("/"))
}

/// The grant that is meant for that part and no other.
fn own_grant(name: &str) -> Option<String> {
    match name {
        part::DATA => Some(grant::DATA.to_owned()),
        part::TRANSIENT => Some(grant::TRANSIENT.to_owned()),
        part::STREAM | part::POSITIONS => Some(grant::STREAM.to_owned()),
        _ => name.strip_prefix(part::BLOBS).map(|ending| format!("{}{ending}", grant::BINARIES)),
    }
}
