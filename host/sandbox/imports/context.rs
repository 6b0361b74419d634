//! `context`: what this run is, what was configured, and what is kept from call to call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    sandbox::{
        bindings::{
            Answer, fail,
            host::{context, types::Timestamp},
        },
        ledger::Refusal,
        operation::{Capability, Operation},
        state::State,
    },
    snapshot::record::{Instant, InstantKind},
};

/// Most bytes of `random`.
const RANDOM_BYTES_MAX: u32 = 1 << 16;

impl context::Host for State {
    fn current(&mut self) -> wasmtime::Result<context::Run> {
        self.enter_or_trap(Capability::Context)?;
        Ok(context::Run {
            id: self.session.run.clone(),
            operation: self.operation.into(),
            started: timestamp(self.session.started),
            step: self.session.step.clone(),
            attributes: self.session.attributes.clone(),
        })
    }

    fn config(&mut self) -> wasmtime::Result<String> {
        self.enter_or_trap(Capability::Context)?;
        Ok(self.session.config.to_string())
    }

    fn grants(&mut self) -> wasmtime::Result<Vec<context::Granted>> {
        self.enter_or_trap(Capability::Context)?;
        Ok(granted(&self.session.grants))
    }

    fn instants(&mut self) -> wasmtime::Result<Vec<context::Fixed>> {
        self.enter_or_trap(Capability::Context)?;
        let fixed = self.session.ledger.instants().into_iter();
        Ok(fixed
            .map(|fixed| context::Fixed { step: fixed.step, part: fixed.part, instant: fixed.instant.into() })
            .collect())
    }

    fn note(&mut self, step: String, key: String) -> Answer<Option<String>> {
        self.enter(Capability::Context)?;
        Ok(self.session.ledger.note(&step, &key)?)
    }

    fn set_note(&mut self, key: String, value: String) -> Answer<()> {
        self.enter(Capability::Context)?;
        let (key, value) = (self.mask.apply(key), self.mask.apply(value));
        Ok(self.session.ledger.set_note(&key, &value)?)
    }

    async fn checkpoint(&mut self, value: Vec<u8>) -> Answer<()> {
        self.enter(Capability::Context)?;
        let ledger = self.session.ledger.clone();
        Ok(self.blocking("keeping a checkpoint", move || ledger.checkpoint(&value)).await??)
    }

    fn last_checkpoint(&mut self) -> wasmtime::Result<Option<Vec<u8>>> {
        self.enter_or_trap(Capability::Context)?;
        Ok(self.session.ledger.last_checkpoint())
    }

    fn state(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.enter(Capability::Context)?;
        Ok(self.session.ledger.state(&key)?)
    }

    fn set_state(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        self.enter(Capability::Context)?;
        Ok(self.session.ledger.set_state(&key, &value)?)
    }

    fn now(&mut self) -> wasmtime::Result<Timestamp> {
        self.enter_or_trap(Capability::Context)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Timestamp { seconds: now.as_secs() as i64, nanoseconds: now.subsec_nanos() })
    }

    fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter_or_trap(Capability::Context)?;
        let mut bytes = vec![0; length.min(RANDOM_BYTES_MAX) as usize];
        wasmtime_wasi::random::thread_rng().fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn canceled(&mut self) -> wasmtime::Result<bool> {
        self.enter_or_trap(Capability::Context)?;
        Ok(self.session.stop.is_cancelled())
    }

    async fn sleep(&mut self, milliseconds: u64) -> Answer<()> {
        self.enter(Capability::Context)?;
        let sleep = tokio::time::sleep(Duration::from_millis(milliseconds));
        self.watch.waited(None, sleep).await.map_err(|stalled| self.stalled(stalled, "sleeping"))
    }
}

fn granted(grants: &crate::config::Grants) -> Vec<context::Granted> {
    let entry = |capability: &str, name: &String, display: String| context::Granted {
        capability: capability.to_owned(),
        name: name.clone(),
        display,
    };
    let dirs = grants.dirs.iter().map(|(name, grant)| {
        let access = match grant.access {
            crate::config::Access::Read => "read",
            crate::config::Access::Write => "write",
        };
        entry("dirs", name, format!("{}, {access}", grant.path.display()))
    });
    let sql = grants
        .sql
        .iter()
        .map(|(name, grant)| entry("sql", name, format!("{}:{}/{}", grant.host, grant.port, grant.database)));
    let http = grants.http.iter().map(|(name, grant)| entry("http", name, grant.url()));
    let tcp = grants.tcp.iter().map(|(name, grant)| {
        let endpoints: Vec<_> = grant.endpoints.iter().map(ToString::to_string).collect();
        entry("tcp", name, endpoints.join(", "))
    });
    let tools = grants.tools.iter().map(|(name, grant)| entry("tools", name, program(grant)));
    let secrets = grants.secrets.iter().map(|(name, source)| entry("secrets", name, source.to_string()));
    dirs.chain(sql).chain(http).chain(tcp).chain(tools).chain(secrets).collect()
}

fn program(grant: &crate::config::ToolGrant) -> String {
    let pieces = grant.argv.first().map(|template| template.0.as_slice()).unwrap_or_default();
    let words = pieces.iter().filter_map(|piece| match piece {
        crate::config::Piece::Literal(text) => Some(text.as_str()),
        _ => None,
    });
    words.collect()
}

/// Seconds and nanoseconds since 1970, as WIT has them.
pub fn timestamp((seconds, nanoseconds): (i64, u32)) -> Timestamp {
    Timestamp { seconds, nanoseconds }
}

impl From<Operation> for context::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Describe | Operation::Inspect => Self::Inspect,
            Operation::Backup(_) => Self::Backup,
            Operation::Restore => Self::Restore,
            Operation::Verify => Self::Verify,
            Operation::Probe => Self::Probe,
            Operation::Release => Self::Release,
        }
    }
}

impl From<Instant> for context::Instant {
    fn from(instant: Instant) -> Self {
        Self {
            not_before: timestamp(instant.not_before),
            not_after: timestamp(instant.not_after),
            kind: match instant.kind {
                InstantKind::Start => context::InstantKind::Start,
                InstantKind::End => context::InstantKind::End,
                InstantKind::Exact => context::InstantKind::Exact,
                InstantKind::Stopped => context::InstantKind::Stopped,
            },
            clock: instant.clock,
            ahead_of_host_ms: instant.ahead_of_host_ms,
            attributes: instant.attributes,
        }
    }
}

impl From<context::Instant> for Instant {
    fn from(instant: context::Instant) -> Self {
        let pair = |at: Timestamp| (at.seconds, at.nanoseconds);
        Self {
            not_before: pair(instant.not_before),
            not_after: pair(instant.not_after),
            kind: match instant.kind {
                context::InstantKind::Start => InstantKind::Start,
                context::InstantKind::End => InstantKind::End,
                context::InstantKind::Exact => InstantKind::Exact,
                context::InstantKind::Stopped => InstantKind::Stopped,
            },
            clock: instant.clock,
            ahead_of_host_ms: instant.ahead_of_host_ms,
            attributes: instant.attributes,
        }
    }
}

impl From<Refusal> for crate::sandbox::bindings::Fail {
    fn from(refusal: Refusal) -> Self {
        fail(refusal.code(), refusal.to_string())
    }
}
