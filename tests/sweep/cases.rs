//! The verbs that are swept, and what each must keep.

/// What is asked of a verb after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The old set, or the new one too; `complete` only when it is.
    Backup,
    /// The whole product, or an attempt that can be repeated.
    Restore,
    /// The same by hand, of files only.
    Extract,
    /// Nothing changes, and what is printed is true.
    Read,
    /// Nothing changes; what is printed depends on the moment.
    Look,
    /// The older set is gone or whole; the newer one stays.
    Forget,
    /// What a run that died holds is released, or stands in the journal.
    Recover,
}

/// One command on one product.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub subject: &'static str,
    pub arguments: &'static [&'static str],
    pub promise: Promise,
}

const fn case(name: &'static str, subject: &'static str, arguments: &'static [&'static str], promise: Promise) -> Case {
    Case { name, subject, arguments, promise }
}

/// Add a verb here, and it is swept.
pub const CASES: &[Case] = &[
    case("files.backup", "files", &["backup"], Promise::Backup),
    case("files.restore", "files", &["-c", "target.toml", "restore"], Promise::Restore),
    case("files.extract", "files", &["restore", "--files", "restored"], Promise::Extract),
    case("files.verify", "files", &["verify"], Promise::Read),
    case("files.snapshots", "files", &["snapshots"], Promise::Read),
    case("files.ls", "files", &["ls"], Promise::Read),
    case("files.plan", "files", &["plan"], Promise::Read),
    case("files.dump", "files", &["dump", "latest", "letters/source/folder/file-1.txt"], Promise::Read),
    case("files.config", "files", &["config", "show"], Promise::Read),
    case("files.doctor", "files", &["doctor"], Promise::Look),
    case("aging.diff", "aging", &["diff", "latest~1", "latest"], Promise::Read),
    case("aging.forget", "aging", &["forget"], Promise::Forget),
    case("product.backup", "product", &["backup"], Promise::Backup),
    case("product.restore", "product", &["-c", "target.toml", "restore"], Promise::Restore),
    case("product.verify", "product", &["verify"], Promise::Read),
    case("held.recover", "held", &["recover"], Promise::Recover),
    case("held.list", "held", &["recover", "--list"], Promise::Look),
    case("held.backup", "held", &["backup"], Promise::Backup),
    case("database.backup", "database", &["backup"], Promise::Backup),
];

/// The case of that name.
pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}
