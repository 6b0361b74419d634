//! A plan as people and programs read it.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Beside, Plan, Step, limits, resolve::Want};
use crate::{
    config::{Order, recipient::Recipient},
    diagnostic::{Finding, Severity},
    digest::Digest,
};

/// The version of what [`json`] returns.
pub const SCHEMA_VERSION: u32 = 1;

/// For programs: `plan` is exactly what `hash` covers.
pub fn json(plan: &Plan, beside: &Beside, hash: &Digest) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "hash": hash,
        "plan": plan.value(),
        "estimates": beside.estimates,
        "facts": beside.facts,
        "findings": beside.findings,
        "wants": beside.wants,
    })
}

/// For people. What plugins said is shown without control characters.
pub fn text(plan: &Plan, beside: &Beside, hash: &Digest, color: bool) -> String {
    let paint = Paint(color);
    let order = match plan.order {
        Order::Settled => "a stage begins when the one before has settled",
        Order::Strict => "a stage begins when the one before has ended",
    };
    let parallel = plan.parallel.map_or_else(|| "as many parts as cores".to_owned(), |count| format!("{count} parts"));
    let mut text = format!(
        "{} → {} ({})\nplan sha256:{hash}\n{order}; {parallel} side by side\n",
        paint.bold(&format!("pipeline {}", plan.pipeline)),
        plan.repository,
        plan.format,
    );
    if !plan.compression.is_auto() {
        text.push_str("not compressed\n");
    }
    if !plan.recipients.is_empty() {
        let _ = writeln!(text, "encrypted to {}", recipients(&plan.recipients));
    }
    for copy in &plan.copies {
        let _ = write!(text, "copied to {}: {} ({})", copy.name, copy.repository, copy.format);
        if !copy.recipients.is_empty() {
            let _ = write!(text, ", encrypted to {}", recipients(&copy.recipients));
        }
        text.push('\n');
    }
    if let Some(keep) = &plan.keep {
        let _ = writeln!(text, "when complete, of all snapshots it keeps: {keep}; others are removed");
    }
    for step in &plan.steps {
        text.push('\n');
        describe(&mut text, step, beside, &paint);
    }
    section(&mut text, &paint, "findings", findings(&beside.findings, &paint));
    section(&mut text, &paint, "would use, if it were granted", beside.wants.iter().map(want).collect());
    text
}

fn recipients(recipients: &[Recipient]) -> String {
    recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn describe(text: &mut String, step: &Step, beside: &Beside, paint: &Paint) {
    let component = &step.component.to_string()[..12];
    let title = paint.bold(&format!("step {}", step.name));
    let (plugin, version) = (plain(&step.plugin), plain(&step.plugin_version));
    let _ = writeln!(text, "{title}: {plugin} {version} (component {component}…)");
    if !step.after.is_empty() {
        let _ = writeln!(text, "  after {}", step.after.join(", "));
    }
    for (name, value) in beside.facts.iter().filter(|facts| facts.step == step.name).flat_map(|facts| &facts.facts) {
        let _ = writeln!(text, "  {}: {}", plain(name), plain(value));
    }
    let grants = step.grants.lines();
    list(text, "may reach", if grants.is_empty() { vec!["nothing".to_owned()] } else { grants });
    list(text, "may use up", limits::lines(&step.limits).to_vec());
    list(text, "parts", parts(step, beside));
}

/// Name, stage and estimate in columns.
fn parts(step: &Step, beside: &Beside) -> Vec<String> {
    let rows: Vec<[String; 4]> = step
        .parts
        .iter()
        .map(|part| {
            let ahead = if part.ahead { ", ahead" } else { "" };
            let estimate = beside.estimates.iter().find(|other| other.step == step.name && other.part == part.name);
            let bytes = estimate.and_then(|estimate| estimate.bytes);
            let bytes = bytes.map(|bytes| format!("about {}", bytesize::ByteSize(bytes).display().iec()));
            let stage = format!("{}{ahead}", part.stage.word());
            [plain(&part.name), stage, bytes.unwrap_or_else(|| "size unknown".to_owned()), plain(&part.summary)]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[name, stage, bytes, summary]: &[String; 4]| {
        let line = format!("{name:0$}  {stage:1$}  {bytes:2$}  {summary}", widths[0], widths[1], widths[2]);
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The heaviest first.
fn findings(findings: &[Finding], paint: &Paint) -> Vec<String> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let line = |finding: &Finding| {
        let (code, subject) = (plain(&finding.code), plain(&finding.subject));
        format!("{} {code} {subject}: {}", paint.severity(finding.severity), plain(&finding.message))
    };
    sorted.into_iter().map(line).collect()
}

fn want(want: &Want) -> String {
    let (step, name, reason) = (&want.step, plain(&want.need.name), plain(&want.need.reason));
    format!("step {step}, {name}: {reason}\n{}", plain(&want.toml))
}

fn section(text: &mut String, paint: &Paint, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint.bold(title));
    lines.iter().for_each(|line| push_indented(text, "  ", line));
}

fn list(text: &mut String, title: &str, lines: Vec<String>) {
    let _ = writeln!(text, "  {title}");
    lines.iter().for_each(|line| push_indented(text, "    ", line));
}

/// Later lines stand two further in.
fn push_indented(text: &mut String, indent: &str, lines: &str) {
    for (index, line) in lines.trim_end().lines().enumerate() {
        let further = if index > 0 { "  " } else { "" };
        let _ = writeln!(text, "{indent}{further}{line}");
    }
}

/// Without anything that could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect()
}

/// Whether to colour.
struct Paint(bool);

impl Paint {
    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn severity(&self, severity: Severity) -> String {
        let code = match severity {
            Severity::Info => "36",
            Severity::Warning => "33",
            Severity::Blocker => "1;31",
        };
        self.with(code, severity.word())
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
