//! The wasmtime engine with its settings, the linker with everything that a plugin may import, and the clock that
//! interrupts guests.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use wasmtime::{
    Cache, CacheConfig, Config, Engine,
    component::{HasSelf, Linker},
};

use super::{bindings::Plugin as World, fault::Fault, state::State};

/// How often a guest that computes is looked at.
const TICK: Duration = Duration::from_millis(10);
const WASM_STACK_BYTES: usize = 512 << 10;
const FIBER_STACK_BYTES: usize = 2 << 20;

/// Builds an engine that keeps compiled code in `cache`; none: it compiles anew each time.
///
/// # Errors
/// When the cache directory cannot be used, or this machine cannot run WebAssembly.
pub fn engine(cache: Option<&Path>) -> Result<Engine, Fault> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // Halves the cost of a host call; to be turned on with the first asynchronous world.
    config.concurrency_support(false);
    // Shared memories would escape the memory limit.
    config.wasm_threads(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK_BYTES);
    config.async_stack_size(FIBER_STACK_BYTES);
    if let Some(directory) = cache {
        let mut settings = CacheConfig::new();
        settings.with_directory(directory);
        let opened = Cache::new(settings);
        config.cache(Some(opened.map_err(broken(format!("opening the cache of compiled plugins {directory:?}")))?));
    }
    Engine::new(&config).map_err(broken("starting the WebAssembly engine"))
}

/// Everything in the contract, and an empty WASI 0.2 for what language runtimes import.
///
/// # Errors
/// Never, unless the contract and WASI clash.
pub fn linker(engine: &Engine) -> Result<Linker<State>, Fault> {
    let mut linker = Linker::new(engine);
    World::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(broken("linking the contract"))?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(broken("linking WASI"))?;
    Ok(linker)
}

fn broken(doing: impl Into<String>) -> impl FnOnce(wasmtime::Error) -> Fault {
    let doing = doing.into();
    move |error| Fault::Host(format!("{doing}: {error:#}"))
}

/// Advances the engine's epoch until it is dropped.
pub struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    /// Starts it.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(engine: &Engine) -> Result<Self, Fault> {
        let (stop, engine) = (Arc::new(AtomicBool::new(false)), engine.weak());
        let stopped = stop.clone();
        let tick = move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        std::thread::Builder::new()
            .name("epoch".into())
            .spawn(tick)
            .map_err(|error| Fault::Host(format!("starting the thread that interrupts plugins: {error}")))?;
        Ok(Self { stop })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Where compiled plugins are kept: code that runs as this user, so nobody else may write there. None when no such
/// place can be had; then everything works, only slower.
pub fn cache_directory() -> Option<PathBuf> {
    let directory = wanted_cache()?;
    std::fs::create_dir_all(directory.parent()?).ok()?;
    make_private(&directory)?;
    is_private(&directory).then_some(directory)
}

/// How the place for compiled plugins is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachePlace {
    /// Only this user can write there: it is used.
    Private(PathBuf),
    /// It will be made.
    NotThere(PathBuf),
    /// Somebody else could write there, or it is no directory: it is not used.
    Unsafe(PathBuf),
    /// The environment names none.
    None,
}

/// Looks at that place and makes nothing.
pub fn cache_place() -> CachePlace {
    match wanted_cache() {
        Some(directory) if is_private(&directory) => CachePlace::Private(directory),
        Some(directory) if std::fs::symlink_metadata(&directory).is_err() => CachePlace::NotThere(directory),
        Some(directory) => CachePlace::Unsafe(directory),
        None => CachePlace::None,
    }
}

fn wanted_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(given) = set("CACHE_DIRECTORY") {
        return Some(given);
    }
    if rustix::process::geteuid().is_root() {
        return Some("/var/cache/strongroom".into());
    }
    Some(set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?.join("strongroom"))
}

fn make_private(directory: &Path) -> Option<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => None,
        _ => Some(()),
    }
}

fn is_private(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(directory).is_ok_and(|metadata| {
        metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_that_others_may_write_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("cache");
        make_private(&directory).unwrap();
        assert!(is_private(&directory));
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_private(&directory));
        std::os::unix::fs::symlink(&directory, place.path().join("link")).unwrap();
        assert!(!is_private(&place.path().join("link")));
    }
}
