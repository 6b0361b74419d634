//! Tables with dates, and a slow oracle that counts sets of buckets instead of walking.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::config::keep::Period;

const NOW: &str = "2026-06-30T12:00:00Z";

fn at(text: &str) -> Zoned {
    zoned(text, "UTC")
}

fn zoned(text: &str, zone: &str) -> Zoned {
    text.parse::<Timestamp>().unwrap().to_zoned(TimeZone::get(zone).unwrap())
}

fn complete(text: &str) -> Candidate {
    Candidate { started: Some(at(text)), complete: true, parent: None }
}

fn partial(text: &str) -> Candidate {
    Candidate { started: Some(at(text)), complete: false, parent: None }
}

/// `daily 7, within 30d`
fn rules(text: &str) -> Keep {
    Keep::new(text.split(", ").filter(|rule| !rule.is_empty()).map(|rule| {
        let (key, value) = rule.split_once(' ').unwrap();
        match Unit::ALL.into_iter().find(|unit| unit.word() == key) {
            Some(unit) => Rule { unit, reach: Reach::Buckets(value.parse().unwrap()) },
            None => {
                let unit = Unit::ALL.into_iter().find(|unit| unit.within_word() == key).unwrap();
                Rule { unit, reach: Reach::Within(value.parse().unwrap()) }
            }
        }
    }))
}

/// What is said of each: reasons with commas, `-` for removed, `?` for what does not count.
fn said(keep: &str, snapshots: &[Candidate]) -> Vec<String> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Keep(reasons) => reasons.join(","),
        Verdict::Uncounted(_) => "?".to_owned(),
        Verdict::Remove(_) => "-".to_owned(),
    };
    judge(&rules(keep), snapshots, &at(NOW)).iter().map(word).collect()
}

fn dates(dates: &[&str]) -> Vec<Candidate> {
    dates.iter().map(|date| complete(date)).collect()
}

#[test]
fn last_keeps_the_latest_whatever_their_order() {
    let sets = dates(&["2026-06-02T00:00:00Z", "2026-06-04T00:00:00Z", "2026-06-03T00:00:00Z"]);
    assert_eq!(said("last 2", &sets), ["-", "last", "last"]);
    assert_eq!(said("last 9", &sets), ["last", "last", "last"]);
    assert_eq!(said("last unlimited", &sets), ["last", "last", "last"]);
}

#[test]
fn without_a_rule_nothing_is_kept() {
    assert_eq!(said("", &dates(&["2026-06-02T00:00:00Z"])), ["-"]);
    assert_eq!(said("daily 0", &dates(&["2026-06-02T00:00:00Z"])), ["-"]);
}

#[test]
fn a_day_without_a_snapshot_does_not_count() {
    let sets = dates(&[
        "2026-06-01T08:00:00Z",
        "2026-06-01T09:00:00Z",
        "2026-06-10T01:00:00Z",
        "2026-06-10T23:59:59Z",
        "2026-06-20T10:00:00Z",
    ]);
    assert_eq!(said("daily 2", &sets), ["-", "-", "-", "daily", "daily"]);
}

#[test]
fn the_oldest_is_kept_while_a_rule_is_not_filled() {
    let sets = dates(&["2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z", "2026-06-10T01:00:00Z"]);
    assert_eq!(said("daily 3", &sets), ["oldest daily", "daily", "daily"]);
    assert_eq!(said("daily 2", &sets), ["-", "daily", "daily"]);
    assert_eq!(said("yearly 2", &sets), ["oldest yearly", "-", "yearly"]);
}

#[test]
fn every_calendar_unit_has_its_own_buckets() {
    let sets = dates(&["2025-12-28T23:00:00Z", "2025-12-29T00:30:00Z", "2026-01-01T00:10:00Z", "2026-01-01T00:50:00Z"]);
    assert_eq!(said("hourly 2", &sets), ["-", "hourly", "-", "hourly"]);
    assert_eq!(said("monthly 1", &sets), ["-", "-", "-", "monthly"]);
    assert_eq!(said("yearly 3", &sets), ["oldest yearly", "yearly", "-", "yearly"]);
    // 29 December 2025 is a Monday, and in week 1 of 2026.
    assert_eq!(said("weekly 2", &sets), ["weekly", "-", "-", "weekly"]);
}

