//! Files that a container appends to `nuxeo.conf` when it starts for the first time: what they set wins over what a
//! restore has set.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Finding, Result,
    dirs::{Dir, Kind},
};

use crate::{
    conf::properties::{BYTES_MAX, Properties},
    inspect::part,
};

/// Beside `nuxeo.conf`.
const DIRECTORY: &str = "conf.d";
/// How many of them are looked at.
const FILES_MAX: usize = 100;

/// What they set otherwise than the restore has. What cannot be read is no contradiction that is known.
pub(super) fn contradictions(dir: &Dir, conf: &str, edits: &BTreeMap<String, String>) -> Result<Vec<Finding>> {
    let directory = conf.rsplit_once('/').map_or(DIRECTORY.to_owned(), |(above, _)| format!("{above}/{DIRECTORY}"));
    let mut findings = Vec::new();
    if !dir.exists(&directory)? {
        return Ok(findings);
    }
    for entry in dir.entries(&directory).take(FILES_MAX) {
        let entry = entry?;
        if entry.stat.kind != Kind::File || entry.stat.size > BYTES_MAX as u64 {
            continue;
        }
        let path = format!("{directory}/{}", entry.name);
        let Ok(file) = Properties::parse(&dir.read(&path, BYTES_MAX)?) else { continue };
        let other = |key: &str, value: &str| edits.get(key).is_some_and(|edit| edit != value);
        let others = file.assignments.iter().filter(|assignment| other(&assignment.key, &assignment.value));
        let mut keys: Vec<&str> = others.map(|assignment| assignment.key.as_str()).collect();
        keys.dedup();
        if !keys.is_empty() {
            let message = format!(
                "{path} sets {} otherwise than the restored nuxeo.conf, and a container appends it when it starts for the first time: change it by hand",
                keys.join(", ")
            );
            findings.push(Finding::warning("conf-d", part::CONFIGURATION, message));
        }
    }
    Ok(findings)
}
