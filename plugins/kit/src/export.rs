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

/// A panic becomes a log line before it becomes a trap.
fn arrange_last_words() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::emit(Level::Error, &panic.to_string(), &[])));
    });
}

/// An instance, as each call gets it.
pub fn made<P: Plugin>() -> P {
    arrange_last_words();
    P::default()
}

impl<P: Plugin> about::Guest for Exported<P> {
    fn describe() -> Description {
        arrange_last_words();
        P::describe()
    }
}

impl<P: Plugin> product::Guest for Exported<P> {
    fn inspect(purpose: Purpose) -> Result<Inspection, types::Error> {
        Ok(made::<P>().inspect(purpose)?)
    }

    fn backup(part: Part, pass: Pass) -> Result<Outcome, types::Error> {
        Ok(made::<P>().backup(&part, pass)?)
    }

    fn restore(part: Part) -> Result<Outcome, types::Error> {
        Ok(made::<P>().restore(&part)?)
    }

    fn verify(part: Part) -> Result<Outcome, types::Error> {
        Ok(made::<P>().verify(&part)?)
    }

    fn probe(part: Part) -> Result<Outcome, types::Error> {
        Ok(made::<P>().probe(&part)?)
    }

    fn release(hold: String, data: Vec<u8>) -> Result<(), types::Error> {
        Ok(made::<P>().release(&hold, &data)?)
    }
}
