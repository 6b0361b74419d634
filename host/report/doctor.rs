//! What `doctor` saw: a line for each thing, and how many of them are not as they should be.

use serde_json::json;

use super::{
    json as lines,
    words::{self, Paint},
};
use crate::run::doctor::{Check, Health};

/// One line a check, in their order; `quiet` leaves out what is as it should be. JSON: `message_type` is `check`.
pub fn checks(checks: &[Check], json: bool, quiet: bool, paint: Paint) -> String {
    if json {
        return checks.iter().map(object).collect();
    }
    let shown: Vec<_> = checks.iter().filter(|check| !quiet || check.health > Health::Ok).collect();
    let width = shown.iter().map(|check| words::line(&check.about).chars().count()).max().unwrap_or_default();
    let mut text: String = shown.into_iter().map(|check| line(check, width, paint)).collect();
    text.push_str(&last_line(checks));
    text
}

fn object(check: &Check) -> String {
    let fields = json!({ "health": check.health.word(), "about": check.about, "message": check.message });
    lines::line("check", fields)
}

fn line(check: &Check, width: usize, paint: Paint) -> String {
    let word = format!("{:<7}", check.health.word());
    let word = match check.health {
        Health::Ok => paint.good(&word),
        Health::Warning => paint.warn(&word),
        Health::Problem => paint.bad(&word),
    };
    format!("{word}  {:<width$}  {}\n", words::line(&check.about), words::line(&check.message))
}

fn last_line(checks: &[Check]) -> String {
    let count = |health| checks.iter().filter(|check| check.health == health).count() as u64;
    let problems = words::counted(count(Health::Problem), "problem", "problems");
    let warnings = words::counted(count(Health::Warning), "warning", "warnings");
    format!("{problems}, {warnings}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Vec<Check> {
        vec![
            Check::ok("wiki/dirs.home", "/var/wiki: can be read"),
            Check::warning("lock", "a run died\nand left it"),
            Check::problem("wiki/sql.database", "nobody answers"),
        ]
    }

    #[test]
    fn each_check_is_one_line_and_the_last_one_counts() {
        insta::assert_snapshot!(checks(&seen(), false, false, Paint::default()), @r"
        ok       wiki/dirs.home     /var/wiki: can be read
        warning  lock               a run died\nand left it
        problem  wiki/sql.database  nobody answers
        1 problem, 1 warning
        ");
        let quiet = checks(&seen(), false, true, Paint::default());
        assert!(!quiet.contains("dirs.home") && quiet.contains("lock") && quiet.ends_with("1 problem, 1 warning\n"));
    }

    #[test]
    fn as_json_each_is_an_object() {
        let text = checks(&seen(), true, true, Paint::default());
        let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 3);
        assert_eq!((&objects[2]["message_type"], &objects[2]["health"]), (&"check".into(), &"problem".into()));
    }
}