#[test]
fn within_is_measured_from_the_latest_snapshot() {
    let sets = dates(&["2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "2026-05-20T00:00:00Z", "2026-06-01T00:00:00Z"]);
    assert_eq!(said("within 30d", &sets), ["-", "-", "within 30d", "within 30d"]);
    assert_eq!(said("within 1m", &sets), ["-", "within 1m", "within 1m", "within 1m"]);
    assert_eq!(
        said("within-monthly 1y", &sets),
        ["oldest monthly within 1y", "-", "monthly within 1y", "monthly within 1y"]
    );
    assert_eq!(said("within 65535y", &sets), ["within 65535y"; 4]);
}

#[test]
fn several_rules_are_named_together() {
    let sets = dates(&["2026-06-01T08:00:00Z", "2026-06-02T08:00:00Z"]);
    assert_eq!(said("last 1, daily 1, within 1d", &sets), ["-", "last,daily,within 1d"]);
}

#[test]
fn days_begin_where_the_operator_lives() {
    let moments = ["2026-06-01T21:00:00Z", "2026-06-01T23:00:00Z"];
    let kept = |zone: &str| {
        let sets = moments.map(|moment| Candidate { started: Some(zoned(moment, zone)), ..complete(NOW) });
        let verdicts = judge(&rules("daily 2"), &sets, &at(NOW));
        verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Keep(why) if why == &["daily"])).count()
    };
    assert_eq!(kept("UTC"), 1);
    assert_eq!(kept("Europe/Berlin"), 2);
}

#[test]
fn a_failed_night_never_evicts_a_complete_snapshot() {
    let mut sets = vec![complete("2026-06-01T02:00:00Z"), complete("2026-06-02T02:00:00Z")];
    sets.extend((3..20).map(|day| partial(&format!("2026-06-{day:02}T02:00:00Z"))));
    let said = said("last 2", &sets);
    assert_eq!(said[..2], ["last", "last"]);
    assert_eq!(said[2..17].iter().filter(|word| *word != "-").count(), 0);
    assert_eq!(said[17..], ["last", "last"]);
}

#[test]
fn a_partial_snapshot_goes_when_all_complete_ones_are_newer() {
    let sets = [
        partial("2026-05-01T02:00:00Z"),
        complete("2026-05-02T02:00:00Z"),
        complete("2026-06-01T02:00:00Z"),
        partial("2026-06-02T02:00:00Z"),
    ];
    assert_eq!(said("last 2", &sets), ["-", "last", "last", "last"]);
    assert_eq!(said("last 1", &sets), ["-", "-", "last", "last"]);
    assert_eq!(judge(&rules("last 9"), &sets, &at(NOW))[0], Verdict::Remove(OUTLIVED));
    assert_eq!(said("last 9", &sets[..1]), ["last"], "where nothing is complete it is the best there is");
}

#[test]
fn a_snapshot_from_the_future_pushes_out_no_other() {
    let sets = [complete("2026-06-01T02:00:00Z"), complete("2036-06-01T02:00:00Z"), complete("2026-06-02T02:00:00Z")];
    assert_eq!(said("last 1, yearly 1, within 30d", &sets), ["within 30d", "?", "last,yearly,within 30d"]);
}

#[test]
fn a_snapshot_without_a_date_is_left_alone() {
    let sets = [Candidate { started: None, ..complete(NOW) }, complete("2026-06-02T02:00:00Z")];
    assert_eq!(said("last 1", &sets), ["?", "last"]);
}

/// Which were dated so, and which was there when each began.
fn chain(dates: &[(&str, Option<usize>)]) -> Vec<Candidate> {
    let date = |parent: usize| dates.get(parent).map(|(date, _)| at(date));
    dates.iter().map(|(own, parent)| Candidate { parent: parent.and_then(date), ..complete(own) }).collect()
}

fn why(keep: &str, snapshots: &[Candidate], index: usize) -> Verdict {
    judge(&rules(keep), snapshots, &at(NOW)).swap_remove(index)
}

