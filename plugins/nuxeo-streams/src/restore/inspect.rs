//! Looks at a snapshot and at the brokers, and says what a restore would do and what is in its way.

use std::collections::BTreeSet;

use strongroom_plugin::{ErrorCode, Finding, Inspection, Part, Result, Stage, archive, context};

use super::{origin, records, target::Target};
use crate::{
    broker::{self, Broker},
    describe::grant,
    inspect::{part, records_part, setting},
    settings::Settings,
};

/// What a restore would do.
///
/// # Errors
/// When the snapshot cannot be read, or the brokers do not answer.
pub fn inspect() -> Result<Inspection> {
    let settings = Settings::read()?;
    let mut seen = Inspection::of([]);
    if settings.target_prefix.is_none() {
        let message = "set target-prefix: the prefix under which the streams are restored, such as \"nx2-\"";
        return Ok(seen.finding(Finding::blocker("target-prefix-missing", part::FENCE, message)));
    }
    let target = Target::read(&settings)?;
    seen.findings.extend(target.names());
    for name in archive::parts()? {
        seen.parts.extend(one(&name, &target, &mut seen.findings)?);
    }
    seen = seen
        .fact("new prefix", target.renaming.main())
        .fact("records", if settings.replicate { "of the topics that are still there" } else { "of the snapshot" })
        .fact("cut", format!("{} ms since 1970", target.fence.cut.at));
    if !broker::has_login(&settings) {
        look(&target, &mut seen)?;
    }
    Ok(seen)
}

fn one(name: &str, target: &Target, findings: &mut Vec<Finding>) -> Result<Option<Part>> {
    let part = match name {
        part::FENCE => Part::new(name, Stage::Fence).summary("whether the new prefix is free"),
        part::POSITIONS => Part::new(name, Stage::Positions).summary("whether every group has its offsets"),
        part::SCHEMAS if context::grants().find("http", grant::REGISTRY).is_none() => {
            let message =
                "the snapshot holds schemas of a registry, and none is granted: they are not compared with one";
            findings.push(Finding::info("schema-missing", name, message));
            return Ok(None);
        }
        part::SCHEMAS => {
            let part = Part::new(name, Stage::Records).summary("whether the schema registry has what records name");
            return Ok(Some(part.uses(format!("http.{}", grant::REGISTRY))));
        }
        part::RECORDS => Part::new(name, Stage::Records).summary("all topics, under their new names"),
        name => {
            let Some(topic) = target.fence.topics.keys().find(|topic| records_part(topic) == name) else {
                return Ok(None);
            };
            let new = target.renaming.rename(topic).unwrap_or_default();
            Part::new(name, Stage::Records).set(setting::TOPIC, topic).summary(format!("{topic} as {new}"))
        }
    };
    if part.stage == Stage::Records && !target.settings.replicate {
        let topics: Vec<&String> = match part.setting(setting::TOPIC) {
            Some(topic) => target.fence.topics.keys().filter(|name| *name == topic).collect(),
            None => target.fence.topics.keys().collect(),
        };
        for topic in topics {
            let fenced = target.fence.topics.get(topic);
            if let Some(fenced) = fenced
                && !records::has_records(name, topic, fenced)?
            {
                let message =
                    "the snapshot has not all of its records: restore with replicate = true while the topic is there";
                findings.push(Finding::blocker("no-records", topic, message));
            }
        }
    }
    let part = part.uses(format!("tcp.{}", grant::KAFKA));
    Ok(Some(match target.settings.replicate && part.stage == Stage::Records {
        true if origin::service() != grant::KAFKA => part.uses(format!("tcp.{}", origin::service())),
        _ => part,
    }))
}

/// What the brokers say. They are asked again by the parts: here, where nothing is known of an attempt before, a topic
/// that is there may be its own.
fn look(target: &Target, seen: &mut Inspection) -> Result<()> {
    let mut broker = match broker::connect(grant::KAFKA, &target.settings) {
        Ok(broker) => broker,
        // The host says which grant is missing.
        Err(error) if error.code == ErrorCode::Denied => return Ok(()),
        Err(error) => return Err(error),
    };
    let topics: BTreeSet<String> = broker.topics()?.into_keys().collect();
    seen.findings.extend(target.conflicts(&broker.cluster(), &topics, &broker.groups()?));
    for topic in target.topics().intersection(&topics) {
        let message =
            format!("{topic} is there already: it is left alone unless an interrupted attempt of this restore made it");
        seen.findings.push(Finding::warning("topic-exists", topic, message));
    }
    seen.facts.push(("cluster".into(), format!("{} ({} brokers)", broker.cluster(), broker.brokers())));
    Ok(())
}
