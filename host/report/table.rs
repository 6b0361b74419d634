//! How a run ended, for people: a table of parts, what differs, what was found, and one sentence.

use std::{collections::HashMap, time::Duration};

use comfy_table::{Cell, CellAlignment, Color, Table, presets};

use super::words::{self, Paint};
use crate::{
    diagnostic::{Finding, Severity},
    run::event::{Operation, PartName, Summary},
    snapshot::{
        receipts::Receipt,
        record::{Evidence, ExpectedRecord, PartRecord, Record},
        state::State,
    },
};

/// How many findings of one code, and how many missing paths of one list, are named.
const NAMED_MAX: usize = 5;

/// What the end of a run is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Colours.
    pub paint: Paint,
    /// Findings below it are left out.
    pub least: Severity,
    /// How long each part was worked on.
    pub spent: &'a HashMap<PartName, Duration>,
}

/// Everything but the last sentence: parts, what differs, findings.
pub fn details(summary: &Summary, view: View<'_>) -> String {
    let mut sections = vec![parts(summary, view), concerns(summary, view)];
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// What failed, what differs or is missing, and findings.
pub fn concerns(summary: &Summary, view: View<'_>) -> String {
    let Some(record) = &summary.record else { return String::new() };
    failures(record, view.paint) + &differences(record, view.paint) + &findings(record, view)
}

/// A table without frames, its header underlined by nothing but a blank.
pub(super) fn plain_table(header: &[&str], paint: Paint) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match paint.on {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(comfy_table::Attribute::Dim)));
    table
}

