//! What the script says of the run, and what the plugin kept.

use crate::{
    Timestamp,
    bindings::strongroom::plugin::{
        context::{Fixed, Granted, Run},
        types::{Error, ErrorCode},
    },
    context::Operation,
    testing::{self, STEP, State, at, fail},
};

pub(crate) fn current() -> Run {
    testing::state(|state| Run {
        id: "0123456789abcdef".into(),
        operation: state.operation.unwrap_or(Operation::Backup),
        started: at(1_700_000_000),
        step: STEP.into(),
        attributes: state.attributes.clone(),
    })
}

pub(crate) fn config() -> String {
    testing::state(|state| state.config.clone().unwrap_or_else(|| "{}".into()))
}

pub(crate) fn grants() -> Vec<Granted> {
    testing::state(|state| {
        let dirs = state.dirs.iter().map(|(name, root)| {
            let access = if root.write { "write" } else { "read" };
            ("dirs", name, format!("{}, {access}", root.path.display()))
        });
        let tools = state.tools.keys().map(|name| ("tools", name, name.clone()));
        let http = state.web.keys().map(|name| ("http", name, format!("https://{name}.example")));
        let sql = state.databases.keys().map(|name| ("sql", name, location(state, name)));
        let tcp = state.services.iter().map(|(name, service)| {
            let endpoints: Vec<_> = service.iter().map(|(endpoint, _)| endpoint.as_str()).collect();
            ("tcp", name, endpoints.join(", "))
        });
        let secrets = state.secrets.keys().map(|name| ("secrets", name, name.clone()));
        dirs.chain(tools)
            .chain(sql)
            .chain(http)
            .chain(tcp)
            .chain(secrets)
            .map(|(kind, name, own)| granted(state, kind, name, own))
            .collect()
    })
}

fn location(state: &State, name: &str) -> String {
    let location = state.databases[name].location.clone();
    format!("postgresql://backup@{}", location.unwrap_or_else(|| format!("localhost:5432/{name}")))
}

fn granted(state: &State, capability: &str, name: &str, own: String) -> Granted {
    let display = state.displays.get(&(capability.to_owned(), name.to_owned())).cloned().unwrap_or(own);
    Granted { capability: capability.into(), name: name.into(), display }
}

pub(crate) fn instants() -> Vec<Fixed> {
    testing::state(|state| state.instants.clone())
}

pub(crate) fn note(step: &str, key: &str) -> Result<Option<String>, Error> {
    Ok(testing::state(|state| state.notes.get(&(step.to_owned(), key.to_owned())).cloned()))
}

pub(crate) fn set_note(key: &str, value: &str) -> Result<(), Error> {
    testing::state(|state| state.notes.insert((STEP.into(), key.into()), value.into()));
    Ok(())
}

pub(crate) fn checkpoint(value: &[u8]) -> Result<(), Error> {
    testing::state(|state| state.checkpoint = Some(value.to_vec()));
    Ok(())
}

pub(crate) fn last_checkpoint() -> Option<Vec<u8>> {
    testing::state(|state| state.checkpoint.clone())
}

pub(crate) fn state(key: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(testing::state(|state| state.kept.get(key).cloned()))
}

pub(crate) fn set_state(key: &str, value: &[u8]) -> Result<(), Error> {
    testing::state(|state| state.kept.insert(key.into(), value.to_vec()));
    Ok(())
}

pub(crate) fn now() -> Timestamp {
    at(1_700_000_001)
}

/// The same ones every time, so that a test can be repeated.
pub(crate) fn random(length: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(37) >> 1) as u8).collect()
}

pub(crate) fn canceled() -> bool {
    testing::state(|state| state.canceled)
}

/// No time passes, unless a real server is among the services.
pub(crate) fn sleep(milliseconds: u64) -> Result<(), Error> {
    if testing::state(|state| state.services.values().flatten().any(|(_, peer)| matches!(peer, testing::Peer::Live))) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
    match canceled() {
        true => Err(fail(ErrorCode::Canceled, "the run is to stop")),
        false => Ok(()),
    }
}
