//! `secrets`: the one place where a plugin gets a secret's value.

use crate::{
    diagnostic::causes,
    sandbox::{
        bindings::{Answer, fail, host::secrets},
        fault::Code,
        operation::Capability,
        state::State,
    },
};

impl secrets::Host for State {
    async fn reveal(&mut self, grant: String) -> Answer<String> {
        self.enter(Capability::Secrets)?;
        let Some(source) = self.session.grants.secrets.get(&grant).cloned() else {
            return Err(self.not_granted(Capability::Secrets, &grant, "file = \"/etc/strongroom/SECRET\""));
        };
        self.announced(Capability::Secrets, &grant)?;
        let secret = self
            .blocking("reading a secret", move || source.resolve())
            .await?
            .map_err(|error| fail(Code::Unavailable, causes(&error)))?;
        self.mask.add(secret.expose());
        self.session.ledger.revealed(&grant);
        Ok(secret.expose().to_owned())
    }
}
