//! Changes to the product that the host undoes when nobody else does.
//!
//! Take the hold first, then make the change: the host has it in its journal before [`take`] returns. At the end of its
//! scope, at its deadline, or after a crash, the host calls [`crate::Plugin::release`] with what the hold was given.

use std::time::Duration;

pub use crate::bindings::strongroom::plugin::holds::Scope;
use crate::{Result, host::holds as host};

/// A hold that stands. Letting go of this value changes nothing: the host releases the hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    name: String,
}

/// Takes a hold. `data` is all that the release will get; no secret belongs into it. After `time` (whole seconds, at
/// most a day) it is released and the part fails.
///
/// ```
/// use std::time::Duration;
/// use strongroom_plugin::{dirs, holds::{self, Scope}, testing::Host};
///
/// let host = Host::new().target("product", &[]);
/// let maintenance = holds::take("maintenance", b"maintenance.flag", Duration::from_secs(600), Scope::Part)?;
/// dirs::get("product")?.write_bytes("maintenance.flag", b"", None)?;
/// assert_eq!(host.holds(), [("maintenance".to_owned(), b"maintenance.flag".to_vec())]);
///
/// dirs::get("product")?.remove("maintenance.flag")?;
/// maintenance.dropped()?;
/// assert!(host.holds().is_empty());
/// # Ok::<(), strongroom_plugin::Error>(())
/// ```
///
/// # Errors
/// `exists` when the step has a hold of that name that stands, `limit` when it has too many or `data` is too long.
pub fn take(name: &str, data: &[u8], time: Duration, scope: Scope) -> Result<Hold> {
    host::take(name, data, seconds(time), scope)?;
    Ok(Hold { name: name.to_owned() })
}

/// Moves the deadline of one of this step's holds to `time` from now.
///
/// # Errors
/// `not-found` when it stands no more.
pub fn renew(name: &str, time: Duration) -> Result<()> {
    Ok(host::renew(name, seconds(time))?)
}

/// The plugin has undone it itself: it will not be released.
///
/// # Errors
/// `not-found` when it stands no more.
pub fn dropped(name: &str) -> Result<()> {
    Ok(host::dropped(name)?)
}

impl Hold {
    /// Moves its deadline to `time` from now.
    ///
    /// # Errors
    /// As [`renew`].
    pub fn renew(&self, time: Duration) -> Result<()> {
        renew(&self.name, time)
    }

    /// The plugin has undone it itself: it will not be released.
    ///
    /// # Errors
    /// As [`dropped`].
    pub fn dropped(self) -> Result<()> {
        dropped(&self.name)
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