/// The table's text, without the blanks that it begins and ends its lines with.
pub(super) fn drawn(table: &mut Table, right: &[usize]) -> String {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn parts(summary: &Summary, view: View<'_>) -> String {
    let mut table = plain_table(&["part", "stage", "state", "files", "bytes", "receipts", "time"], view.paint);
    for (name, part) in summary.record.iter().flat_map(named_parts) {
        let (word, color) = verdict(part, summary.operation);
        let (held, all) = held(part.receipts.iter());
        let receipts = if all == 0 { "-".to_owned() } else { format!("{}/{}", words::count(held), words::count(all)) };
        let spent = view.spent.get(&name).map_or_else(|| "-".to_owned(), |time| words::duration(*time));
        table.add_row(vec![
            Cell::new(words::line(&name.to_string())),
            Cell::new(part.stage().word()),
            Cell::new(word).fg(color),
            Cell::new(words::count(part.files)),
            Cell::new(words::bytes(part.bytes)),
            Cell::new(receipts),
            Cell::new(spent),
        ]);
    }
    if table.is_empty() { String::new() } else { drawn(&mut table, &[3, 4, 5, 6]) }
}

fn named_parts(record: &Record) -> impl Iterator<Item = (PartName, &PartRecord)> {
    record.steps.iter().flat_map(|step| {
        let name = |part: &PartRecord| PartName { step: step.name.clone(), part: part.part.name.clone() };
        step.parts.iter().map(move |part| (name(part), part))
    })
}

/// One word for a part: the worst that applies. Only a backup must prove itself by receipts.
fn verdict(part: &PartRecord, operation: Operation) -> (&'static str, Color) {
    if part.failure.is_some() {
        return ("FAILED", Color::Red);
    }
    if part.ended.is_none() {
        return ("not run", Color::Yellow);
    }
    if part.receipts.iter().any(|receipt| !receipt.holds() && !of_a_list(part, receipt)) {
        return ("DIFFERS", Color::Red);
    }
    if part.expected.iter().any(|list| list.met < list.lines) {
        return ("MISSING", Color::Red);
    }
    match part.receipts.is_empty() && operation == Operation::Backup {
        true => ("unproven", Color::Yellow),
        false => ("ok", Color::Green),
    }
}

/// A list of expectations has a receipt too; what it lacks is told as missing, not as a count that differs.
fn of_a_list(part: &PartRecord, receipt: &Receipt) -> bool {
    part.expected
        .iter()
        .any(|list| list.subject == receipt.subject && (list.lines, list.met) == (receipt.expected, receipt.actual))
}

fn held<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> (u64, u64) {
    receipts.fold((0, 0), |(held, all), receipt| (held + u64::from(receipt.holds()), all + 1))
}

fn failures(record: &Record, paint: Paint) -> String {
    named_parts(record)
        .filter_map(|(name, part)| Some((name, part.failure.as_ref()?)))
        .map(|(name, why)| format!("{} {name}: {}\n", paint.bad("failed"), indented(why)))
        .collect()
}

fn differences(record: &Record, paint: Paint) -> String {
    let mut text = String::new();
    for (name, part) in named_parts(record) {
        for receipt in part.receipts.iter().filter(|receipt| !receipt.holds() && !of_a_list(part, receipt)) {
            text.push_str(&format!("{} {name}: {}\n", paint.bad("differs"), words::receipt(receipt)));
        }
        for list in part.expected.iter().filter(|list| list.met < list.lines) {
            text.push_str(&missing(&name, list, paint));
        }
    }
    text
}

fn missing(name: &PartName, list: &ExpectedRecord, paint: Paint) -> String {
    let evidence = match list.evidence {
        Evidence::SameView => "",
        Evidence::Bracketed => " (listed before and after the dump)",
    };
    let lacking = list.lines.saturating_sub(list.met);
    let mut text = format!(
        "{} {name}: {} of {} {} are not in the snapshot{evidence}\n",
        paint.bad("missing"),
        words::count(lacking),
        words::count(list.lines),
        words::line(&list.subject),
    );
    let named = list.missing.len().min(NAMED_MAX);
    list.missing[..named].iter().for_each(|line| text.push_str(&format!("    {}\n", words::line(line))));
    text + &and_more(lacking.saturating_sub(named as u64))
}

fn and_more(count: u64) -> String {
    if count == 0 { String::new() } else { format!("    … and {} more\n", words::count(count)) }
}

/// Findings by severity, the worst first, then by code as they came.
fn findings(record: &Record, view: View<'_>) -> String {
    let all = all_findings(record);
    [Severity::Blocker, Severity::Warning, Severity::Info]
        .into_iter()
        .filter(|severity| *severity >= view.least)
        .flat_map(|severity| by_code(&all, severity))
        .map(|same| {
            let named = same.iter().take(NAMED_MAX).map(|(place, finding)| finding_line(place, finding, view.paint));
            named.collect::<String>() + &and_more(same.len().saturating_sub(NAMED_MAX) as u64)
        })
        .collect()
}

fn all_findings(record: &Record) -> Vec<(String, &Finding)> {
    let mut all: Vec<_> = record.findings.iter().map(|finding| (String::new(), finding)).collect();
    for step in &record.steps {
        all.extend(step.findings.iter().map(|finding| (step.name.clone(), finding)));
        for part in &step.parts {
            let place = format!("{}/{}", step.name, part.part.name);
            all.extend(part.findings.iter().map(|finding| (place.clone(), finding)));
        }
    }
    all
}

fn by_code<'a>(all: &[(String, &'a Finding)], severity: Severity) -> Vec<Vec<(String, &'a Finding)>> {
    let mut groups: Vec<Vec<(String, &Finding)>> = Vec::new();
    for (place, finding) in all.iter().filter(|(_, finding)| finding.severity == severity) {
        match groups.iter_mut().find(|group| group[0].1.code == finding.code) {
            Some(group) => group.push((place.clone(), finding)),
            None => groups.push(vec![(place.clone(), finding)]),
        }
    }
    groups
}

