//! Lists of what the database refers to, and whether the snapshot holds it.
//!
//! A list is NDJSON: one JSON array of strings a line, `[label, size in bytes as text or null, path, alternative …]`.
//! A path is `part/path` of the step; in `part/*/tail` the star stands for any leading directories inside that part.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufRead, Read},
};

use super::record::{Evidence, ExpectedRecord};
use crate::name::{BadPath, RawPath};

/// What a snapshot holds of one step, as far as lists are concerned.
pub trait Holdings {
    /// Size of the file at that path of the step, if there is one.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    fn find(&self, path: &RawPath) -> io::Result<Option<u64>>;

    /// Every file of a part: its path inside the part, and its size.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    fn each_in(&self, part: &RawPath, visit: &mut dyn FnMut(&RawPath, u64)) -> io::Result<()>;
}

/// How many unmet lines a record names.
pub const MISSING_MAX: usize = 1000;

/// Longest line of a list, in bytes.
pub const LINE_BYTES_MAX: u64 = 1 << 20;

/// Why a list cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list or the snapshot cannot be read.
    #[error("reading the list or the snapshot")]
    Io(#[from] io::Error),
    /// A line is not what a list holds.
    #[error("line {number} of the list is malformed: {why}")]
    Malformed {
        /// From 1.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// One line: something that must be there in one of several places.
struct Line {
    label: String,
    size: Option<u64>,
    places: Vec<Place>,
}

enum Place {
    /// Exactly there.
    Exact(RawPath),
    /// At the end of a path inside that part.
    Tail { part: RawPath, tail: RawPath },
}

/// Checks every line of a list. `open` is called for each of its two readings.
///
/// # Errors
/// When the list or the snapshot cannot be read, or a line is malformed.
pub fn check<R: BufRead>(
    open: impl Fn() -> io::Result<R>,
    subject: &str,
    evidence: Evidence,
    holdings: &dyn Holdings,
) -> Result<ExpectedRecord, Error> {
    let tails = Tails::gather(open()?, holdings)?;
    let mut record =
        ExpectedRecord { subject: subject.to_owned(), evidence, lines: 0, met: 0, missing: Vec::new() };
    for line in lines(open()?) {
        let line = line?;
        record.lines += 1;
        match unmet(&line, &tails, holdings)? {
            None => record.met += 1,
            Some(why) if record.missing.len() < MISSING_MAX => record.missing.push(why),
            Some(_) => {}
        }
    }
    Ok(record)
}

/// Why no place of the line holds what it asks for.
fn unmet(line: &Line, tails: &Tails, holdings: &dyn Holdings) -> io::Result<Option<String>> {
    let mut reasons = Vec::new();
    for place in &line.places {
        let found = match place {
            Place::Exact(path) => holdings.find(path)?,
            Place::Tail { part, tail } => tails.size(part, tail, line.size),
        };
        match (found, line.size) {
            (None, _) => reasons.push(format!("{place} is not in the snapshot")),
            (Some(size), Some(wanted)) if size != wanted => {
                reasons.push(format!("{place} has {size} bytes, not {wanted}"));
            }
            _ => return Ok(None),
        }
    }
    if reasons.is_empty() {
        reasons.push("the line names no path".to_owned());
    }
    Ok(Some(format!("{}: {}", line.label, reasons.join("; "))))
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "{path}"),
            Self::Tail { part, tail } => write!(f, "{part}/*/{tail}"),
        }
    }
}

/// Sizes of the files whose paths end in a wanted tail. A hash stands for each tail, so that a million of them fit.
struct Tails(HashMap<u64, Vec<u64>>);

impl Tails {
    fn gather(list: impl BufRead, holdings: &dyn Holdings) -> Result<Self, Error> {
        let (mut tails, mut parts) = (HashMap::new(), Vec::new());
        for line in lines(list) {
            for place in line?.places {
                if let Place::Tail { part, tail } = place {
                    tails.insert(key(&part, tail.as_bytes()), Vec::new());
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
            }
        }
        for part in parts {
            holdings.each_in(&part, &mut |path, size| note(&mut tails, &part, path.as_bytes(), size))?;
        }
        Ok(Self(tails))
    }

    /// The size of a file with that tail: the wanted one if any has it.
    fn size(&self, part: &RawPath, tail: &RawPath, wanted: Option<u64>) -> Option<u64> {
        let sizes = self.0.get(&key(part, tail.as_bytes()))?;
        let fits = wanted.and_then(|wanted| sizes.iter().find(|size| **size == wanted));
        fits.or(sizes.first()).copied()
    }
}

/// Notes the size under each tail of the path that some line wants.
fn note(tails: &mut HashMap<u64, Vec<u64>>, part: &RawPath, path: &[u8], size: u64) {
    let starts = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    for start in std::iter::once(0).chain(starts) {
        if let Some(sizes) = tails.get_mut(&key(part, &path[start..]))
            && !sizes.contains(&size)
        {
            sizes.push(size);
        }
    }
}

fn key(part: &RawPath, tail: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (part, tail).hash(&mut hasher);
    hasher.finish()
}

fn lines<R: BufRead>(mut list: R) -> impl Iterator<Item = Result<Line, Error>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        let mut text = Vec::new();
        loop {
            text.clear();
            number += 1;
            match (&mut list).take(LINE_BYTES_MAX).read_until(b'\n', &mut text) {
                Ok(0) => return None,
                Ok(_) if text.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => return Some(parse(&text).map_err(|why| Error::Malformed { number, why })),
                Err(error) => return Some(Err(error.into())),
            }
        }
    })
}

