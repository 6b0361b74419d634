//! One fault: where, of which kind, the how-manieth; and its name, by which it can be had again.

use std::{fmt, str::FromStr};

use super::{calls::Deed, held::Answer};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The call fails with this number.
    Fails(i32),
    /// The call returns 0: there is no more.
    Ends,
    /// The program is killed.
    Kill,
    /// The disk has room for `n` times 64 KiB more.
    Full,
    /// The connection to the database ends after `n` units of bytes.
    Cut,
    /// The clock jumps by so many seconds.
    Jump(i64),
}

/// The name of each kind that is one word.
const KINDS: &[(Kind, &str)] = &[
    (Kind::Fails(libc::ENOSPC), "ENOSPC"),
    (Kind::Fails(libc::EIO), "EIO"),
    (Kind::Fails(libc::EINTR), "EINTR"),
    (Kind::Fails(libc::EACCES), "EACCES"),
    (Kind::Fails(libc::EPERM), "EPERM"),
    (Kind::Fails(libc::EMFILE), "EMFILE"),
    (Kind::Fails(libc::ENOENT), "ENOENT"),
    (Kind::Fails(libc::ENOLCK), "ENOLCK"),
    (Kind::Fails(libc::EAGAIN), "EAGAIN"),
    (Kind::Fails(libc::ENOMEM), "ENOMEM"),
    (Kind::Fails(libc::EXDEV), "EXDEV"),
    (Kind::Fails(libc::EPIPE), "EPIPE"),
    (Kind::Fails(libc::ECONNRESET), "ECONNRESET"),
    (Kind::Fails(libc::ECONNREFUSED), "ECONNREFUSED"),
    (Kind::Fails(libc::ETIMEDOUT), "ETIMEDOUT"),
    (Kind::Ends, "END"),
    (Kind::Kill, "KILL"),
    (Kind::Full, "FULL"),
    (Kind::Cut, "CUT"),
];

impl Kind {
    /// How a held call is answered.
    pub fn answer(self) -> Answer {
        match self {
            Self::Fails(number) => Answer::Fail(number),
            Self::Ends => Answer::Return(0),
            Self::Kill => Answer::Kill,
            _ => Answer::Go,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, KINDS.iter().find(|(kind, _)| kind == self)) {
            (_, Some((_, word))) => f.write_str(word),
            (Self::Jump(seconds), None) => write!(f, "JUMP{seconds:+}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let jump = || text.strip_prefix("JUMP")?.parse().ok().map(Self::Jump);
        let known = KINDS.iter().find(|(_, word)| *word == text).map(|(kind, _)| *kind);
        known.or_else(jump).ok_or_else(|| format!("{text:?} is no kind of fault"))
    }
}

/// Kinds that a call can fail with, as its manual page has them.
pub fn kinds(deed: Deed) -> &'static [Kind] {
    use Kind::{Ends, Fails, Kill};
    match deed {
        Deed::Write => &[Fails(libc::ENOSPC), Fails(libc::EIO), Fails(libc::EINTR), Kill],
        Deed::Copy => &[Fails(libc::ENOSPC), Fails(libc::EIO), Fails(libc::EXDEV), Kill],
        Deed::Sync => &[Fails(libc::EIO), Fails(libc::ENOSPC), Kill],
        Deed::Rename => &[Fails(libc::EIO), Fails(libc::ENOSPC), Fails(libc::EACCES), Kill],
        Deed::Read => &[Fails(libc::EIO), Fails(libc::EINTR), Ends, Kill],
        Deed::Open => &[Fails(libc::EIO), Fails(libc::EMFILE), Fails(libc::EACCES), Fails(libc::ENOENT), Kill],
        Deed::Create => &[Fails(libc::ENOSPC), Fails(libc::EMFILE), Fails(libc::EACCES), Kill],
        Deed::Look => &[Fails(libc::EIO), Fails(libc::EACCES), Fails(libc::ENOENT), Kill],
        Deed::List => &[Fails(libc::EIO), Kill],
        Deed::Make => &[Fails(libc::ENOSPC), Fails(libc::EACCES), Kill],
        Deed::Remove => &[Fails(libc::EIO), Fails(libc::EACCES), Kill],
        Deed::Link => &[Fails(libc::ENOSPC), Fails(libc::EIO), Kill],
        Deed::Truncate => &[Fails(libc::EIO), Kill],
        Deed::Lock => &[Fails(libc::ENOLCK), Fails(libc::EINTR), Kill],
        Deed::Attribute => &[Fails(libc::EPERM), Fails(libc::EIO), Kill],
        Deed::Spawn => &[Fails(libc::EAGAIN), Fails(libc::ENOMEM), Kill],
        Deed::Thread => &[Fails(libc::EAGAIN), Kill],
        Deed::Execute => &[Fails(libc::EACCES), Fails(libc::ENOENT), Fails(libc::ENOMEM), Kill],
        Deed::Pipe | Deed::Socket => &[Fails(libc::EMFILE), Kill],
        Deed::Connect => &[Fails(libc::ECONNREFUSED), Fails(libc::ETIMEDOUT), Kill],
        Deed::Send => &[Fails(libc::ECONNRESET), Fails(libc::EPIPE), Kill],
        Deed::Receive => &[Fails(libc::ECONNRESET), Ends, Kill],
    }
}

/// A fault: `files.backup/write@set/ENOSPC/17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// What is run.
    pub case: String,
    /// Where in it: a deed and what it is done to.
    pub place: String,
    pub kind: Kind,
    /// Counted from 1, in that place.
    pub number: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.case, self.place, self.kind, self.number)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split('/').collect();
        let [case, place, kind, number] = words[..] else {
            return Err(format!("{text:?} is no fault: CASE/PLACE/KIND/NUMBER was expected"));
        };
        let number = number.parse().map_err(|_| format!("{number:?} is no number"))?;
        Ok(Self { case: case.to_owned(), place: place.to_owned(), kind: kind.parse()?, number })
    }
}
