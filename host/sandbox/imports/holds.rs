//! `holds`: changes to the product that the host undoes when nobody else does.

use std::{sync::Arc, time::Duration};

use crate::sandbox::{
    bindings::{Answer, host::holds},
    ledger::{Ledger, Refusal, Scope},
    operation::Capability,
    state::State,
};

impl holds::Host for State {
    async fn take(&mut self, name: String, data: Vec<u8>, seconds_max: u32, scope: holds::Scope) -> Answer<()> {
        let scope = match scope {
            holds::Scope::Part => Scope::Part,
            holds::Scope::Run => Scope::Run,
        };
        self.journal(move |ledger| ledger.take_hold(&name, &data, seconds(seconds_max), scope)).await
    }

    async fn renew(&mut self, name: String, seconds_max: u32) -> Answer<()> {
        self.journal(move |ledger| ledger.renew_hold(&name, seconds(seconds_max))).await
    }

    async fn dropped(&mut self, name: String) -> Answer<()> {
        self.journal(move |ledger| ledger.drop_hold(&name)).await
    }
}

impl State {
    /// Changes the journal of holds, on a thread that may wait for the disk.
    async fn journal(
        &mut self,
        change: impl FnOnce(Arc<dyn Ledger>) -> Result<(), Refusal> + Send + 'static,
    ) -> Answer<()> {
        self.enter(Capability::Holds)?;
        let ledger = self.session.ledger.clone();
        Ok(self.blocking("writing the journal of holds", move || change(ledger)).await??)
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}
