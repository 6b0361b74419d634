//! Turns a file into a component: what is not one is refused by name, and what nobody trusts yet is compiled in a
//! child process with limits, since compiling can be made to take any time and memory.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::{Engine, component::Component};

use super::{engine, fault::Fault};

/// Largest component, in bytes.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// The hidden verb of the child.
pub const VERB: &str = "__compile";
/// The child's exit code when the component is not one for this host: its standard error says why.
pub const EXIT_UNFIT: i32 = 2;

const CHILD_CPU_SECONDS: u64 = 60;
const CHILD_MEMORY_BYTES: u64 = 4 << 30;
const CHILD_WALL: Duration = Duration::from_secs(120);
const CHILD_WORDS_BYTES_MAX: u64 = 4 << 10;

/// Compiles `wasm`, or finds it compiled.
///
/// # Errors
/// [`Fault::Unfit`] with a sentence when it is no component for this host.
pub fn compile(engine: &Engine, wasm: &[u8]) -> Result<Component, Fault> {
    check(wasm)?;
    Component::from_binary(engine, wasm).map_err(|error| Fault::Unfit(format!("this is no valid component: {error:#}")))
}

fn check(wasm: &[u8]) -> Result<(), Fault> {
    let unfit = |why: &str| Err(Fault::Unfit(why.to_owned()));
    if wasm.len() as u64 > COMPONENT_BYTES_MAX {
        return unfit("this file is larger than 64 MiB, the largest component that is taken");
    }
    if Engine::detect_precompiled(wasm).is_some() {
        return unfit("this file is precompiled native code, which is never run: ask for the .wasm component");
    }
    match wasm.get(..8) {
        Some(b"\0asm\x01\0\0\0") => {
            unfit("this file is a core WebAssembly module, not a component: build it with `strongroom plugin build`")
        }
        Some([0, b'a', b's', b'm', ..]) => Ok(()),
        _ => unfit("this file is not WebAssembly"),
    }
}

/// Reads a component file.
///
/// # Errors
/// When it cannot be read, or is larger than [`COMPONENT_BYTES_MAX`].
pub fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let reading = |error: std::io::Error| Fault::Host(format!("reading the component {}: {error}", path.display()));
    let mut wasm = Vec::new();
    File::open(path).map_err(reading)?.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut wasm).map_err(reading)?;
    Ok(wasm)
}

/// Compiles the file in a child of this program, into the cache, so that loading it afterwards compiles nothing.
/// Blocks until the child has ended, at most two minutes.
///
/// # Errors
/// [`Fault::Unfit`] when it is no component for this host, or needs more than the child's limits to compile.
pub fn in_child(wasm: &Path) -> Result<(), Fault> {
    let program = std::env::current_exe()
        .map_err(|error| Fault::Host(format!("finding this program to compile {} with: {error}", wasm.display())))?;
    // A runtime of its own: the caller may or may not be in one.
    std::thread::scope(|scope| {
        let child = std::thread::Builder::new().spawn_scoped(scope, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Fault::Host(format!("starting a runtime: {error}")))?;
            runtime.block_on(run_child(&program, wasm))
        });
        let child = child.map_err(|error| Fault::Host(format!("starting a thread for the compiler: {error}")))?;
        child.join().unwrap_or_else(|_| Err(Fault::Host("the thread that waits for the compiler broke".into())))
    })
}

async fn run_child(program: &Path, wasm: &Path) -> Result<(), Fault> {
    let failed = |error: std::io::Error| Fault::Host(format!("compiling {} in a child: {error}", wasm.display()));
    let mut child = tokio::process::Command::new(program)
        .arg(VERB)
        .arg(wasm)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let ended = tokio::time::timeout(CHILD_WALL, async {
        let mut words = String::new();
        if let Some(stderr) = child.stderr.take() {
            let mut stderr = tokio::io::AsyncReadExt::take(stderr, CHILD_WORDS_BYTES_MAX);
            // What it says is a help, its exit status is what counts.
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut words).await;
        }
        child.wait().await.map(|status| (status, words))
    });
    let Ok(ended) = ended.await else {
        return Err(Fault::Unfit(format!("compiling it took longer than {} seconds", CHILD_WALL.as_secs())));
    };
    let (status, words) = ended.map_err(failed)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(EXIT_UNFIT) => Err(Fault::Unfit(words.trim().to_owned())),
        _ => Err(Fault::Unfit(format!(
            "compiling it ended with {status}: it may need more than {CHILD_CPU_SECONDS} s of CPU time or {} GiB of memory, the most that it is given; {}",
            CHILD_MEMORY_BYTES >> 30,
            words.trim()
        ))),
    }
}

/// The child's whole work: limits itself, compiles the file into `cache`, and says on standard error why it could not.
/// Returns the exit code.
pub fn child_main(wasm: &Path, cache: Option<PathBuf>) -> i32 {
    match limit_self().and_then(|()| read(wasm)).and_then(|wasm| {
        let engine = engine::engine(cache.as_deref())?;
        super::fit(&engine::linker(&engine)?, &compile(&engine, &wasm)?).map(drop)
    }) {
        Ok(()) => 0,
        Err(fault) => {
            eprintln!("{fault}");
            if matches!(fault, Fault::Unfit(_)) { EXIT_UNFIT } else { 1 }
        }
    }
}

fn limit_self() -> Result<(), Fault> {
    die_with_the_parent()?;
    let limit = |resource, most| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|error| Fault::Host(format!("limiting the compiler: {error}")))
    };
    limit(Resource::Cpu, CHILD_CPU_SECONDS)?;
    limit(Resource::As, CHILD_MEMORY_BYTES)?;
    limit(Resource::Core, 0)
}

/// Whoever waits for the compiler may be killed: nobody would then end it before its own limits do.
#[cfg(target_os = "linux")]
fn die_with_the_parent() -> Result<(), Fault> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Fault::Host(format!("binding the compiler to its parent: {error}")))
}

#[cfg(not(target_os = "linux"))]
fn die_with_the_parent() -> Result<(), Fault> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(wasm: &[u8]) -> String {
        match compile(&engine::engine(None).unwrap(), wasm) {
            Err(Fault::Unfit(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("taken"),
        }
    }

    #[test]
    fn what_is_no_component_is_refused_by_name() {
        assert!(refusal(b"#!/bin/sh").contains("not WebAssembly"));
        assert!(refusal(b"\0asm\x01\0\0\0").contains("core WebAssembly module"));
        assert!(refusal(b"\0asm\x0d\0\x01\0garbage").contains("no valid component"));
    }

    #[test]
    fn native_code_is_never_taken() {
        let engine = engine::engine(None).unwrap();
        let native = engine.precompile_component(b"(component)").unwrap();
        assert!(refusal(&native).contains("native code"));
    }
}
