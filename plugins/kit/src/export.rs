//! The bridge from the component's exports to a [`Plugin`]. Only `plugin!` names it.

use std::{marker::PhantomData, sync::Once};

use crate::{
    Description, Inspection, Level, Outcome, Part, Pass, Plugin, Purpose,
    bindings::{
        exports::strongroom::plugin::{about, product},
        strongroom::plugin::types,
    },
    log,
};

/// What the component exports.
pub struct Exported<P>(PhantomData<P>);

/// An instance with its last words arranged: a panic becomes a log line before it becomes a trap.
fn fresh<P: Plugin>() -> P {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::emit(Level::Error, &panic.to_string(), &[])));
    });
    P::default()
}

impl<P: Plugin> about::Guest for Exported<P> {
    fn describe() -> Description {
        P::describe()
    }
}

impl<P: Plugin> product::Guest for Exported<P> {
    fn inspect(purpose: Purpose) -> Result<Inspection, types::Error> {
        Ok(fresh::<P>().inspect(purpose)?)
    }

    fn backup(part: Part, pass: Pass) -> Result<Outcome, types::Error> {
        Ok(fresh::<P>().backup(&part, pass)?)
    }

    fn restore(part: Part) -> Result<Outcome, types::Error> {
        Ok(fresh::<P>().restore(&part)?)
    }

    fn verify(part: Part) -> Result<Outcome, types::Error> {
        Ok(fresh::<P>().verify(&part)?)
    }

    fn probe(part: Part) -> Result<Outcome, types::Error> {
        Ok(fresh::<P>().probe(&part)?)
    }

    fn release(hold: String, data: Vec<u8>) -> Result<(), types::Error> {
        Ok(fresh::<P>().release(&hold, &data)?)
    }
}
