//! `strongroom plugin build`: plugin crates in, components out.
//!
//! A crate is compiled for `wasm32-unknown-unknown` and wrapped by wit-component, which finds the contract in a
//! custom section that the bindings left. All plugins of a workspace share one cargo call and one target directory.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use self::{crates::Guest, toolchain::Toolchain};
use crate::{digest::Digest, report::list::Built};

mod crates;
mod tell;
mod toolchain;

/// Builds the plugin crate in each of `dirs` and writes `<out>/<name>.wasm`. A directory that holds a library but no
/// plugin (no `cdylib`) is passed over; `progress` is told of it, and of what cargo says.
///
/// # Errors
/// When a directory holds no crate, none of them is a plugin, no toolchain is there, or a crate does not compile or
/// is no plugin of this contract.
pub fn build(dirs: &[PathBuf], out: &Path, progress: &mut dyn FnMut(&str)) -> Result<Vec<Built>> {
    let guests = find(dirs, progress)?;
    let toolchain = Toolchain::choose(progress)?;
    fs::create_dir_all(out).with_context(|| format!("making the directory {}", out.display()))?;
    for (workspace, guests) in by_workspace(&guests) {
        crates::compile(workspace, &guests, &toolchain, progress)?;
    }
    guests.iter().map(|guest| finish(guest, out)).collect()
}

fn find(dirs: &[PathBuf], progress: &mut dyn FnMut(&str)) -> Result<Vec<Guest>> {
    let mut guests: Vec<Guest> = Vec::new();
    for dir in dirs {
        match Guest::find(dir)? {
            Some(guest) if guests.iter().any(|other| other.name == guest.name) => {
                bail!("two of these plugins would be {}.wasm: build them into different directories", guest.name)
            }
            Some(guest) => guests.push(guest),
            None => progress(&format!("{} is passed over: its crate-type has no \"cdylib\"", dir.display())),
        }
    }
    if guests.is_empty() {
        bail!(
            "no plugin to build: a plugin crate has `crate-type = [\"cdylib\", \"rlib\"]` in the [lib] of its Cargo.toml"
        );
    }
    Ok(guests)
}

fn by_workspace(guests: &[Guest]) -> BTreeMap<&Path, Vec<&Guest>> {
    let mut all: BTreeMap<&Path, Vec<&Guest>> = BTreeMap::new();
    for guest in guests {
        all.entry(&guest.workspace).or_default().push(guest);
    }
    all
}

fn finish(guest: &Guest, out: &Path) -> Result<Built> {
    let module = guest.module();
    let core = fs::read(&module).with_context(|| format!("reading what cargo made, {}", module.display()))?;
    let component = wrap(&core).with_context(|| format!("wrapping {} into a component", guest.package))?;
    let path = out.join(format!("{}.wasm", guest.name));
    place(&path, &component).with_context(|| format!("writing {}", path.display()))?;
    Ok(Built {
        name: guest.name.clone(),
        size: component.len() as u64,
        sha256: Digest::of(&component),
        imports: interfaces(&component)?.0,
        path,
    })
}

/// A core module as a component, checked.
fn wrap(core: &[u8]) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default().validate(true).module(core)?.encode()?;
    if interfaces(&component)?.1.is_empty() {
        bail!("it exports nothing: name the plugin's type in `plugin!(Type)`");
    }
    Ok(component)
}

/// The names of the interfaces that a component imports, and of those that it exports.
fn interfaces(component: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let names = |keys: Vec<_>| keys.into_iter().map(|key| resolve.name_world_key(key)).collect();
    Ok((names(world.imports.keys().collect()), names(world.exports.keys().collect())))
}

/// Readers see the old component or the new one, never half of one.
fn place(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut draft = tempfile::Builder::new().permissions(permissions).tempfile_in(directory)?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn a_library_that_is_no_plugin_is_passed_over_and_named() {
        let mut told = Vec::new();
        let dirs = [here("plugins/kit"), here("plugins/files")];
        let guests = find(&dirs, &mut |line| told.push(line.to_owned())).unwrap();
        let names: Vec<_> = guests.iter().map(|guest| guest.name.as_str()).collect();
        assert_eq!(names, ["files"]);
        assert!(told.len() == 1 && told[0].contains("plugins/kit"), "{told:?}");
    }

    #[test]
    fn plugins_of_one_workspace_share_one_call_and_one_target_directory() {
        let dirs = [here("plugins/files"), here("examples/hello-plugin")];
        let guests = find(&dirs, &mut |_| {}).unwrap();
        assert_eq!(by_workspace(&guests).len(), 1);
        assert_eq!(guests[0].module().parent(), guests[1].module().parent());
    }

    #[test]
    fn two_plugins_cannot_become_one_file() {
        let error = find(&[here("plugins/files"), here("plugins/../plugins/files")], &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("files.wasm"), "{error}");
    }

    #[test]
    fn a_directory_without_a_crate_is_named() {
        let error = find(&[here("wit")], &mut |_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("wit"), "{error:#}");
    }

    #[test]
    fn what_is_no_core_module_does_not_become_a_component() {
        assert!(wrap(b"not wasm").is_err());
        let empty = [0, b'a', b's', b'm', 1, 0, 0, 0];
        let error = wrap(&empty).unwrap_err();
        assert!(error.to_string().contains("plugin!"), "{error}");
    }

    #[test]
    fn a_component_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wasm");
        place(&path, b"old").unwrap();
        place(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
