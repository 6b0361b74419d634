//! What `forget` keeps and removes: a table with reasons, or JSON lines.

use serde_json::json;

use super::{
    json as lines,
    table::{drawn, plain_table},
    words::{self, Paint},
};
use crate::{
    config::keep::Keep,
    run::forget::{Judged, Removal},
    snapshot::keep::Verdict,
};

/// Every snapshot of the pipeline, oldest first, and what becomes of it. JSON: `message_type` is `judged`.
pub fn judged(judged: &[Judged], keep: &Keep, dry_run: bool, json: bool, paint: Paint) -> String {
    if json {
        return judged.iter().map(judged_line).collect();
    }
    if judged.is_empty() {
        return "no snapshots of this pipeline\n".to_owned();
    }
    let tables: String =
        judged.chunk_by(|one, other| one.host == other.host).map(|group| group_table(group, paint)).collect();
    let going: Vec<_> = judged.iter().filter(|judged| judged.goes()).collect();
    let bytes = words::bytes(going.iter().map(|judged| judged.listed.stored_bytes).sum());
    let would = if dry_run { "would remove" } else { "removes" };
    let count = words::counted(going.len() as u64, "snapshot", "snapshots");
    format!("{tables}keeping {keep} {would} {count} of {}, {bytes}\n", judged.len())
}

/// Snapshots that were judged together.
fn group_table(group: &[Judged], paint: Paint) -> String {
    let mut table = plain_table(&["snapshot", "started", "state", "stored", "", "why"], paint);
    for judged in group {
        let word = if judged.goes() { paint.bad("remove") } else { paint.good("keep") };
        table.add_row(vec![
            words::line(&judged.listed.id),
            words::line(&judged.listed.started),
            judged.listed.state.word().to_owned(),
            words::bytes(judged.listed.stored_bytes),
            word,
            why(&judged.verdict),
        ]);
    }
    let head = match group.first().and_then(|judged| judged.host.as_deref()) {
        None => String::new(),
        Some("") => "snapshots of machines that they do not name:\n".to_owned(),
        Some(host) => format!("snapshots of {}:\n", words::line(host)),
    };
    head + &drawn(&mut table, &[3])
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Keep(reasons) => reasons.join(", "),
        Verdict::Uncounted(why) => format!("counts for no rule: {why}"),
        Verdict::Remove(why) => (*why).to_owned(),
    }
}

fn judged_line(judged: &Judged) -> String {
    let listed = &judged.listed;
    let reasons = match &judged.verdict {
        Verdict::Keep(reasons) => reasons.clone(),
        other => vec![why(other)],
    };
    let fields = json!({
        "snapshot": listed.id, "pipeline": listed.pipeline, "started": listed.started, "state": listed.state,
        "stored_bytes": listed.stored_bytes, "path": listed.path.to_string_lossy(),
        "keep": !judged.goes(), "counted": judged.doubt().is_none(), "reasons": reasons, "host": listed.host,
    });
    lines::line("judged", fields)
}

/// How the removals went; nothing where all is well and nobody asked for JSON. `message_type` is `forgotten`.
pub fn removals(removals: &[Removal], json: bool) -> String {
    let line = |removal: &Removal| {
        let fields =
            json!({ "snapshot": removal.listed.id, "ok": removal.failure.is_none(), "failure": removal.failure });
        lines::line("forgotten", fields)
    };
    let text = |removal: &Removal| match &removal.failure {
        Some(why) => format!("{} stays: {}\n", removal.listed.id, words::line(why)),
        None => String::new(),
    };
    removals.iter().map(|removal| if json { line(removal) } else { text(removal) }).collect()
}

/// A warning as a JSON line.
pub fn warning(message: &str) -> String {
    lines::line("warning", json!({ "message": message }))
}
