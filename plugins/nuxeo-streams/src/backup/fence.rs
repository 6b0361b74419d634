//! Where every stream ends, taken as soon as the databases have their instant, and how each topic is made.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_plugin::{Context, Finding, Outcome, Part, Result, context, log, snapshot};

use super::{note, noted};
use crate::{
    broker::{Broker, Edge, Shape},
    cut::{cut, millis},
    inspect::{self, listed, part, setting},
    inventory,
    prefix::Prefixes,
    settings::Settings,
    store::{self, FENCE, Fence, Fenced, Positions, VERSION},
};

pub(super) fn backup(broker: &mut impl Broker, plan: &Part, settings: &Settings) -> Result<Outcome> {
    let prefixes = inspect::prefixes(settings)?;
    let now = context::now();
    let mut shapes = broker.topics()?;
    shapes.retain(|_, shape| !shape.internal);
    let sorted = inventory::sort(&prefixes, &settings.skip_topics, shapes.keys());
    let mut topics = ends(broker, &shapes, &sorted.taken)?;
    for (topic, fenced) in &mut topics {
        describe(broker, topic, fenced).context(format!("asking how the topic {topic} is made"))?;
    }
    let instants = context::instants();
    let (cut, mut findings) = cut(&instants, now, settings.cut_slack, settings.late_records, part::FENCE);
    let steps = instants.iter().map(|fixed| fixed.step.clone()).collect();
    findings.extend(contradictions(&steps, &prefixes)?);
    if plan.setting(setting::TOPICS).is_none() {
        // With a log-in, nobody has looked at the topics before.
        findings.extend(inspect::findings(&sorted, &prefixes));
    }
    let fence = Fence {
        version: VERSION,
        cluster: broker.cluster(),
        taken: millis(now),
        cut,
        prefixes,
        records: settings.records,
        topics,
    };
    // Where they could not be had, that part has failed; the records are worth saving all the same.
    let positions: Positions = noted(note::POSITIONS).unwrap_or_default();
    findings.extend(gaps(&fence, &positions));
    let (expected, actual, more) = planned(plan, &fence);
    keep(&fence)?;
    // Not before the note is there: the records wait for nothing else.
    snapshot::settled()?;
    let summary = format!("{} topics, {} partitions", fence.topics.len(), partitions(&fence));
    let outcome = Outcome::new(summary).receipt("topics", expected, actual).findings(findings).findings(more);
    let outcome = outcome.fact("cluster", &fence.cluster).fact("cut", cut_in_words(&fence));
    Ok(lags(&fence, &positions).into_iter().fold(outcome, |outcome, (group, lag)| {
        outcome.fact(format!("still to read: {group}"), format!("{lag} offsets"))
    }))
}

/// How far each group is behind, where it is.
fn lags(fence: &Fence, positions: &Positions) -> BTreeMap<String, u64> {
    let mut lags = BTreeMap::<String, u64>::new();
    for (topic, fenced) in &fence.topics {
        for (partition, (_, end)) in &fenced.partitions {
            for (group, offset) in positions.of(topic, *partition).filter(|(_, offset)| offset < end) {
                let behind = u64::try_from(end.saturating_sub(offset)).unwrap_or_default();
                *lags.entry(group.to_owned()).or_default() += behind;
            }
        }
    }
    lags
}

fn partitions(fence: &Fence) -> usize {
    fence.topics.values().map(|fenced| fenced.partitions.len()).sum()
}

fn cut_in_words(fence: &Fence) -> String {
    let from = fence.cut.from.as_deref().unwrap_or("the fence");
    format!("{} ms since 1970, by {from}, {} ms of slack included", fence.cut.at, fence.cut.slack)
}

/// The ends of all partitions first: nothing that is not needed stands between the instant and them.
fn ends(
    broker: &mut impl Broker,
    shapes: &BTreeMap<String, Shape>,
    taken: &[String],
) -> Result<BTreeMap<String, Fenced>> {
    let mut topics = BTreeMap::new();
    for topic in taken {
        let Some(shape) = shapes.get(topic) else { continue };
        let doing = format!("asking where the topic {topic} ends");
        let ends = broker.offsets(topic, &shape.partitions, Edge::End).context(&doing)?;
        let starts = broker.offsets(topic, &shape.partitions, Edge::Start).context(&doing)?;
        let mut fenced = Fenced { replication: shape.replication, ..Fenced::default() };
        for (partition, end) in ends {
            // Retention may delete up to the end between the two questions.
            let start = starts.get(&partition).copied().unwrap_or(end).min(end);
            fenced.partitions.insert(partition, (start, end));
        }
        topics.insert(topic.clone(), fenced);
    }
    Ok(topics)
}

