//! Plugin crates as cargo knows them, and cargo's call.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    tell,
    toolchain::{TARGET, Toolchain},
};

/// How long cargo may take for one workspace: the standard library from source, on a slow machine.
const CARGO_TIME: Duration = Duration::from_secs(45 * 60);

/// A crate that becomes a component.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// The component's name.
    pub(super) name: String,
    /// The package's.
    pub(super) package: String,
    /// The file that cargo makes, without its ending.
    library: String,
    /// Where its workspace begins.
    pub(super) workspace: PathBuf,
    /// Where all guests of the workspace are built.
    target: PathBuf,
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl Guest {
    /// The plugin whose Cargo.toml is in `dir`; none where that crate is no plugin.
    ///
    /// # Errors
    /// When there is no crate, or cargo cannot read it.
    pub(super) fn find(dir: &Path) -> Result<Option<Self>> {
        let manifest = dir.join("Cargo.toml");
        let manifest = manifest.canonicalize().with_context(|| format!("looking for a crate in {}", dir.display()))?;
        let Metadata { packages, workspace_root, target_directory } = metadata(&manifest)?;
        let package = packages.into_iter().find(|package| package.manifest_path == manifest);
        let package = package.with_context(|| format!("{} describes no package", manifest.display()))?;
        let is_plugin = |target: &&Target| target.crate_types.iter().any(|kind| kind == "cdylib");
        Ok(package.targets.iter().find(is_plugin).map(|target| Self {
            name: package.name.strip_prefix("strongroom-").unwrap_or(&package.name).to_owned(),
            package: package.name.clone(),
            library: target.name.replace('-', "_"),
            workspace: workspace_root,
            target: target_directory.join("guests"),
        }))
    }

    /// The core module that cargo makes of it.
    pub(super) fn module(&self) -> PathBuf {
        self.target.join(TARGET).join("release").join(format!("{}.wasm", self.library))
    }
}

fn metadata(manifest: &Path) -> Result<Metadata> {
    let mut cargo = cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(manifest);
    let output = cargo.stdin(Stdio::null()).output().context("starting cargo: install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("cargo cannot read {}:\n{}", manifest.display(), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).context("reading what cargo metadata said")
}

/// Compiles all `guests` of one workspace in one call.
///
/// # Errors
/// When one does not compile: with the compiler's last words.
pub(super) fn compile(
    workspace: &Path,
    guests: &[&Guest],
    toolchain: &Toolchain,
    progress: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut cargo = cargo();
    cargo.current_dir(workspace).args(["build", "--release", "--lib", "--color=never", "--target", TARGET]);
    for guest in guests {
        cargo.args(["--package", &guest.package]);
    }
    if let Some(guest) = guests.first() {
        cargo.arg("--target-dir").arg(&guest.target);
    }
    toolchain.apply(&mut cargo);
    let names: Vec<_> = guests.iter().map(|guest| guest.package.as_str()).collect();
    tell::run(&mut cargo, CARGO_TIME, progress).with_context(|| format!("compiling {}", names.join(", ")))
}

/// What a guest is compiled with, whatever the workspace's profile says of native code.
const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
];

/// What every engine for components has had for years, and no compiler takes for granted: vectors of 16 bytes.
const FEATURES: (&str, &str) = ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C target-feature=+simd128");

/// What a native build around this one (a test, a wrapper, a cross build) has in its environment, and a guest must not.
const FOREIGN: [&str; 6] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOC"];

/// The same, by how they begin.
const FOREIGN_PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_PKG_", "CARGO_TARGET_WASM32"];

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if FOREIGN.contains(&&*text) || FOREIGN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    cargo.envs(PROFILE).envs([FEATURES]).env("CARGO_INCREMENTAL", "0");
    cargo
}