fn parse(text: &[u8]) -> Result<Line, String> {
    let fields: Vec<Option<String>> = serde_json::from_slice(text)
        .map_err(|error| format!("expected an array of strings and nulls of at most 1 MiB: {error}"))?;
    let mut fields = fields.into_iter();
    let label = fields.next().flatten().unwrap_or_default();
    let size = match fields.next().flatten() {
        Some(size) => Some(size.parse().map_err(|_| format!("{size:?} is no size in bytes"))?),
        None => None,
    };
    let places = fields.flatten().map(|path| place(&path).map_err(|bad| bad.to_string()));
    Ok(Line { label, size, places: places.collect::<Result<_, _>>()? })
}

fn place(path: &str) -> Result<Place, BadPath> {
    match path.split_once("/*/") {
        Some((part, tail)) if !part.contains('/') => {
            Ok(Place::Tail { part: RawPath::from_text(part)?, tail: RawPath::from_text(tail)? })
        }
        _ => RawPath::from_text(path).map(Place::Exact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(Vec<(&'static str, u64)>);

    impl Holdings for Files {
        fn find(&self, path: &RawPath) -> io::Result<Option<u64>> {
            Ok(self.0.iter().find(|(name, _)| *name == path.to_text()).map(|(_, size)| *size))
        }

        fn each_in(&self, part: &RawPath, visit: &mut dyn FnMut(&RawPath, u64)) -> io::Result<()> {
            for (name, size) in &self.0 {
                if let Some(inside) = RawPath::from_text(name).unwrap().below(part) {
                    visit(&inside, *size);
                }
            }
            Ok(())
        }
    }

    fn checked(list: &str) -> Result<ExpectedRecord, Error> {
        let files = Files(vec![("att/v4/1/1.1", 10), ("att/ver003/9/8/2/1", 20), ("home/cfg.xml", 5)]);
        check(|| Ok(list.as_bytes()), "attachments", Evidence::SameView, &files)
    }

    #[test]
    fn a_line_is_met_by_any_of_its_places() {
        let record = checked(concat!(
            "[\"one\",\"10\",\"att/v4/1/1.1\"]\n",
            "[\"two\",\"20\",\"att/v4/2/2.1\",\"att/*/2/1\"]\n",
            "[\"three\",null,null,\"home/cfg.xml\"]\n",
        ))
        .unwrap();
        assert_eq!((record.lines, record.met, record.missing.len()), (3, 3, 0));
    }

    #[test]
    fn what_is_missing_or_of_another_size_is_named() {
        let record = checked("[\"plan.png\",\"11\",\"att/v4/1/1.1\",\"att/*/nowhere/1\"]\n[\"x\",null]\n").unwrap();
        assert_eq!((record.lines, record.met), (2, 0));
        assert_eq!(
            record.missing,
            [
                "plan.png: att/v4/1/1.1 has 10 bytes, not 11; att/*/nowhere/1 is not in the snapshot",
                "x: the line names no path"
            ]
        );
    }

    #[test]
    fn the_star_takes_whole_directories_only() {
        let record = checked("[\"a\",\"10\",\"att/*/1.1\"]\n[\"b\",\"10\",\"att/*/.1\"]\n").unwrap();
        assert_eq!(record.met, 1);
    }

    #[test]
    fn a_malformed_line_is_an_error_that_names_it() {
        let error = checked("[\"a\",\"10\",\"att/v4/1/1.1\"]\nnot json\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 of the list is malformed"), "{error}");
        assert!(checked("[\"a\",\"ten\",\"att/x\"]").is_err());
        assert!(checked("[\"a\",null,\"../outside\"]").is_err());
    }
}
