//! What lies directly in the home and in its `shared-home`: left out, or saved though not known.

use strongroom_plugin::{Context, Finding, Result, dirs};

use super::part;
use crate::{
    describe::grant,
    home::{self, Class},
};

/// How many names a finding lists.
const NAMES_MAX: usize = 50;

/// One finding for each reason to leave entries out, and one for those that are not known.
///
/// # Errors
/// When the home cannot be listed.
pub(super) fn findings() -> Result<Vec<Finding>> {
    let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
    let mut unknown = Vec::new();
    for (shown, class) in classified()? {
        match home::reason(class) {
            None if class == Class::Unknown => unknown.push(shown),
            None => {}
            Some(reason) => match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(shown),
                None => by_reason.push((reason, vec![shown])),
            },
        }
    }
    let left = |(reason, names): (&str, Vec<String>)| {
        Finding::info("left-out", part::HOME, format!("not saved, {reason}: {}", listed(&names)))
    };
    let mut findings: Vec<Finding> = by_reason.into_iter().map(left).collect();
    if !unknown.is_empty() {
        let message = format!("saved, though Confluence is not known to make them: {}", listed(&unknown));
        findings.push(Finding::info("unknown-entry", part::HOME, message));
    }
    Ok(findings)
}

fn classified() -> Result<Vec<(String, Class)>> {
    let dir = dirs::get(grant::HOME)?;
    let mut all = Vec::new();
    for base in ["", home::SHARED] {
        if !base.is_empty() && dir.find(base)?.is_none_or(|stat| stat.kind != dirs::Kind::Directory) {
            continue;
        }
        for entry in dir.entries(base) {
            let name = entry.context("listing the home directory")?.name;
            let class = home::class(&name);
            all.push((if base.is_empty() { name } else { format!("{base}/{name}") }, class));
        }
    }
    Ok(all)
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    match names.len().checked_sub(NAMES_MAX) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
