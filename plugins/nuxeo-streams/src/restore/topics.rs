//! Topics that this restore makes: written down before they are made, so that the next attempt removes what an
//! interrupted one left, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Context, Error, Result, context, log};

use crate::{
    broker::{Broker, Edge},
    store::Fenced,
};

use super::configs;

/// How often a topic is looked for that is being deleted, a second apart.
const GONE_TRIES: u32 = 60;
const GONE_PAUSE: Duration = Duration::from_secs(1);

/// How far a topic has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// It was not there, and is about to be made.
    Making,
    /// It was made by this restore.
    Made,
}

/// The part's checkpoint.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Made(BTreeMap<String, Step>);

impl Made {
    /// Removes what an interrupted attempt of this part made. `own` are the topics that the part has to make.
    ///
    /// # Errors
    /// `exists` where it cannot be sure that it was this one, `invalid` where the attempt had another prefix: parts that
    /// had ended well are not begun again, so some topics would be under one prefix and some under the other. What the
    /// brokers say.
    pub fn undo(broker: &mut impl Broker, own: &BTreeSet<String>) -> Result<Self> {
        let Some(checkpoint) = context::last_checkpoint() else { return Ok(Self::default()) };
        let made: Self = serde_json::from_slice(&checkpoint).context("reading the part's checkpoint")?;
        if let Some(other) = made.0.keys().find(|topic| !own.contains(*topic)) {
            let message = format!(
                "this restore was begun under other names ({other}): set target-prefix back to what it was, and let it end \
                 before the snapshot is restored under another one"
            );
            return Err(Error::invalid(message));
        }
        let there = broker.topics()?;
        for (topic, step) in made.0.iter().filter(|(topic, _)| there.contains_key(*topic)) {
            if *step == Step::Making && !is_empty(broker, topic)? {
                return Err(somebody_elses(topic));
            }
            log::info(format!("removing {topic}, which an interrupted attempt of this restore made"));
            remove(broker, topic)?;
        }
        let undone = Self::default();
        undone.keep()?;
        Ok(undone)
    }

    fn keep(&self) -> Result<()> {
        context::checkpoint(&serde_json::to_vec(self)?)
    }

    /// Makes a topic as it was, with what loading needs.
    ///
    /// # Errors
    /// `exists`; what the brokers say.
    pub fn make(&mut self, broker: &mut impl Broker, topic: &str, as_was: &Fenced, replication: i16) -> Result<()> {
        if broker.topics()?.contains_key(topic) {
            return Err(somebody_elses(topic));
        }
        self.0.insert(topic.to_owned(), Step::Making);
        self.keep()?;
        // Numbers may have holes only where a broker lied; the largest counts.
        let partitions = as_was.partitions.keys().max().map_or(0, |last| last.saturating_add(1));
        broker
            .create(topic, partitions, replication, &configs::while_loading(&as_was.configs))
            .context(format!("making the topic {topic} with {partitions} partitions"))?;
        self.0.insert(topic.to_owned(), Step::Made);
        self.keep()
    }
}

fn somebody_elses(topic: &str) -> Error {
    Error::exists(format!(
        "the topic {topic} is there already, and this restore has not made it: choose another target-prefix, or remove it"
    ))
}

fn is_empty(broker: &mut impl Broker, topic: &str) -> Result<bool> {
    let partitions = broker.topics()?.remove(topic).map(|shape| shape.partitions).unwrap_or_default();
    let starts = broker.offsets(topic, &partitions, Edge::Start)?;
    Ok(broker.offsets(topic, &partitions, Edge::End)? == starts)
}

fn remove(broker: &mut impl Broker, topic: &str) -> Result<()> {
    match broker.delete(topic) {
        Err(error) if !error.is_not_found() => return Err(error.context(format!("removing the topic {topic}"))),
        _ => {}
    }
    for _ in 0..GONE_TRIES {
        if !broker.topics()?.contains_key(topic) {
            return Ok(());
        }
        context::sleep(GONE_PAUSE)?;
    }
    Err(Error::unavailable(format!("the topic {topic} was removed, and is still listed after a minute")).retryable())
}
