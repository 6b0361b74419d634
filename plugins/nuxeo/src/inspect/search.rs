//! What holds the audit and the sequences, where the database does not: a search engine of its own, which another step
//! saves, or the one inside of Nuxeo, whose files are saved while Nuxeo is stopped.

use strongroom_database::{
    embedded::{self, stop},
    located::Located,
};
use strongroom_plugin::{Finding, Inspection, Part, Result, Stage, dirs};

use super::{data::tree, part};
use crate::{
    conf::effective::{AuditIndex, Client, Search},
    embedded::PRODUCT,
    instance::Instance,
};

/// The embedded engine's files, below the data directory (`pathData` in Nuxeo's template `common-base`).
pub(super) const FILES: &str = "elasticsearch";

/// The embedded engine's files, where there are some: with a part of their own while nobody uses them.
pub(super) struct Files {
    /// Their directory: no other part has it.
    pub at: Located,
    /// None where they are in use, or nobody can tell.
    pub part: Option<Part>,
}

/// Looks for the files of an embedded engine, and says where audit and sequences are.
pub(super) fn look(instance: &Instance, data: &Located, seen: &mut Inspection) -> Result<Option<Files>> {
    let search = &instance.effective.search;
    let files = if search.client == Client::Embedded { files(search, data, seen)? } else { None };
    seen.findings.extend(open(search));
    let is_saved = files.as_ref().is_some_and(|files| files.part.is_some());
    seen.findings.extend(findings(search, is_saved));
    Ok(files)
}

fn files(search: &Search, data: &Located, seen: &mut Inspection) -> Result<Option<Files>> {
    let path = if data.path.is_empty() { FILES.to_owned() } else { format!("{}/{FILES}", data.path) };
    let at = Located::new(&data.grant, path);
    if !dirs::get(&at.grant)?.exists(&at.path)? {
        return Ok(None);
    }
    if let Some(who) = embedded::used([at.clone()])? {
        seen.findings.push(Finding::warning("search-embedded", part::SEARCH, in_use(search, &who)));
        return Ok(Some(Files { at, part: None }));
    }
    let summary = format!("{at}: the files of the embedded search engine, copied while {PRODUCT} is stopped");
    let part = tree(part::SEARCH, Stage::Fence, &at, summary);
    Ok(Some(Files { at, part: Some(part) }))
}

/// It has no `path.repo` and cannot be given one, so there are two ways, and neither is to change how Nuxeo runs.
fn in_use(search: &Search, who: &str) -> String {
    let export = match search.http_enabled {
        true => {
            "export its indices over HTTP, which elasticsearch.httpEnabled allows: a step with plugin elasticsearch-audit and this one in its after"
        }
        false => {
            "let it be asked (elasticsearch.httpEnabled, a restart) and export its indices by a step with plugin elasticsearch-audit"
        }
    };
    format!(
        "the embedded search engine runs, or nobody can tell, and its files are left out ({who}): {}; or {export}",
        stop(PRODUCT)
    )
}

/// Its HTTP is meant to be on for as long as an export takes.
fn open(search: &Search) -> Option<Finding> {
    let message = "elasticsearch.httpEnabled is true: the embedded search engine answers whoever reaches its port 9200, without a password: set it back to false as soon as its indices are exported, also in what is restored from this set";
    let is_open = search.client == Client::Embedded && search.http_enabled;
    is_open.then(|| Finding::warning("search-open", part::CONFIGURATION, message))
}

fn findings(search: &Search, is_saved: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let nodes: Vec<String> = search.nodes.iter().map(|node| node.address.to_string()).collect();
    let at = if nodes.is_empty() { "the embedded engine".to_owned() } else { nodes.join(", ") };
    if is_saved {
        let message = "what an embedded search engine holds cannot be read: its files are saved, and not checked against other parts";
        findings.push(Finding::info("search-unread", part::SEARCH, message));
        return findings;
    }
    if let AuditIndex::Must(index) = &search.audit {
        let message = format!(
            "the audit log is only in the index {index} at {at}: without a step that captures it, with this one in its after, the set is not complete"
        );
        findings.push(Finding::warning("audit-index", part::SEARCH, message));
    }
    if let Some(index) = &search.uid_index {
        let message = format!(
            "the index {index} at {at} numbers documents: capture it with the audit log, or numbers other than the audit's begin anew"
        );
        findings.push(Finding::info("sequence-index", part::SEARCH, message));
    }
    findings
}
