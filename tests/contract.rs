//! The contract as it was released: what is there now keeps its word, and a component that was built from it still runs.

use std::{fs, path::Path};

use wit_parser::{Resolve, UnresolvedPackageGroup};

use crate::support::{
    Place, root,
    scripted::{self, dir},
};

/// The last version that was released.
const RELEASED: &str = "tests/contract/0.1.0";
/// `tests/guests/scripted` as it was then.
const COMPONENT: &str = "tests/contract/scripted-0.1.0.wasm";

/// Both, the released one under another version: they could not stand side by side else. `change` edits the one of now.
fn both(change: impl Fn(String) -> String) -> Resolve {
    let mut resolve = Resolve::default();
    for (directory, edit) in [
        (RELEASED, &(|text: String| text.replace("@0.1.0;", "@0.0.1;")) as &dyn Fn(String) -> String),
        ("wit", &change),
    ] {
        let place = tempfile::tempdir().unwrap();
        for file in files(&root().join(directory)) {
            let text = fs::read_to_string(root().join(directory).join(&file)).unwrap();
            fs::write(place.path().join(&file), edit(text)).unwrap();
        }
        resolve.push_group(UnresolvedPackageGroup::parse_dir(place.path()).unwrap()).unwrap();
    }
    resolve
}

fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".wit")).collect()
}

/// What a plugin that was built from the released contract would miss.
fn broken(resolve: &Resolve) -> Vec<String> {
    let of = |version: &str| {
        let package = resolve.packages.iter().find(|(_, package)| {
            package.name.version.as_ref().is_some_and(|is| is.to_string() == version) && package.name.name == "plugin"
        });
        package.unwrap_or_else(|| panic!("no version {version}")).1
    };
    let (released, now) = (of("0.0.1"), of("0.1.0"));
    let check = |(name, world): (&String, &wit_parser::WorldId)| {
        let Some(new) = now.worlds.get(name) else { return Some(format!("the world {name} is gone")) };
        let checked = wit_component::semver_check(resolve.clone(), *world, *new);
        checked.err().map(|why| format!("the world {name}: {why:#}"))
    };
    released.worlds.iter().filter_map(check).collect()
}

#[test]
fn the_contract_keeps_what_its_release_says() {
    let broken = broken(&both(|text| text));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_contract_that_breaks_its_release_is_found_out() {
    for (from, to) in [
        ("canceled: func() -> bool;", "canceled: func() -> u32;"),
        ("enum level { debug,", "enum level { trace, debug,"),
        ("random: func(length: u32) -> list<u8>;", ""),
    ] {
        let changed = both(|text| text.replace(from, to));
        assert!(!broken(&changed).is_empty(), "{from} may become {to:?}");
    }
    let grown = both(|text| text.replace("canceled: func() -> bool;", "canceled: func() -> bool;\n  more: func();"));
    assert!(broken(&grown).is_empty(), "one more function breaks nobody");
}

#[test]
fn a_component_that_was_built_from_the_release_still_runs() {
    let place = Place::new();
    place.write("source/page", "text");
    let script = r#""backup.files" = [
        { do = "put-tree", path = "tree", dir = "dir-source" },
        { do = "tree-receipt", subject = "entries" },
        { do = "put", path = "kept", text = "kept" },
        { do = "receipt", subject = "files", expected = 1, actual = 1 },
    ]"#;
    let text = scripted::pipeline(&["files files dirs.dir-source"], script, &dir("source", "read"));
    let component = format!("plugin = \"{}\"", root().join(COMPONENT).display());
    place.write("strongroom.toml", &text.replace("plugin = \"scripted\"", &component));
    place.accept();
    place.run(&["backup"]).exits(0).says("complete");
    place.run(&["verify"]).exits(0);
}
