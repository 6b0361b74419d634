//! What a plugin asks for against what its step was granted.

use super::inspection::Need;
use crate::{
    config::{Access, Grants, ParameterKind, Piece, Step, Template, ToolGrant, suggest},
    diagnostic::{Finding, Severity},
};

/// The table that a need is granted in: `dirs` for `dirs:read`.
fn table(need: &Need) -> &str {
    need.capability.split(':').next().unwrap_or(&need.capability)
}

fn names_of(grants: &Grants) -> Vec<(&'static str, &str)> {
    let dirs = grants.dirs.keys().map(|name| ("dirs", name.as_str()));
    let sql = grants.sql.keys().map(|name| ("sql", name.as_str()));
    let http = grants.http.keys().map(|name| ("http", name.as_str()));
    let tcp = grants.tcp.keys().map(|name| ("tcp", name.as_str()));
    let tools = grants.tools.keys().map(|name| ("tools", name.as_str()));
    dirs.chain(sql)
        .chain(http)
        .chain(tcp)
        .chain(tools)
        .chain(grants.secrets.keys().map(|name| ("secrets", name.as_str())))
        .collect()
}

fn asks_for(need: &Need, kind: &str, name: &str) -> bool {
    let one_of_many = || name.strip_prefix(&need.name).is_some_and(|rest| rest.starts_with('-'));
    table(need) == kind && (name == need.name || need.many && one_of_many())
}

/// The lines that would grant a need.
pub(super) fn toml(step: &str, need: &Need) -> String {
    suggest::grant_toml(step, &need.capability, &need.name, &need.suggestion)
}

/// A blocker for each thing that the plugin cannot do without and has not, or may not write.
pub(super) fn refusals(step: &Step, needs: &[Need]) -> Vec<Finding> {
    let granted = names_of(&step.grants);
    let refusal = |need: &Need| {
        let subject = format!("{}/{}.{}", step.name, table(need), need.name);
        let blocker = |code, message| Some(Finding::new(Severity::Blocker, code, subject, message));
        let matching: Vec<_> = granted.iter().filter(|(kind, name)| asks_for(need, kind, name)).collect();
        if matching.is_empty() {
            let toml = toml(&step.name, need);
            let what = format!("{}.{}", table(need), need.name);
            return blocker(
                "not-granted",
                format!("{what} is not granted: {}; to grant it, write\n{toml}", need.reason),
            );
        }
        let read_only = |name: &str| step.grants.dirs.get(name).is_some_and(|grant| grant.access == Access::Read);
        let too_little = matching.iter().find(|(_, name)| need.capability == "dirs:write" && read_only(name));
        too_little.and_then(|(_, name)| {
            let key = format!("[step.{}.grant.dirs.{name}]", step.name);
            let message = format!("granted to be read only: {}; write access = \"write\" in {key}", need.reason);
            blocker("read-only-grant", message)
        })
    };
    needs.iter().filter(|need| need.required).filter_map(refusal).collect()
}

/// Grants that neither the plugin nor another grant asks for.
pub(super) fn unused(step: &Step, needs: &[&Need], uses: &[&str]) -> Vec<Finding> {
    let is_used = |kind: &str, name: &str| {
        needs.iter().any(|need| asks_for(need, kind, name))
            || uses.contains(&format!("{kind}.{name}").as_str())
            || step.grants.tools.values().any(|tool| mentions(tool, kind, name))
    };
    let message = "the plugin asks for nothing of that name; take it out of the pipeline";
    let finding =
        |(kind, name)| Finding::new(Severity::Info, "unused-grant", format!("{}/{kind}.{name}", step.name), message);
    names_of(&step.grants).into_iter().filter(|(kind, name)| !is_used(kind, name)).map(finding).collect()
}

/// Whether a tool's arguments are filled in from that grant.
fn mentions(tool: &ToolGrant, kind: &str, name: &str) -> bool {
    tool.argv.iter().flat_map(|Template(pieces)| pieces).any(|piece| match piece {
        Piece::Sql { grant, .. } => kind == "sql" && grant == name,
        Piece::Parameter { kind: ParameterKind::Path(grant), .. } => kind == "dirs" && grant == name,
        _ => false,
    })
}
