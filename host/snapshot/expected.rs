//! Lists of what the database refers to, and whether the snapshot holds it.
//!
//! A line is a JSON array: a label, a size in bytes as text or null, and paths `part/path`, of which one must be there.
//! In `part/*/tail` the star stands for any leading directories inside the part. A path that is null is passed over.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, Read},
};

use crate::name::RawPath;

/// Lines of missing entries that a record names.
pub const MISSING_MAX: usize = 1000;
/// Bytes that one line may take.
const LINE_MAX: u64 = 1 << 20;

/// What a snapshot holds of one step, seen from here.
pub trait Holdings {
    /// Why asking failed.
    type Error;

    /// Bytes of the file at `part/path`; none when no file is there.
    fn find(&self, path: &RawPath) -> Result<Option<u64>, Self::Error>;

    /// Every file of the part, by its whole path `part/path` and its bytes.
    fn each_in(&self, part: &RawPath, visit: &mut dyn FnMut(&RawPath, u64)) -> Result<(), Self::Error>;
}

/// How a list was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Lines of the list.
    pub lines: u64,
    /// Lines that the snapshot meets.
    pub met: u64,
    /// The first [`MISSING_MAX`] that it does not: label, path and why.
    pub missing: Vec<String>,
}

/// Why a list could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The list is not what it should be.
    #[error("line {line} of the list: {why}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The list cannot be read.
    #[error("reading the list")]
    Read(#[source] std::io::Error),
    /// The list was read first, and is another one now.
    #[error("the list changed while it was checked")]
    Changed,
    /// The snapshot cannot be asked.
    #[error("asking the snapshot what it holds")]
    Holdings(#[source] E),
}

/// Checks every line of a list. `open` gives the list from its start; lists with stars are read twice, and each part
/// that a star names is walked once.
///
/// # Errors
/// [`Error::Line`] names a line that cannot be understood.
pub fn check<H: Holdings, L: BufRead>(
    mut open: impl FnMut() -> std::io::Result<L>,
    holdings: &H,
) -> Result<Met, Error<H::Error>> {
    let mut wanted = Wanted::default();
    for line in Lines::new(open().map_err(Error::Read)?) {
        line?.paths.into_iter().for_each(|path| wanted.note(path));
    }
    let found = wanted.look(holdings).map_err(Error::Holdings)?;
    let mut result = Met::default();
    for line in Lines::new(open().map_err(Error::Read)?) {
        let line = line?;
        result.lines += 1;
        match line.verdict(holdings, &found)? {
            None => result.met += 1,
            Some(why) if result.missing.len() < MISSING_MAX => result.missing.push(why),
            Some(_) => {}
        }
    }
    Ok(result)
}

/// An alternative of a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Path {
    Exact(RawPath),
    /// Below the part, behind any directories.
    Starred(RawPath, RawPath),
}

struct Line {
    label: String,
    size: Option<u64>,
    paths: Vec<Path>,
}

impl Line {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let fields: Vec<Option<String>> = serde_json::from_slice(text).map_err(|why| why.to_string())?;
        let mut fields = fields.into_iter();
        let (Some(label), Some(size)) = (fields.next(), fields.next()) else {
            return Err("expected [label, size or null, path, …]".into());
        };
        let label = label.ok_or("the label is null")?;
        let size = size.map(|size| size.parse().map_err(|_| format!("{size:?} is no size in bytes"))).transpose()?;
        let paths: Vec<Path> = fields.flatten().map(|path| Path::parse(&path)).collect::<Result<_, _>>()?;
        if paths.is_empty() {
            return Err(format!("{label:?} has no path"));
        }
        Ok(Self { label, size, paths })
    }

    /// Why no alternative meets it; none when one does.
    fn verdict<H: Holdings>(&self, holdings: &H, found: &Found) -> Result<Option<String>, Error<H::Error>> {
        let mut other_size = None;
        for path in &self.paths {
            let sizes = match path {
                Path::Exact(path) => holdings.find(path).map_err(Error::Holdings)?.into_iter().collect(),
                starred => found.0.get(starred).ok_or(Error::Changed)?.clone(),
            };
            if sizes.iter().any(|size| self.size.is_none_or(|wanted| wanted == *size)) {
                return Ok(None);
            }
            other_size = other_size.or(sizes.first().copied().map(|size| (path, size)));
        }
        let why = match (other_size, self.size) {
            (Some((path, size)), Some(wanted)) => format!("{path} has {size} bytes instead of {wanted}"),
            _ => format!("{} is not in the snapshot", self.paths[0]),
        };
        Ok(Some(format!("{}: {why}", self.label)))
    }
}

impl Path {
    fn parse(text: &str) -> Result<Self, String> {
        let parse = |text: &str| RawPath::from_text(text).map_err(|why| why.to_string());
        match text.split_once("/*/") {
            Some((part, tail)) => Ok(Self::Starred(parse(part)?, parse(tail)?)),
            None => Ok(Self::Exact(parse(text)?)),
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "{path}"),
            Self::Starred(part, tail) => write!(f, "{part}/*/{tail}"),
        }
    }
}

/// Tails that stars are looked up for, by part.
#[derive(Default)]
struct Wanted(HashMap<RawPath, Tails>);

#[derive(Default)]
struct Tails {
    tails: HashSet<RawPath>,
    /// Names in a tail: only so many ends of a path need to be looked up.
    lengths: HashSet<usize>,
}

/// Sizes of what was found for each path with a star.
struct Found(HashMap<Path, Vec<u64>>);

