//! Which compiler builds components: rustup's target, or Debian's source of the standard library.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};

use super::tell;

/// What guests are compiled for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, whose standard library can be compiled from [`DEBIAN_LIBRARY`].
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// What `rust-web-src` (or `rust-src`) installs.
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";

/// How long rustup may take to fetch the target.
const RUSTUP_TIME: Duration = Duration::from_secs(120);

/// A way to compile for [`TARGET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// `rustc` has the target's standard library.
    Installed,
    /// Debian's compiler builds the standard library as well.
    Debian {
        /// A linker for WebAssembly.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The first that is there, or that rustup can fetch.
    ///
    /// # Errors
    /// When there is none: says what to install.
    pub(super) fn choose(progress: &mut dyn FnMut(&str)) -> Result<Self> {
        if installed() || fetched(progress) {
            return Ok(Self::Installed);
        }
        if let Some(linker) = debian() {
            progress("compiling with /usr/bin/rustc and its own source of the standard library");
            return Ok(Self::Debian { linker });
        }
        bail!(
            "no compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian and Ubuntu \
             `apt-get install rustc-web rust-web-src lld`"
        )
    }

    /// Adds to a cargo call what this way needs.
    pub(super) fn apply(&self, cargo: &mut Command) {
        if let Self::Debian { linker } = self {
            cargo.args(["-Z", "build-std=std,panic_abort", "--ignore-rust-version"]);
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo.env_remove("LD_LIBRARY_PATH");
        }
    }
}

fn installed() -> bool {
    said("rustc", &["--print", "target-libdir", "--target", TARGET]).is_some_and(|path| path.is_dir())
}

fn fetched(progress: &mut dyn FnMut(&str)) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    tell::run(&mut rustup, RUSTUP_TIME, progress).is_ok() && installed()
}

fn debian() -> Option<PathBuf> {
    let complete = Path::new(DEBIAN_RUSTC).is_file() && Path::new(DEBIAN_LIBRARY).is_dir();
    complete.then(linker).flatten()
}

/// rustup's toolchains bring a linker for WebAssembly; Debian has one in `lld`.
fn linker() -> Option<PathBuf> {
    let own = said("rustc", &["--print", "target-libdir"]).and_then(|lib| Some(lib.parent()?.join("bin/rust-lld")));
    own.into_iter().chain([PathBuf::from("/usr/bin/wasm-ld")]).find(|linker| linker.is_file())
}

/// The path that a program prints.
fn said(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(line.trim()))
}
