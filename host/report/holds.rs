//! Holds that stand, and what became of them, as a table for people or as JSON lines.

use serde_json::{Value, json};

use super::{
    json as lines,
    table::{drawn, plain_table},
    words::{self, Paint},
};
use crate::run::holds::{Hold, Recovered, Standing};

/// The answer of `recover --list`. JSON: `message_type` is `hold` or `unreadable`.
pub fn listed(standing: &Standing, json: bool, paint: Paint) -> String {
    if json {
        return as_lines(standing);
    }
    if standing.holds.is_empty() && standing.unreadable.is_empty() {
        return "no holds stand\n".to_owned();
    }
    let mut table = plain_table(&["part", "hold", "age", "deadline", "run", "why it stands"], paint);
    for hold in &standing.holds {
        table.add_row(vec![
            words::line(&hold.owner().to_string()),
            words::line(&hold.name),
            words::age(&hold.taken),
            words::line(&hold.deadline),
            words::line(&hold.run),
            words::line(&standing.why(hold)),
        ]);
    }
    let mut text = if standing.holds.is_empty() { String::new() } else { drawn(&mut table, &[2]) };
    standing.unreadable.iter().for_each(|why| text.push_str(&unreadable(why, paint)));
    text
}

/// A line for each hold that stands, below the list of snapshots.
pub fn warnings(standing: &Standing, json: bool, paint: Paint) -> String {
    if json {
        return as_lines(standing);
    }
    let line = |hold: &Hold| {
        let (owner, name, why) = (hold.owner().to_string(), words::line(&hold.name), words::line(&standing.why(hold)));
        let (word, age) = (paint.warn("warning"), words::age(&hold.taken));
        format!("{word} hold {name} of {} has stood for {age}: {why}; see `strongroom recover`\n", words::line(&owner))
    };
    standing.holds.iter().map(line).chain(standing.unreadable.iter().map(|why| unreadable(why, paint))).collect()
}

/// What `recover` did. JSON: `message_type` is `released`, `not_released` or `unreadable`.
pub fn recovered(recovered: &Recovered, json: bool, paint: Paint) -> String {
    if json {
        let released = recovered.released.iter().map(|hold| lines::line("released", fields(hold, None)));
        let left = recovered.left.iter().map(|(hold, why)| lines::line("not_released", fields(hold, Some(why))));
        return released.chain(left).chain(recovered.unreadable.iter().map(|why| unreadable_line(why))).collect();
    }
    let mut text = String::new();
    for hold in &recovered.released {
        text.push_str(&format!("{} {}\n", paint.good("released"), subject(hold)));
    }
    for (hold, why) in &recovered.left {
        let why = words::lines(why.trim_end()).replace('\n', "\n    ");
        text.push_str(&format!("{} {}: {why}\n", paint.bad("not released"), subject(hold)));
    }
    recovered.unreadable.iter().for_each(|why| text.push_str(&unreadable(why, paint)));
    if text.is_empty() { "no holds stand\n".to_owned() } else { text }
}

fn subject(hold: &Hold) -> String {
    format!(
        "{} of {}, {} old",
        words::line(&hold.name),
        words::line(&hold.owner().to_string()),
        words::age(&hold.taken)
    )
}

fn unreadable(why: &str, paint: Paint) -> String {
    format!("{} {}\n", paint.bad("unreadable"), words::line(why))
}

fn as_lines(standing: &Standing) -> String {
    let holds = standing.holds.iter().map(|hold| lines::line("hold", fields(hold, Some(&standing.why(hold)))));
    holds.chain(standing.unreadable.iter().map(|why| unreadable_line(why))).collect()
}

fn unreadable_line(why: &str) -> String {
    lines::line("unreadable", json!({ "message": why }))
}

fn fields(hold: &Hold, why: Option<&str>) -> Value {
    json!({
        "step": hold.step, "part": hold.part, "name": hold.name, "run": hold.run, "taken": hold.taken,
        "deadline": hold.deadline, "scope": hold.scope, "plugin": hold.plugin, "component": hold.component, "why": why,
    })
}