impl Wanted {
    fn note(&mut self, path: Path) {
        if let Path::Starred(part, tail) = path {
            let tails = self.0.entry(part).or_default();
            tails.lengths.insert(tail.as_bytes().split(|byte| *byte == b'/').count());
            tails.tails.insert(tail);
        }
    }

    /// Walks each part once.
    fn look<H: Holdings>(self, holdings: &H) -> Result<Found, H::Error> {
        let mut found = HashMap::new();
        for (part, tails) in self.0 {
            holdings.each_in(&part, &mut |path, size| {
                let Some(path) = path.below(&part) else { return };
                for tail in tails.lengths.iter().filter_map(|length| ending(&path, *length)) {
                    if tails.tails.contains(&tail) {
                        found.entry(Path::Starred(part.clone(), tail)).or_insert_with(Vec::new).push(size);
                    }
                }
            })?;
            for tail in tails.tails {
                found.entry(Path::Starred(part.clone(), tail)).or_default();
            }
        }
        Ok(Found(found))
    }
}

/// The last `count` names of a path.
fn ending(path: &RawPath, count: usize) -> Option<RawPath> {
    let bytes = path.as_bytes();
    let slashes = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    let start = match slashes.map(|(at, _)| at).nth(count - 1) {
        Some(slash) => slash + 1,
        None if bytes.split(|byte| *byte == b'/').count() == count => 0,
        None => return None,
    };
    RawPath::from_bytes(&bytes[start..]).ok()
}

/// The lines of a list.
struct Lines<L, E> {
    list: L,
    number: u64,
    error: std::marker::PhantomData<E>,
}

impl<L: BufRead, E> Lines<L, E> {
    fn new(list: L) -> Self {
        Self { list, number: 0, error: std::marker::PhantomData }
    }

    fn step(&mut self) -> Result<Option<Line>, Error<E>> {
        let mut text = Vec::new();
        loop {
            self.number += 1;
            text.clear();
            let count = (&mut self.list).take(LINE_MAX).read_until(b'\n', &mut text).map_err(Error::Read)?;
            let wrong = |why| Error::Line { line: self.number, why };
            match text.trim_ascii() {
                _ if count == 0 => return Ok(None),
                _ if count as u64 == LINE_MAX => return Err(wrong("it is longer than a mebibyte".into())),
                b"" => {}
                text => return Line::parse(text).map(Some).map_err(wrong),
            }
        }
    }
}

impl<L: BufRead, E> Iterator for Lines<L, E> {
    type Item = Result<Line, Error<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    struct Files(Vec<(&'static str, u64)>, std::cell::Cell<u64>);

    impl Holdings for Files {
        type Error = Infallible;

        fn find(&self, path: &RawPath) -> Result<Option<u64>, Infallible> {
            Ok(self.0.iter().find(|(name, _)| *name == path.to_text()).map(|(_, size)| *size))
        }

        fn each_in(&self, part: &RawPath, visit: &mut dyn FnMut(&RawPath, u64)) -> Result<(), Infallible> {
            self.1.set(self.1.get() + 1);
            let files = self.0.iter().map(|(name, size)| (RawPath::from_text(name).unwrap(), size));
            files.filter(|(path, _)| path.below(part).is_some()).for_each(|(path, size)| visit(&path, *size));
            Ok(())
        }
    }

    fn checked(list: &str) -> Result<Met, String> {
        let files =
            Files(vec![("att/v4/1/2/77/1", 5), ("att/77.1", 6), ("att/x", 1), ("home/x", 1)], Default::default());
        let met = check(|| Ok(list.as_bytes()), &files).map_err(|why| why.to_string());
        assert!(files.1.get() <= 1, "the part was walked {} times", files.1.get());
        met
    }

    #[test]
    fn a_line_is_met_by_any_alternative_of_the_right_size() {
        for line in [
            r#"["a", "5", "att/v4/1/2/77/1"]"#,
            r#"["a", null, "att/none", "att/x"]"#,
            r#"["a", "6", "att/v4/1/2/77/1", null, "att/77.1"]"#,
            r#"["a", "5", "att/*/77/1"]"#,
            r#"["a", "1", "att/*/x"]"#,
            r#"["a", "5", "att/*/2/77/1"]"#,
        ] {
            let met = checked(line).unwrap();
            assert_eq!((met.lines, met.met), (1, 1), "{line}: {met:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_label_and_why() {
        let list = [r#"["page 1", "4", "att/x"]"#, "", r#"["page 2", null, "att/*/7/1"]"#, r#"["page 3", "1", "att"]"#];
        let met = checked(&list.join("\n")).unwrap();
        assert_eq!((met.lines, met.met), (3, 0));
        assert_eq!(
            met.missing,
            [
                "page 1: att/x has 1 bytes instead of 4",
                "page 2: att/*/7/1 is not in the snapshot",
                "page 3: att is not in the snapshot"
            ]
        );
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        for (line, why) in [
            ("[\"a\"", "line 2"),
            ("[\"a\", \"x\", \"p/a\"]", "no size"),
            ("[null, null, \"p/a\"]", "label is null"),
            ("[\"a\", null, null]", "no path"),
            ("[\"a\", null, \"../x\"]", "leads out"),
            ("{}", "line 2"),
        ] {
            let failed = checked(&format!("[\"a\", null, \"att/x\"]\n{line}\n")).unwrap_err();
            assert!(failed.contains("line 2") && failed.contains(why), "{failed}");
        }
    }

    #[test]
    fn only_the_first_thousand_are_named_and_all_are_counted() {
        let list = "[\"a\", null, \"att/none\"]\n".repeat(1200);
        let met = checked(&list).unwrap();
        assert_eq!((met.lines, met.met, met.missing.len()), (1200, 0, MISSING_MAX));
    }
}
