//! Where an instance keeps its files, as absolute paths.

use super::Values;
use crate::conf::paths::absolute;

/// Absolute paths, `.` and `..` resolved, as Nuxeo sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directories {
    /// `nuxeo.config.dir`: mostly generated.
    pub config: String,
    /// `nuxeo.data.dir`.
    pub data: String,
    /// `nuxeo.log.dir`.
    pub log: String,
    /// `nuxeo.pid.dir`.
    pub pid: String,
    /// `nuxeo.tmp.dir`.
    pub tmp: String,
    /// `nuxeo.mp.dir`: add-ons that are installed.
    pub packages: String,
    /// `nuxeo.binarystores.root`.
    pub binarystores_root: String,
    /// `nuxeo.transientstores.root`.
    pub transientstores_root: String,
    /// The transient stores below that root.
    pub transientstores: String,
    /// `nuxeo.stream.chronicle.dir`, `stream` in the data directory where it is not set.
    pub chronicle: String,
}

impl Directories {
    pub(super) fn of(values: &Values<'_>, home: &str) -> Self {
        // The launcher makes these absolute against its home, the server's blob stores theirs against the data directory.
        let at_home = |key| absolute(home, &values.text(key));
        let data = at_home("nuxeo.data.dir");
        let at_data = |key| in_data(values, &data, &values.text(key));
        let transientstores_root = at_data("nuxeo.transientstores.root");
        Self {
            config: at_home("nuxeo.config.dir"),
            log: at_home("nuxeo.log.dir"),
            pid: at_home("nuxeo.pid.dir"),
            tmp: at_home("nuxeo.tmp.dir"),
            packages: at_home("nuxeo.mp.dir"),
            binarystores_root: at_data("nuxeo.binarystores.root"),
            transientstores: absolute(&transientstores_root, "transientstores"),
            transientstores_root,
            chronicle: match values.set("nuxeo.stream.chronicle.dir") {
                Some(path) => absolute(home, &path),
                None => absolute(&data, "stream"),
            },
            data,
        }
    }

    /// The directory that a key names; none for other keys.
    pub(super) fn named(&self, key: &str) -> Option<&str> {
        Some(match key {
            "nuxeo.config.dir" => &self.config,
            "nuxeo.data.dir" => &self.data,
            "nuxeo.log.dir" => &self.log,
            "nuxeo.pid.dir" => &self.pid,
            "nuxeo.tmp.dir" => &self.tmp,
            "nuxeo.mp.dir" => &self.packages,
            "nuxeo.binarystores.root" => &self.binarystores_root,
            "nuxeo.transientstores.root" => &self.transientstores_root,
            "nuxeo.stream.chronicle.dir" => &self.chronicle,
            _ => return None,
        })
    }
}

/// A path that may begin with the data directory as it is written: the launcher has made that absolute before.
pub(super) fn in_data(values: &Values<'_>, data: &str, path: &str) -> String {
    let written = values.text("nuxeo.data.dir");
    match path.strip_prefix(written.as_str()) {
        Some(rest) if !written.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
            absolute(data, rest.trim_start_matches('/'))
        }
        _ => absolute(data, path),
    }
}
