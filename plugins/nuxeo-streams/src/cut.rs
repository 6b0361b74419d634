//! Where a stream ends: at the instant of the databases, and at the fence in any case.

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Finding, Timestamp, context::Fixed};

use crate::settings::Late;

/// The last moment whose records are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cut {
    /// Milliseconds since 1970, inclusive; slack included.
    pub at: i64,
    /// What the operator added, in milliseconds.
    pub slack: i64,
    /// What becomes of older records behind newer ones.
    pub late: Late,
    /// Whose instant it is: step and part, or none where no database fixed one.
    pub from: Option<String>,
}

/// More milliseconds between the clocks of database and host than this are worth a word.
const CLOCKS_MS: i64 = 1000;

/// The cut by the latest of the instants; where there is none, `fence` decides. `subject` is the part that it is found
/// in.
pub fn cut(instants: &[Fixed], fence: Timestamp, slack: i64, late: Late, subject: &str) -> (Cut, Vec<Finding>) {
    let Some(last) = instants.iter().max_by_key(|fixed| millis(fixed.instant.not_after)) else {
        let message = "neither this step nor one in its `after` has fixed an instant: records are cut where the fence \
                       was taken. Name the step with the database in `after`";
        let at = millis(fence).saturating_add(slack);
        let finding = Finding::warning("no-instant", subject, message);
        return (Cut { at, slack, late, from: None }, vec![finding]);
    };
    let at = millis(last.instant.not_after).saturating_add(slack);
    let from = Some(format!("{}/{}", last.step, last.part));
    let far = instants.iter().filter(|fixed| fixed.instant.ahead_of_host_ms.abs() > CLOCKS_MS);
    let findings = far.map(|fixed| {
        let message = format!(
            "the clock of {} is {} ms ahead of this machine's, and records carry the time of those who wrote them: set \
             cut-slack if Nuxeo's own clock differs as well",
            fixed.instant.clock, fixed.instant.ahead_of_host_ms
        );
        Finding::warning("clocks-differ", subject, message)
    });
    (Cut { at, slack, late, from }, findings.collect())
}

/// Milliseconds since 1970, rounded down: what brokers compare by.
pub fn millis(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanoseconds / 1_000_000))
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::{Instant, InstantKind, testing::at};

    use super::*;

    fn fixed(part: &str, seconds: i64, nanoseconds: u32, ahead_of_host_ms: i64) -> Fixed {
        let instant = Instant {
            not_before: at(0),
            not_after: Timestamp { seconds, nanoseconds },
            kind: InstantKind::Start,
            clock: "postgresql db1".into(),
            ahead_of_host_ms,
            attributes: Vec::new(),
        };
        Fixed { step: "dam".into(), part: part.into(), instant }
    }

    #[test]
    fn the_latest_instant_of_all_databases_is_the_cut() {
        let instants = [fixed("database", 10, 999_999_999, 0), fixed("audit", 10, 5_000_000, 0)];
        let (cut, findings) = cut(&instants, at(99), 20, Late::Keep, "fence");
        assert_eq!((cut.at, cut.from.as_deref()), (10_999 + 20, Some("dam/database")));
        assert!(findings.is_empty());
    }

    #[test]
    fn without_a_database_the_fence_is_the_cut_and_that_is_said() {
        let (cut, findings) = cut(&[], at(99), 0, Late::Drop, "fence");
        assert_eq!((cut.at, cut.from, findings[0].code.as_str()), (99_000, None, "no-instant"));
    }

    #[test]
    fn clocks_that_differ_are_named() {
        for (ahead, found) in [(1000, 0), (-1001, 1), (4000, 1)] {
            let findings = cut(&[fixed("database", 10, 0, ahead)], at(9), 0, Late::Keep, "fence").1;
            assert_eq!(findings.len(), found, "{ahead}");
        }
    }
}
