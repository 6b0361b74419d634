//! Looks at the brokers for a backup: which streams there are, and what becomes a part.

use strongroom_plugin::{Error, ErrorCode, Finding, Inspection, Part, Result, Stage, context};
use twox_hash::xxhash3_128::Hasher;

use crate::{
    backup::note,
    broker::{self, Broker},
    describe::grant,
    inventory::{self, Inventory},
    prefix::Prefixes,
    settings::{Records, Settings},
};

/// Names of parts.
pub mod part {
    /// What the groups have committed.
    pub const POSITIONS: &str = "positions";
    /// Where every stream ends.
    pub const FENCE: &str = "fence";
    /// The records of all topics, or of one: then this, `-` and the topic's name.
    pub const RECORDS: &str = "records";
    /// What a Schema Registry holds.
    pub const SCHEMAS: &str = "schemas";
}

/// Keys of part settings.
pub mod setting {
    /// The topic of a part of records; without it the part has all.
    pub const TOPIC: &str = "topic";
    /// Of the fence: the topics that parts were made for, one a line; without it there is one part for all.
    pub const TOPICS: &str = "topics";
}

/// The longest topic that stands in a part's name as it is: names of files are made of them.
const TOPIC_BYTES_MAX: usize = 80;

/// The part of a topic's records. A long name is cut, and told apart by a hash.
pub fn records_part(topic: &str) -> String {
    match topic.get(..TOPIC_BYTES_MAX) {
        Some(beginning) if topic.len() > TOPIC_BYTES_MAX => {
            format!("{}-{beginning}-{:032x}", part::RECORDS, Hasher::oneshot(topic.as_bytes()))
        }
        _ => format!("{}-{topic}", part::RECORDS),
    }
}

/// Whose topics are saved: as the operator says, or the step that saves Nuxeo itself.
///
/// # Errors
/// `invalid` when neither has said it, `denied` when that step is not named in `after`.
pub fn prefixes(settings: &Settings) -> Result<Prefixes> {
    let (mut further, others) = (settings.prefixes.clone(), settings.other_prefixes.clone());
    let main = match (&settings.prefix, &settings.nuxeo_step) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(step)) => {
            let silent = || Error::invalid(format!("step {step} has not said what kafka.topicPrefix is: set prefix"));
            let main = context::note_of(step, note::PREFIX)?.ok_or_else(silent)?;
            let all = context::note_of(step, note::PREFIXES)?.unwrap_or_default();
            // What begins with the main one is found by it.
            further.extend(note::listed(&all).filter(|one| !one.starts_with(&main)).map(str::to_owned));
            main
        }
        (None, None) => {
            let message = "the setting prefix is missing: it is kafka.topicPrefix of nuxeo.conf";
            return Err(Error::invalid(message));
        }
    };
    Ok(Prefixes { main, further, others })
}

/// What a backup would do.
///
/// # Errors
/// When the brokers do not answer.
pub fn inspect() -> Result<Inspection> {
    let settings = Settings::read()?;
    let mut seen = Inspection::of([]);
    if settings.prefix.is_none() && settings.nuxeo_step.is_some() {
        // A step says it when it runs.
        seen = seen.fact("topics", "known when the prefix is: one part for all");
        return Ok(whole(seen));
    }
    let prefixes = match prefixes(&settings) {
        Ok(prefixes) => prefixes,
        Err(error) => return Ok(seen.finding(Finding::blocker("prefix-missing", part::RECORDS, error.message))),
    };
    if broker::has_login(&settings) {
        seen = seen.fact("topics", "known when the run has logged in: one part for all");
        return Ok(whole(seen));
    }
    match broker::connect(grant::KAFKA, &settings) {
        Ok(mut broker) => look(&mut broker, &settings, &prefixes, seen),
        Err(error) if error.code == ErrorCode::Denied => {
            // The host says which grant is missing; what the parts are does not depend on it.
            let finding = Finding::blocker("brokers-refuse", part::RECORDS, error.message);
            Ok(whole(seen).finding(finding))
        }
        Err(error) => Err(error),
    }
}

fn uses(part: Part) -> Part {
    part.uses(format!("tcp.{}", grant::KAFKA))
}

/// The parts that do not depend on what topics there are.
fn frame(mut seen: Inspection, fence: Part) -> Inspection {
    let positions = Part::new(part::POSITIONS, Stage::Positions).summary("what the consumer groups have committed");
    if context::grants().find("http", grant::REGISTRY).is_some() {
        // Records of the cut may name the newest of them.
        let schemas = Part::new(part::SCHEMAS, Stage::Records).summary("what the schema registry holds");
        seen = seen.part(schemas.uses(format!("http.{}", grant::REGISTRY)));
    }
    seen.part(uses(positions)).part(uses(fence.summary("where every stream ends, and how its topic is made")))
}

/// One part for the records of all topics.
fn whole(seen: Inspection) -> Inspection {
    let records = Part::new(part::RECORDS, Stage::Records).summary("the records of all streams");
    frame(seen, Part::new(part::FENCE, Stage::Fence)).part(uses(records))
}

pub(crate) fn look(
    broker: &mut impl Broker,
    settings: &Settings,
    prefixes: &Prefixes,
    seen: Inspection,
) -> Result<Inspection> {
    let mut topics = broker.topics()?;
    topics.retain(|_, shape| !shape.internal);
    let sorted = inventory::sort(prefixes, &settings.skip_topics, topics.keys());
    let groups = inventory::sort(prefixes, &settings.skip_groups, broker.groups()?);
    let fence = Part::new(part::FENCE, Stage::Fence).set(setting::TOPICS, sorted.taken.join("\n"));
    let mut seen = frame(seen, fence)
        .fact("cluster", format!("{} ({} brokers)", broker.cluster(), broker.brokers()))
        .fact("topics", sorted.taken.len().to_string())
        .fact("groups", groups.taken.len().to_string());
    for topic in &sorted.taken {
        let partitions = topics.get(topic).map_or(0, |shape| shape.partitions.len());
        let summary = match settings.records {
            Records::All => format!("all records of {topic}, {partitions} partitions"),
            Records::Pending => format!("records of {topic} that a group has still to read, {partitions} partitions"),
            Records::None => format!("no records of {topic}, {partitions} partitions: a restore replicates them"),
        };
        let part = Part::new(records_part(topic), Stage::Records).set(setting::TOPIC, topic).summary(summary);
        seen = seen.part(uses(part));
    }
    seen.findings.extend(findings(&sorted, prefixes));
    Ok(seen)
}

/// What is to be said of the topics that are there.
pub fn findings(sorted: &Inventory, prefixes: &Prefixes) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sorted.taken.is_empty() {
        let message = format!("no topic begins with {:?}: compare prefix with kafka.topicPrefix", prefixes.main);
        findings.push(Finding::warning("no-topics", part::RECORDS, message));
    }
    if !sorted.skipped.is_empty() {
        let message = format!("not saved, for a restored Nuxeo makes them anew: {}", listed(&sorted.skipped));
        findings.push(Finding::info("streams-skipped", part::RECORDS, message));
    }
    if !sorted.foreign.is_empty() {
        let message = format!("not touched, for they belong to another application: {}", listed(&sorted.foreign));
        findings.push(Finding::info("other-prefix", part::RECORDS, message));
    }
    for prefix in &sorted.suspected {
        let message = format!(
            "another instance seems to use the prefix {prefix:?}, and its topics are saved as if they were this one's: \
             name it in other-prefixes"
        );
        findings.push(Finding::warning("prefix-suspected", prefix, message));
    }
    findings
}

/// The first of them.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests;
