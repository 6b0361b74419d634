//! The trait that a plugin implements, and its way out of the component.

use crate::{Description, Error, Inspection, Outcome, Part, Pass, Purpose, Result, tree};

/// Backup, restore and proof of one product. Each call comes in a fresh instance, made with `Default`.
///
/// `restore`, `verify` and `probe` have defaults for parts that are plain trees: a part is restored into the grant
/// of the same name.
///
/// ```
/// use strongroom_plugin::*;
///
/// #[derive(Default)]
/// struct Files;
/// plugin!(Files);
///
/// impl Plugin for Files {
///     fn describe() -> Description {
///         Description::new("files", "granted directories, as they are")
///             .needs(Need::dirs("source").many().because("what to back up"))
///     }
///     fn inspect(&self, _: Purpose) -> Result<Inspection> {
///         Ok(Inspection::of(context::grants().dirs().map(|dir| Part::new(dir.name, Stage::Files))))
///     }
///     fn backup(&self, part: &Part, _: Pass) -> Result<Outcome> {
///         tree::backup(part, &dirs::get(&part.name)?, &TreeOptions::default())
///     }
/// }
///
/// let host = testing::Host::new().files("source", &[("a/b.txt", "hello")]);
/// let part = Files.inspect(Purpose::Backup)?.parts.remove(0);
/// let outcome = Files.backup(&part, Pass::InStage)?;
/// assert_eq!(outcome.receipts[0].expected, outcome.receipts[0].actual);
/// assert_eq!(host.stored("a/b.txt").as_deref(), Some("hello".as_bytes()));
/// # Ok::<(), Error>(())
/// ```
pub trait Plugin: Default {
    /// What it is and what it needs. Called without any grant: it must not use the host's interfaces.
    fn describe() -> Description;

    /// Looks at the product, or for restore at the snapshot and the target, and changes nothing.
    ///
    /// # Errors
    /// Whatever kept it from looking; what it saw and does not like is a [`crate::Finding`].
    fn inspect(&self, purpose: Purpose) -> Result<Inspection>;

    /// Stores a part.
    ///
    /// # Errors
    /// Then the part has failed, and the snapshot is at best partial.
    fn backup(&self, part: &Part, pass: Pass) -> Result<Outcome>;

    /// Brings a part back.
    ///
    /// # Errors
    /// Then the part is not restored; repeated, it goes on or begins again.
    fn restore(&self, part: &Part) -> Result<Outcome> {
        tree::restore(part)
    }

    /// Checks a part of a snapshot; reaches nothing but the snapshot and offline tools.
    ///
    /// # Errors
    /// Then the part could not be checked.
    fn verify(&self, part: &Part) -> Result<Outcome> {
        tree::verify(part)
    }

    /// Asks a restored target whether it is what the snapshot promised.
    ///
    /// # Errors
    /// Then the target could not be asked.
    fn probe(&self, part: &Part) -> Result<Outcome> {
        tree::probe(part)
    }

    /// Undoes a hold (see [`crate::holds`]), in a fresh instance, with the grants and the configuration that it was
    /// taken with. It may come twice, or for a change that was never made: it must go well then too. Nothing of the run
    /// is there any more but `data`.
    ///
    /// # Errors
    /// Then the hold stays in the journal and is released again later.
    fn release(&self, hold: &str, _data: &[u8]) -> Result<()> {
        Err(Error::unsupported(format!("this plugin makes no holds, so it cannot release {hold:?}")))
    }
}

/// Makes a type that implements [`Plugin`] the component's plugin. Natively it does nothing, so that the plugin's
/// logic can be tested with the scripted host.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::export::Exported<$plugin>;
    $crate::bindings::export_plugin!(Exported with_types_in $crate::bindings);
        };
        // Natively nothing calls the plugin but its tests; it is not dead for all that.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $plugin = $crate::export::made::<$plugin>;
    };
}
