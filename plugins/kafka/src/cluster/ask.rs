//! Which broker a request goes to, and when it is repeated.

use std::{fmt, time::Duration};

use strongroom_plugin::{Error as Cause, context};

use super::{Cluster, Options};
use crate::{Error, Result, connection::Connection};

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To<'a> {
    /// Any broker.
    Any,
    /// The one that changes topics.
    Controller,
    /// The one that a partition is read from and written to.
    Leader(&'a str, i32),
    /// The one that keeps a group's offsets.
    Coordinator(&'a str),
    /// That one.
    Broker(i32),
}

/// Whether a request whose answer was lost may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It changes nothing, or the same once more.
    Harmless,
    /// It would be done twice.
    Harmful,
}

/// How long to wait before repetition `tried`, counted from 0.
pub(super) fn pause(options: &Options, tried: u32) -> Duration {
    options.backoff.saturating_mul(1 << tried.min(16)).min(options.backoff_max)
}

impl Cluster {
    /// Asks the right broker; again, after a wait and another look at the metadata, as long as that may help.
    pub(super) fn ask<T>(
        &mut self,
        to: To,
        again: Again,
        doing: impl fmt::Display,
        mut once: impl FnMut(&mut Connection, &Self) -> Result<T>,
    ) -> Result<T> {
        let mut tried = 0;
        loop {
            let error = match self.ask_once(to, again, &mut once) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if tried == self.options.retries || !error.may_pass(again == Again::Harmless) {
                return Err(error.context(doing));
            }
            context::sleep(pause(&self.options, tried))?;
            tried += 1;
            self.forget();
        }
    }

    fn ask_once<T>(
        &mut self,
        to: To,
        again: Again,
        once: impl FnOnce(&mut Connection, &Self) -> Result<T>,
    ) -> Result<T> {
        let endpoint = self.endpoint(to)?;
        if again == Again::Harmful {
            // One that stood idle may be closed already, and one that fails then cannot be told from a lost answer.
            self.connections.remove(&endpoint);
        }
        self.talk(&endpoint, once)
    }

    /// Talks to one broker. The connection is kept only when its last answer was read to where it should be.
    pub(super) fn talk<T>(
        &mut self,
        endpoint: &str,
        talk: impl FnOnce(&mut Connection, &Self) -> Result<T>,
    ) -> Result<T> {
        let mut connection = self.take(endpoint)?;
        let told = talk(&mut connection, self);
        self.keep(endpoint, connection, told)
    }

    /// The connection to a broker, until it is kept again.
    pub(super) fn take(&mut self, endpoint: &str) -> Result<Connection> {
        match self.connections.remove(endpoint) {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.service, endpoint, &self.login, &self.options)
                .map_err(|error| error.context(format!("connecting to {endpoint} (tcp {:?})", self.grant))),
        }
    }

    /// Keeps a connection on which that was told.
    pub(super) fn keep<T>(&mut self, endpoint: &str, connection: Connection, told: Result<T>) -> Result<T> {
        let in_step = match &told {
            Ok(_) => true,
            Err(error) => error.fault().is_some(),
        };
        if in_step {
            self.connections.insert(endpoint.to_owned(), connection);
        }
        told.map_err(|error| error.context(format!("asking {endpoint}")))
    }

    /// Looks again who belongs to the cluster.
    pub(super) fn refresh(&mut self) -> Result<()> {
        self.stale = true;
        self.ask(To::Any, Again::Harmless, "looking for brokers", |_, _| Ok(()))
    }

    /// Nothing that was known of leaders, coordinators and brokers is believed any more.
    pub(super) fn forget(&mut self) {
        self.stale = true;
        self.leaders.clear();
        self.coordinators.clear();
    }

    pub(super) fn endpoint(&mut self, to: To) -> Result<String> {
        if self.stale {
            self.look()?;
        }
        let id = match to {
            To::Any => return self.any_endpoint(),
            To::Controller if self.controller < 0 => return self.any_endpoint(),
            To::Controller => self.controller,
            To::Leader(topic, partition) => self.leader(topic, partition)?,
            To::Coordinator(group) => self.coordinator(group)?,
            To::Broker(id) => id,
        };
        let broker = self.brokers.iter().find(|broker| broker.id == id);
        broker.map(|broker| broker.endpoint.clone()).ok_or_else(|| nobody(format!("broker {id} is not up")))
    }

    pub(super) fn any_endpoint(&self) -> Result<String> {
        let known = self.connections.keys().chain(self.brokers.iter().map(|broker| &broker.endpoint)).next();
        known.cloned().ok_or_else(|| nobody("no broker is up".to_owned()))
    }
}

/// Nobody can be asked; that may pass.
fn nobody(why: String) -> Error {
    Error::lost(Cause::unavailable(why), false)
}
