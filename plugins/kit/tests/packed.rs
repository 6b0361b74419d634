//! The crate stands alone: what is published holds the contract.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

#[test]
fn the_packed_crate_holds_every_file_of_the_contract() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(here)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packed = String::from_utf8(output.stdout).expect("names are text");
    let packed: BTreeSet<&str> = packed.lines().collect();
    let mut interfaces = 0;
    for file in fs::read_dir(here.join("wit")).expect("the contract is there") {
        let name = file.expect("a readable directory").file_name().into_string().expect("a plain name");
        assert!(packed.contains(format!("wit/{name}").as_str()), "wit/{name} is not in the packed crate");
        interfaces += usize::from(name.ends_with(".wit"));
    }
    assert!(interfaces > 10, "only {interfaces} files of the contract were found");
}
