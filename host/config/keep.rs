//! Which snapshots are kept: restic's `--keep-*` rules, by restic's names and with its meanings.

use std::{fmt, str::FromStr};

use jiff::{Span, Zoned};
use serde::{Serialize, Serializer};

/// How many snapshots, or days, or years, a rule may count.
pub const COUNT_MAX: u32 = 1_000_000;

/// What makes snapshots equal to a rule: it keeps the newest of each such bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Each snapshot is a bucket of its own.
    Last,
    /// Of each hour by the clock.
    Hourly,
    /// Of each day of the calendar.
    Daily,
    /// Of each week of ISO 8601: Monday to Sunday.
    Weekly,
    /// Of each month of the calendar.
    Monthly,
    /// Of each year of the calendar.
    Yearly,
}

impl Unit {
    /// All, finest first.
    pub const ALL: [Self; 6] = [Self::Last, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// restic's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    /// The key of its rule that goes by time.
    pub const fn within_word(self) -> &'static str {
        match self {
            Self::Last => "within",
            Self::Hourly => "within-hourly",
            Self::Daily => "within-daily",
            Self::Weekly => "within-weekly",
            Self::Monthly => "within-monthly",
            Self::Yearly => "within-yearly",
        }
    }
}

/// How many buckets a rule keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// As many as this; 0 is as good as no rule.
    Of(u32),
    /// `unlimited`: all of them.
    Unlimited,
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "unlimited" => Ok(Self::Unlimited),
            Ok(count) if count <= COUNT_MAX => Ok(Self::Of(count)),
            _ => Err(format!("expected a number up to {COUNT_MAX}, or `unlimited`")),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(count) => write!(f, "{count}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// A length of time by the calendar: `1y5m7d2h` is one year, five months, seven days and two hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    years: u16,
    months: u16,
    days: u16,
    hours: u16,
}

impl Period {
    /// That long before `at`; none where the calendar does not reach.
    pub fn before(self, at: &Zoned) -> Option<Zoned> {
        let span = Span::new().try_years(self.years).ok()?.try_months(self.months).ok()?;
        let span = span.try_days(self.days).ok()?.try_hours(self.hours).ok()?;
        at.checked_sub(span).ok()
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut period, mut rest) = (Self::default(), text);
        while !rest.is_empty() {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(|| no_period(text))?;
            let count: u16 = rest[..end].parse().map_err(|_| no_period(text))?;
            let field = match rest.as_bytes()[end] {
                b'y' => &mut period.years,
                b'm' => &mut period.months,
                b'd' => &mut period.days,
                b'h' => &mut period.hours,
                _ => return Err(no_period(text)),
            };
            if count == 0 || *field != 0 {
                return Err(no_period(text));
            }
            (*field, rest) = (count, &rest[end + 1..]);
        }
        if period == Self::default() { Err(no_period(text)) } else { Ok(period) }
    }
}

fn no_period(text: &str) -> String {
    let text: String = text.chars().take(40).collect();
    format!("{text:?} is no period: write years, months, days and hours like `1y5m7d2h`, each once and from 1 to 65535")
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        fields.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

/// One rule: the newest snapshot of each bucket, as far back as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What a bucket is.
    pub unit: Unit,
    /// How far back.
    pub reach: Reach,
}

/// How far back a rule reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over so many buckets that have a snapshot.
    Buckets(Count),
    /// Over this time before the latest snapshot.
    Within(Period),
}

impl Rule {
    /// `daily`, or `within-daily`.
    pub const fn key(self) -> &'static str {
        match self.reach {
            Reach::Buckets(_) => self.unit.word(),
            Reach::Within(_) => self.unit.within_word(),
        }
    }

    fn value(self) -> String {
        match self.reach {
            Reach::Buckets(count) => count.to_string(),
            Reach::Within(period) => period.to_string(),
        }
    }
}

/// `[policy.keep]`: a snapshot is kept when any rule keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep(Vec<Rule>);

impl Keep {
    /// These rules; counts of 0 are none.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(rules.into_iter().filter(|rule| rule.reach != Reach::Buckets(Count::Of(0))).collect())
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// Whether no rule keeps anything.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nothing() {
            return f.write_str("nothing");
        }
        let rules: Vec<_> = self.0.iter().map(|rule| format!("{} {}", rule.key(), rule.value())).collect();
        f.write_str(&rules.join(", "))
    }
}

/// Which of a pipeline's snapshots are judged together: restic's `--group-by`, with the words that ours have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// Those of each machine by themselves.
    pub host: bool,
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut group_by = Self::default();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            match word {
                "pipeline" => {}
                "host" => group_by.host = true,
                "paths" | "tags" => {
                    return Err(format!(
                        "{word:?} tells no two snapshots of a pipeline apart: write `host` or `pipeline`"
                    ));
                }
                _ => return Err(format!("{word:?} is no group: write `host`, `pipeline` or nothing")),
            }
        }
        Ok(group_by)
    }
}

/// An object from the key of each rule to its value as text.
impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|rule| (rule.key(), rule.value())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_years_months_days_and_hours() {
        for text in ["1y5m7d2h", "30d", "2y", "65535h"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("2h1y".parse::<Period>().unwrap().to_string(), "1y2h");
        for text in ["", "d", "7", "7w", "1d1d", "0d", "-1d", "70000d", "1 d", "7é", "1d "] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_period_goes_back_by_the_calendar() {
        let at: Zoned = "2024-03-31T12:00:00+00:00[UTC]".parse().unwrap();
        let before = |text: &str| text.parse::<Period>().unwrap().before(&at).map(|at| at.datetime().to_string());
        assert_eq!(before("1m").as_deref(), Some("2024-02-29T12:00:00"));
        assert_eq!(before("1y30d13h").as_deref(), Some("2023-02-28T23:00:00"));
        assert_eq!(before("65535y"), None);
    }

    #[test]
    fn groups_are_of_hosts_or_of_nothing_more_than_the_pipeline() {
        for (text, host) in [("", false), ("pipeline", false), ("host", true), ("host,pipeline", true)] {
            assert_eq!(text.parse(), Ok(GroupBy { host }), "{text}");
        }
        for text in ["paths", "tags", "hosts", ",", "host,"] {
            assert!(text.parse::<GroupBy>().is_err(), "{text}");
        }
    }

    #[test]
    fn counts_of_nothing_are_no_rules() {
        let rule = |unit, count: &str| Rule { unit, reach: Reach::Buckets(count.parse().unwrap()) };
        assert!(Keep::new([rule(Unit::Daily, "0")]).is_nothing());
        let keep = Keep::new([rule(Unit::Last, "0"), rule(Unit::Daily, "7"), rule(Unit::Yearly, "unlimited")]);
        assert_eq!(keep.to_string(), "daily 7, yearly unlimited");
        assert_eq!(serde_json::to_string(&keep).unwrap(), r#"{"daily":"7","yearly":"unlimited"}"#);
        assert!("1000001".parse::<Count>().is_err() && "-1".parse::<Count>().is_err());
    }
}
