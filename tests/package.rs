//! The kit stands alone: hello-plugin, copied out of the tree, is built against the packed kit and backs something up.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Done, Going, Place, root, tree::Tree};

/// Runs a command of the toolchain, which needs the tester's environment.
fn toolchain(command: &mut Command) -> Done {
    // Guests that were compiled for other tests need not be compiled again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the target directory");
    command.env("CARGO_TARGET_DIR", target);
    let command = std::mem::replace(command, Command::new("true"));
    Going::start(command).finish_within(std::time::Duration::from_secs(600)).exits(0)
}

/// The kit as it would be published, unpacked.
fn packed_kit(place: &Place) -> PathBuf {
    let mut package = Command::new(env!("CARGO"));
    package.args(["package", "-p", "strongroom-plugin", "--no-verify", "--allow-dirty", "--offline"]);
    toolchain(package.current_dir(root()));
    let name = format!("strongroom-plugin-{}", env!("CARGO_PKG_VERSION"));
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the target directory").join("package");
    toolchain(Command::new("tar").arg("-xzf").arg(packages.join(format!("{name}.crate"))).arg("-C").arg(place.path()));
    place.join(name)
}

/// Copies the example as its first lines say, under a name of its own.
fn copied_plugin(place: &Place, kit: &Path) -> PathBuf {
    let plugin = place.join("greeter");
    toolchain(Command::new("cp").arg("-r").arg(root().join("examples/hello-plugin")).arg(&plugin));
    let manifest = fs::read_to_string(plugin.join("Cargo.toml")).unwrap();
    let own = manifest
        .replace("name = \"hello-plugin\"", "name = \"greeter\"")
        .replace("\"../../plugins/kit\"", &format!("{:?}", kit.display().to_string()));
    assert!(own.contains("greeter") && !own.contains("../"), "the example has changed: {own}");
    fs::write(plugin.join("Cargo.toml"), own).unwrap();
    // The same versions: nothing has to be looked up.
    fs::copy(root().join("Cargo.lock"), plugin.join("Cargo.lock")).unwrap();
    plugin
}

#[test]
fn the_example_builds_out_of_the_tree_against_the_packed_kit_and_runs() {
    let place = Place::new();
    let plugin = copied_plugin(&place, &packed_kit(&place));
    let mut build = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    build.args(["plugin", "build"]).arg(&plugin).arg("--out").arg(place.join("plugins"));
    toolchain(&mut build).says("greeter").says("strongroom:plugin/");
    place.run(&["plugin", "inspect", "plugins/greeter.wasm"]).exits(0).says("strongroom:plugin/snapshot").says("needs");

    Tree::at(place.join("repository"));
    place.write("strongroom.toml", GREETER);
    place.accept();
    place.run(&["plan"]).exits(0).says("step hello: hello 0.1.0");
    place.run(&["backup"]).exits(0).says("complete");
    place.run(&["ls"]).exits(0).says("hello/");
    place.run(&["verify"]).exits(0);
}

const GREETER: &str = r#"
[pipeline]
name = "greetings"

[repository.local]
url = "repository"
format = "zip"

[step.hello]
plugin = "greeter"
"#;