#[test]
fn a_snapshot_of_2099_evicts_none_and_proves_nothing_of_those_that_came_after_it() {
    let sets = chain(&[
        ("2026-06-01T02:00:00Z", None),
        ("2099-01-01T00:00:00Z", Some(0)),
        ("2026-06-03T02:00:00Z", Some(1)),
        ("2026-06-04T02:00:00Z", Some(1)),
    ]);
    assert_eq!(said("last 2", &sets), ["-", "?", "last", "last"]);
    assert_eq!(why("last 2", &sets, 1), Verdict::Uncounted(FUTURE));
    assert_eq!(said("within 3d", &sets), ["-", "?", "within 3d", "within 3d"]);
}

#[test]
fn a_date_is_believed_up_to_an_hour_ahead() {
    let sets = dates(&["2026-06-30T11:00:00Z", "2026-06-30T13:00:00Z", "2026-06-30T13:00:01Z"]);
    assert_eq!(said("last 1", &sets), ["-", "last", "?"]);
}

#[test]
fn where_the_clock_was_set_back_the_newest_snapshot_is_not_the_one_that_goes() {
    let sets = chain(&[
        ("2026-06-01T02:00:00Z", None),
        ("2026-06-02T02:00:00Z", Some(0)),
        ("2020-01-01T00:00:00Z", Some(1)),
        ("2020-01-02T00:00:00Z", Some(1)),
    ]);
    assert_eq!(said("last 1", &sets), ["-", "last", "?", "?"]);
    assert_eq!(why("last 1", &sets, 3), Verdict::Uncounted(BEFORE_PARENT));
    // A second is enough: the order is known.
    let sets = chain(&[("2026-06-01T02:00:00Z", None), ("2026-06-01T01:59:59Z", Some(0))]);
    assert_eq!(said("last 1", &sets), ["last", "?"]);
    // Once the clock is right again it goes on as ever.
    let mut sets = chain(&[
        ("2026-06-02T02:00:00Z", None),
        ("2020-01-01T00:00:00Z", Some(0)),
        ("2026-06-03T02:00:00Z", Some(0)),
        ("2026-06-04T02:00:00Z", Some(2)),
    ]);
    assert_eq!(said("last 2", &sets), ["-", "?", "last", "last"]);
    // Nothing is known against it any more: its parent is gone.
    sets.remove(0);
    sets.iter_mut().for_each(|set| set.parent = None);
    assert_eq!(said("last 2", &sets), ["-", "last", "last"]);
}

#[test]
fn a_date_in_the_future_that_has_come_takes_no_younger_snapshot_with_it() {
    // Made first, dated ahead; now that its time has come, all that were made since are dated before it.
    let mut sets = chain(&[
        ("2026-05-01T00:00:00Z", None),
        ("2026-06-29T00:00:00Z", Some(0)),
        ("2026-05-02T00:00:00Z", Some(1)),
        ("2026-05-03T00:00:00Z", Some(1)),
    ]);
    assert_eq!(said("last 1", &sets), ["-", "last", "?", "?"]);
    // It goes as soon as one is really newer.
    sets.push(Candidate { parent: sets[1].started.clone(), ..complete("2026-06-30T00:00:00Z") });
    assert_eq!(said("last 1", &sets), ["-", "-", "?", "?", "last"]);
}

#[test]
fn a_parent_that_is_nowhere_or_has_no_date_proves_nothing() {
    let mut sets = chain(&[("2026-06-01T02:00:00Z", Some(7)), ("2026-06-02T02:00:00Z", None)]);
    sets.push(Candidate { started: None, ..complete(NOW) });
    assert_eq!(said("last 1", &sets), ["-", "last", "?"]);
    assert_eq!(why("last 1", &sets, 2), Verdict::Uncounted(UNDATED));
}

/// The name of a bucket, cut out of the printed date.
fn name(unit: Unit, at: &Zoned) -> String {
    let text = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    match unit {
        Unit::Last => unreachable!("buckets of their own"),
        Unit::Hourly => text[..13].to_owned(),
        Unit::Daily => text[..10].to_owned(),
        Unit::Weekly => at.strftime("%G-%V").to_string(),
        Unit::Monthly => text[..7].to_owned(),
        Unit::Yearly => text[..4].to_owned(),
    }
}

