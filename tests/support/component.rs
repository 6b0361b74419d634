//! Components from a few lines of WebAssembly text.

use std::path::Path;

/// A component of the contract's world around `guest` (see `tests/guests/frame.wat`); `root` is the source tree.
///
/// # Panics
/// When the text is wrong.
pub fn component(root: &Path, guest: &str) -> Vec<u8> {
    let mut frame = include_str!("../guests/frame.wat").replace("\n  GUEST\n", &format!("\n{guest}\n"));
    if guest.contains("(func $allocating") {
        frame = frame.replace(";; A guest that has a function $allocating is called here.", "(call $allocating)");
    }
    let mut module = wat::parse_str(frame).unwrap();
    let mut contract = wit_parser::Resolve::default();
    let (package, _) = contract.push_dir(root.join("wit")).unwrap();
    let world = contract.select_world(&[package], Some("plugin")).unwrap();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &contract, world, encoding, false).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