/// `warning left-out wiki/home index/: an index must not be older than the database`
pub(super) fn finding_line(place: &str, finding: &Finding, paint: Paint) -> String {
    let word = match finding.severity {
        Severity::Info => paint.dim("info"),
        Severity::Warning => paint.warn("warning"),
        Severity::Blocker => paint.bad("blocker"),
    };
    let about: Vec<_> = [place, finding.subject.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
    format!("{word} {} {}: {}\n", words::line(&finding.code), words::line(&about.join(" ")), indented(&finding.message))
}

fn indented(text: &str) -> String {
    words::lines(text.trim_end()).replace('\n', "\n    ")
}

/// The last line of a run: the snapshot, what it is worth, and why.
pub fn sentence(summary: &Summary) -> String {
    match (summary.operation, summary.state) {
        (Operation::Backup, Some(state)) => backup_sentence(summary, state),
        _ => words::line(&summary.message),
    }
}

fn backup_sentence(summary: &Summary, state: State) -> String {
    let parts: Vec<_> = summary.record.iter().flat_map(named_parts).map(|(_, part)| part).collect();
    let well = parts.iter().filter(|part| part.failure.is_none()).count() as u64;
    let (held, all) = held(parts.iter().flat_map(|part| &part.receipts));
    let lists = parts.iter().flat_map(|part| &part.expected);
    let (met, lines) = lists.fold((0, 0), |(met, lines), list| (met + list.met, lines + list.lines));
    let mut text = format!("snapshot {} {state}: {}", summary.snapshot, of(well, parts.len() as u64, "part", "parts"));
    text += &format!(", {} {}", of(held, all, "receipt", "receipts"), if all == 1 { "holds" } else { "hold" });
    if lines > 0 {
        text += &format!(", {} of {} referenced files present", words::count(met), words::count(lines));
    }
    text
}

/// `5 parts` when it is all of them, else `4 of 5 parts`.
fn of(some: u64, all: u64, one: &str, many: &str) -> String {
    match some == all {
        true => words::counted(all, one, many),
        false => format!("{} of {}", words::count(some), words::counted(all, one, many)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn told(summary: &Summary, least: Severity) -> String {
        let spent = HashMap::from([(fixture::name("wiki", "database"), Duration::from_secs(75))]);
        details(summary, View { paint: Paint::default(), least, spent: &spent })
    }

    #[test]
    fn the_end_of_a_partial_run_names_all_that_differs() {
        let text = told(&fixture::partial(), Severity::Info);
        insta::assert_snapshot!(text, @r#"
        part           stage     state    files    bytes  receipts    time
        wiki/database  database  DIFFERS      1  1.0 GiB       1/3  1m 15s
        wiki/home      files     ok           1  1.0 GiB       1/1       -
        wiki/install   files     FAILED       1  1.0 GiB         -       -

        failed wiki/install: reading conf/server.xml: permission denied
            help: run as the product's user
        differs wiki/database: rows LINKS: expected 20,000, got 19,999
        missing wiki/database: 7 of 214 attachments are not in the snapshot
            page 1: a: absent
            page 2: b: absent
            3: c: size 4, expected 5
            4: d: absent
            5: e: absent
            … and 2 more
        warning left-out wiki/home cache-0/: made anew at the start
        warning left-out wiki/home cache-1/: made anew at the start
        warning left-out wiki/home cache-2/: made anew at the start
        warning left-out wiki/home cache-3/: made anew at the start
        warning left-out wiki/home cache-4/: made anew at the start
            … and 3 more
        info unused-grant dirs.spare: no plugin asks for it
        "#);
    }

    #[test]
    fn only_a_backup_must_prove_itself_by_receipts() {
        let mut summary = fixture::complete();
        summary.record.as_mut().unwrap().steps[0].parts[0].receipts.clear();
        assert!(told(&summary, Severity::Info).contains("unproven"));
        summary.operation = Operation::Verify;
        assert!(told(&summary, Severity::Info).contains("ok"));
        summary.record.as_mut().unwrap().steps[0].parts[0].ended = None;
        assert!(told(&summary, Severity::Info).contains("not run"));
    }

    #[test]
    fn quiet_leaves_out_what_is_only_good_to_know() {
        let text = told(&fixture::partial(), Severity::Warning);
        assert!(text.contains("warning left-out") && !text.contains("info unused-grant"), "{text}");
    }

    #[test]
    fn the_last_line_counts_parts_receipts_and_references() {
        assert_eq!(
            sentence(&fixture::complete()),
            "snapshot 3f2a00112233aabb complete: 1 part, 2 receipts hold, 214 of 214 referenced files present"
        );
        assert_eq!(
            sentence(&fixture::partial()),
            "snapshot 3f2a00112233aabb partial: 2 of 3 parts, 2 of 4 receipts hold, 207 of 214 referenced files present"
        );
        let kept_nothing = Summary { state: None, message: "nothing was kept".into(), ..fixture::partial() };
        assert_eq!(sentence(&kept_nothing), "nothing was kept");
    }
}