/// Whether `rule` keeps `sets[one]`: by counting the buckets of all that are newer, for each snapshot anew.
fn kept_by(rule: Rule, sets: &[Zoned], one: usize) -> bool {
    let key = |index: usize| match rule.unit {
        Unit::Last => index.to_string(),
        unit => name(unit, &sets[index]),
    };
    let newer: Vec<usize> = (0..sets.len()).filter(|other| (&sets[*other], *other) > (&sets[one], one)).collect();
    let buckets: BTreeSet<String> = newer.iter().map(|other| key(*other)).collect();
    let in_reach = match rule.reach {
        Reach::Buckets(Count::Unlimited) => true,
        Reach::Buckets(Count::Of(count)) => buckets.len() < count as usize,
        Reach::Within(period) => {
            let latest = sets.iter().max().unwrap();
            period.before(latest).is_none_or(|start| sets[one] > start)
        }
    };
    let newest_of_its_bucket = !buckets.contains(&key(one));
    let oldest_of_all = newer.len() + 1 == sets.len();
    in_reach && (newest_of_its_bucket || oldest_of_all)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let unit = proptest::sample::select(Unit::ALL.to_vec());
    let count = prop_oneof![(0_u32..9).prop_map(Count::Of), Just(Count::Unlimited)].prop_map(Reach::Buckets);
    let periods = ["1h", "36h", "3d", "30d", "1m", "5m2d", "1y", "3y1m1d1h"];
    let within =
        proptest::sample::select(periods.to_vec()).prop_map(|text| Reach::Within(text.parse::<Period>().unwrap()));
    (unit, prop_oneof![count, within]).prop_map(|(unit, reach)| Rule { unit, reach })
}

/// Hours before [`NOW`]: some close together, some years apart; some in the future.
fn any_moments() -> impl Strategy<Value = Vec<(i64, bool)>> {
    let hours = prop_oneof![0_i64..72, 0_i64..2000, 0_i64..40_000, -100_i64..0];
    proptest::collection::vec((hours, any::<bool>()), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_walk_keeps_what_the_oracle_keeps(
        rules in proptest::collection::vec(any_rule(), 0..4),
        moments in any_moments(),
        zone in proptest::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
    ) {
        let now = zoned(NOW, zone);
        let keep = Keep::new(rules.iter().copied());
        let sets: Vec<Candidate> = moments
            .iter()
            .map(|(hours, complete)| Candidate {
                started: Some(&now - hours.hours()),
                complete: *complete,
                parent: None,
            })
            .collect();
        let verdicts = judge(&keep, &sets, &now);
        let lane = |complete: bool| -> Vec<(usize, Zoned)> {
            let own = moments.iter().zip(&sets).enumerate();
            let own = own.filter(|(_, ((hours, is), _))| *is == complete && *hours >= -1);
            own.map(|(index, (_, set))| (index, set.started.clone().unwrap())).collect()
        };
        let keeps = |lane: &[(usize, Zoned)]| -> Vec<usize> {
            let moments: Vec<Zoned> = lane.iter().map(|(_, at)| at.clone()).collect();
            let by_any = |place: &usize| rules.iter().any(|rule| kept_by(*rule, &moments, *place));
            (0..lane.len()).filter(by_any).map(|place| lane[place].0).collect()
        };
        let whole = keeps(&lane(true));
        let oldest = whole.iter().map(|index| &sets[*index].started).min();
        let mut expected: BTreeSet<usize> =
            keeps(&lane(false)).into_iter().filter(|index| oldest.is_none_or(|oldest| sets[*index].started >= *oldest)).collect();
        expected.extend(&whole);
        let kept: BTreeSet<usize> =
            (0..sets.len()).filter(|index| matches!(verdicts[*index], Verdict::Keep(_))).collect();
        prop_assert_eq!(kept, expected);
        for (verdict, (hours, _)) in verdicts.iter().zip(&moments) {
            // An hour ahead is believed.
            prop_assert_eq!(*verdict == Verdict::Uncounted(FUTURE), *hours < -1);
        }
    }
}
