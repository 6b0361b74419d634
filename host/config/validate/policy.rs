//! `[policy]`: what is kept of older snapshots, and when the rest is removed.

use crate::config::{
    Forget, Policy,
    keep::{COUNT_MAX, Count, Keep, Reach, Rule, Unit},
    reader::{Reader, Table, Value},
    schema,
};

pub(super) fn read(reader: &mut Reader, root: &Table) -> Option<Policy> {
    let Some(value) = root.get("policy") else { return Some(Policy::default()) };
    let table = reader.table(&value, schema::POLICY)?;
    let forget = table.get("forget").map_or(Some(Forget::default()), |value| {
        reader.choice(&value, &[("when-asked", Forget::WhenAsked), ("after-complete", Forget::AfterComplete)])
    });
    let keep = table.get("keep").map_or_else(|| Some(Keep::default()), |value| keep(reader, &value));
    let policy = Policy { forget: forget?, keep: keep? };
    if policy.forget == Forget::AfterComplete && policy.keep.is_nothing() {
        let message = "`policy.forget` would remove snapshots, and no rule says which are kept";
        reader.problem(value.key_span, message, "add a rule, such as [policy.keep] with daily = 7");
        return None;
    }
    Some(policy)
}

fn keep(reader: &mut Reader, value: &Value) -> Option<Keep> {
    let table = reader.table(value, schema::KEEP)?;
    let mut rules = Vec::new();
    for unit in Unit::ALL {
        if let Some(value) = table.get(unit.word()) {
            rules.push(count(reader, &value).map(|count| Rule { unit, reach: Reach::Buckets(count) }));
        }
        if let Some(value) = table.get(unit.within_word()) {
            rules.push(parsed(reader, &value).map(|period| Rule { unit, reach: Reach::Within(period) }));
        }
    }
    rules.into_iter().collect::<Option<Vec<_>>>().map(Keep::new)
}

fn count(reader: &mut Reader, value: &Value) -> Option<Count> {
    if value.value.is_integer() {
        let count = reader.integer(value, 0..=i64::from(COUNT_MAX))?;
        return u32::try_from(count).ok().map(Count::Of);
    }
    parsed(reader, value)
}

fn parsed<T: std::str::FromStr<Err = String>>(reader: &mut Reader, value: &Value) -> Option<T> {
    let parsed = reader.text(value)?.parse();
    parsed.map_err(|why: String| reader.problem(value.span.clone(), format!("`{}`: {why}", value.key), "")).ok()
}