/// What is set for the topic itself, and what of the rest decides.
fn describe(broker: &mut impl Broker, topic: &str, fenced: &mut Fenced) -> Result<()> {
    for config in broker.configs(topic)? {
        let value = config.value.unwrap_or_default();
        match config.name.as_str() {
            "message.timestamp.type" => fenced.timestamp_type.clone_from(&value),
            "cleanup.policy" => fenced.compacted = value.split(',').any(|policy| policy.trim() == "compact"),
            _ => {}
        }
        if config.own {
            fenced.configs.insert(config.name, value);
        }
    }
    Ok(())
}

fn keep(fence: &Fence) -> Result<()> {
    log::debug(format!("{} partitions are fenced", partitions(fence)));
    snapshot::put_bytes(FENCE, store::to_json(fence)?.as_bytes())?;
    context::set_note(note::FENCE, &serde_json::to_string(fence)?)
}

/// Nuxeo's own step knows which prefix its configuration sets.
fn contradictions(steps: &BTreeSet<String>, prefixes: &Prefixes) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for step in steps {
        if let Some(prefix) = context::note_of(step, note::PREFIX)?.filter(|prefix| *prefix != prefixes.main) {
            let message = format!(
                "nuxeo.conf in step {step} says that kafka.topicPrefix is {prefix:?}, and the setting prefix says {:?}: \
                 other streams than this instance's would be saved",
                prefixes.main
            );
            findings.push(Finding::blocker("prefix-contradiction", part::FENCE, message));
        }
        let further = context::note_of(step, note::PREFIXES)?.unwrap_or_default();
        for prefix in note::listed(&further).filter(|prefix| !prefixes.own().any(|own| prefix.starts_with(own))) {
            let message =
                format!("step {step} names the prefix {prefix:?}, and its topics are not saved: add it to prefixes");
            findings.push(Finding::warning("prefix-unlisted", part::FENCE, message));
        }
    }
    Ok(findings)
}

/// What a group had not read yet and retention has deleted is lost already.
fn gaps(fence: &Fence, positions: &Positions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (topic, fenced) in &fence.topics {
        for (partition, (start, _)) in &fenced.partitions {
            for (group, offset) in positions.of(topic, *partition).filter(|(_, offset)| offset < start) {
                let message = format!(
                    "the group {group} had read up to {offset} of {topic}-{partition}, which begins at {start}: what lies \
                     between was deleted before it was read"
                );
                findings.push(Finding::warning("gap", format!("{topic}-{partition}"), message));
            }
        }
    }
    findings
}

/// Topics that came or went since the plan: a topic without a part is not in the set. The receipt counts the topics
/// that are there against those of them that have a part.
fn planned(plan: &Part, fence: &Fence) -> (u64, u64, Vec<Finding>) {
    let there = fence.topics.len() as u64;
    let Some(planned) = plan.setting(setting::TOPICS) else { return (there, there, Vec::new()) };
    let planned: BTreeSet<&str> = planned.lines().collect();
    let came: Vec<String> = fence.topics.keys().filter(|topic| !planned.contains(topic.as_str())).cloned().collect();
    let went = planned.into_iter().filter(|topic| !fence.topics.contains_key(*topic));
    let went: Vec<String> = went.map(str::to_owned).collect();
    let mut findings = Vec::new();
    if !came.is_empty() {
        let message = format!("these came after the plan was made and are not in the set: {}", listed(&came));
        findings.push(Finding::warning("topic-appeared", part::FENCE, message));
    }
    if !went.is_empty() {
        let message = format!("these went after the plan was made: {}", listed(&went));
        findings.push(Finding::warning("topic-vanished", part::FENCE, message));
    }
    (there, there - came.len() as u64, findings)
}
