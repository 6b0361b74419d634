//! Which export is running, and which imports work in it (the table in `wit/README.md`).

use crate::repository::Pass;

/// The export that is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `about.describe`: nothing works.
    Describe,
    /// `product.inspect`.
    Inspect,
    /// `product.backup`, and which of its passes.
    Backup(Pass),
    /// `product.restore`.
    Restore,
    /// `product.verify`.
    Verify,
    /// `product.probe`.
    Probe,
    /// `product.release`.
    Release,
}

/// A kind of import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `context`
    Context,
    /// `log`
    Log,
    /// `streams`
    Streams,
    /// `dirs`, looking and reading.
    Dirs,
    /// `dirs`, changing.
    DirsWrite,
    /// `tools`
    Tools,
    /// `sql`
    Sql,
    /// `http`
    Http,
    /// `tcp`
    Tcp,
    /// `secrets`
    Secrets,
    /// `snapshot`
    Snapshot,
    /// `archive`
    Archive,
    /// `holds`
    Holds,
}

impl Capability {
    /// The word that WIT and the pipeline use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Log => "log",
            Self::Streams => "streams",
            Self::Dirs | Self::DirsWrite => "dirs",
            Self::Tools => "tools",
            Self::Sql => "sql",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Secrets => "secrets",
            Self::Snapshot => "snapshot",
            Self::Archive => "archive",
            Self::Holds => "holds",
        }
    }
}

impl Operation {
    /// The export's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Inspect => "inspect",
            Self::Backup(_) => "backup",
            Self::Restore => "restore",
            Self::Verify => "verify",
            Self::Probe => "probe",
            Self::Release => "release",
        }
    }

    /// Whether `capability` works in it; else why not.
    pub fn allows(self, capability: Capability, archive: bool) -> Result<(), String> {
        use Capability as C;
        let works = match (self, capability) {
            (Self::Describe, _) => false,
            (_, C::Context | C::Log | C::Streams) => true,
            (Self::Verify, C::Tools) => true,
            (Self::Verify, C::Dirs | C::Sql | C::Http | C::Tcp) => false,
            (_, C::Dirs | C::Tools | C::Sql | C::Http | C::Tcp) => true,
            (Self::Backup(_) | Self::Restore | Self::Release, C::DirsWrite) => true,
            (Self::Backup(_) | Self::Restore | Self::Probe | Self::Release, C::Secrets) => true,
            (Self::Backup(_) | Self::Restore, C::Holds) => true,
            (Self::Backup(_), C::Snapshot) => true,
            (Self::Inspect | Self::Restore | Self::Verify | Self::Probe, C::Archive) => archive,
            _ => false,
        };
        if works {
            return Ok(());
        }
        let what = if capability == C::DirsWrite { "changing a directory" } else { capability.word() };
        Err(format!("{what} does not work in {}: see the table of imports in wit/README.md", self.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describe_can_do_nothing_and_verify_reaches_only_the_snapshot() {
        assert!(Operation::Describe.allows(Capability::Context, false).is_err());
        use Capability as C;
        for outside in [C::Dirs, C::DirsWrite, C::Sql, C::Http, C::Tcp, C::Secrets] {
            assert!(Operation::Verify.allows(outside, true).is_err());
        }
        assert!(Operation::Verify.allows(Capability::Archive, true).is_ok());
        assert!(Operation::Inspect.allows(Capability::Archive, false).is_err());
    }

    #[test]
    fn looking_never_changes_anything() {
        for looking in [Operation::Inspect, Operation::Verify, Operation::Probe] {
            assert!(looking.allows(Capability::DirsWrite, true).is_err());
            assert!(looking.allows(Capability::Snapshot, true).is_err());
            assert!(looking.allows(Capability::Holds, true).is_err());
        }
    }

    #[test]
    fn a_release_may_change_the_product_and_neither_stores_nor_holds_anything() {
        for needed in [Capability::DirsWrite, Capability::Tools, Capability::Sql, Capability::Secrets] {
            assert!(Operation::Release.allows(needed, false).is_ok());
        }
        for of_a_run in [Capability::Snapshot, Capability::Archive, Capability::Holds] {
            assert!(Operation::Release.allows(of_a_run, true).is_err());
        }
    }
}
