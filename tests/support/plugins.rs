//! The components that tests use, built once a test process by the program under test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::{root, shared};

/// Every plugin crate of the tree.
const CRATES: [&str; 7] = [
    "plugins/files",
    "plugins/confluence",
    "plugins/nuxeo",
    "plugins/nuxeo-streams",
    "plugins/elasticsearch-audit",
    "examples/hello-plugin",
    "tests/guests/scripted",
];

/// The directory with `files.wasm`, `confluence.wasm` and so on, `scripted.wasm` among them. The first call builds
/// them; tests that need the host only should not make it.
///
/// # Panics
/// When they cannot be built.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(build) {
        Ok(path) => path,
        Err(why) => panic!("building the plugins: {why}"),
    }
}

/// One of the built components.
pub fn component(name: &str) -> PathBuf {
    built().join(format!("{name}.wasm"))
}

fn build() -> Result<PathBuf, String> {
    let out = shared("plugins");
    let program = env!("CARGO_BIN_EXE_strongroom");
    let command = Command::new(program)
        .args(["plugin", "build"])
        .args(CRATES)
        .arg("--out")
        .arg(&out)
        .current_dir(root())
        .output()
        .map_err(|error| format!("starting {program}: {error}"))?;
    match command.status.success() {
        true => Ok(out),
        false => Err(String::from_utf8_lossy(&command.stderr).into_owned()),
    }
}
