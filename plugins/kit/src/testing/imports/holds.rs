//! Holds that are only kept: the script releases none.

use crate::{
    bindings::strongroom::plugin::{
        holds::Scope,
        types::{Error, ErrorCode},
    },
    testing::{State, fail, state},
};

pub(crate) fn take(name: &str, data: &[u8], _seconds_max: u32, _scope: Scope) -> Result<(), Error> {
    state(|state| {
        if find(state, name).is_ok() {
            return Err(fail(ErrorCode::Exists, format!("the hold {name:?} stands already")));
        }
        state.holds.push((name.to_owned(), data.to_vec()));
        Ok(())
    })
}

pub(crate) fn renew(name: &str, _seconds_max: u32) -> Result<(), Error> {
    state(|state| find(state, name).map(drop))
}

pub(crate) fn dropped(name: &str) -> Result<(), Error> {
    state(|state| find(state, name).map(|at| drop(state.holds.remove(at))))
}

fn find(state: &State, name: &str) -> Result<usize, Error> {
    let at = state.holds.iter().position(|(held, _)| held == name);
    at.ok_or_else(|| fail(ErrorCode::NotFound, format!("no hold {name:?} stands")))
}
