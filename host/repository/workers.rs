//! Threads that share one piece of work: as many as there are cores or connections, or as many as the system gives.

use std::thread::{Builder, Scope};

use super::{Error, cores};

/// Starts them. Fewer than wanted do the same work, only later.
///
/// # Errors
/// When the system gives not even one.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl Fn() + Copy + Send + 'scope,
) -> Result<(), Error> {
    start_many(scope, cores(), work)
}

/// The same with as many as are `wanted`: those that wait for a server need no core.
pub(super) fn start_many<'scope>(
    scope: &'scope Scope<'scope, '_>,
    wanted: usize,
    work: impl Fn() + Copy + Send + 'scope,
) -> Result<(), Error> {
    start_with(wanted, || Builder::new().spawn_scoped(scope, work).map(drop))
}

fn start_with(wanted: usize, mut one: impl FnMut() -> std::io::Result<()>) -> Result<(), Error> {
    for started in 0..wanted {
        match one() {
            Err(cause) if started == 0 => return Err(Error::io("starting a thread")(cause)),
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it when the system gives `count` threads.
    fn given(mut count: usize) -> Result<(), Error> {
        start_with(4, || {
            let given = count > 0;
            count = count.saturating_sub(1);
            if given { Ok(()) } else { Err(std::io::ErrorKind::WouldBlock.into()) }
        })
    }

    #[test]
    fn fewer_threads_do_and_none_is_an_error() {
        given(4).unwrap();
        given(1).unwrap();
        assert!(given(0).unwrap_err().to_string().contains("starting a thread"));
    }
}
