//! Files that are no components for this host: refused by name before anything of them runs.

use std::fs;

use rustix::process::Signal;

use crate::support::{Going, Place, component::component, root, scripted::pipeline};

fn guest(text: &str) -> Vec<u8> {
    component(root(), text)
}

/// A place whose pipeline uses this file as its plugin.
fn place_with(wasm: &[u8]) -> Place {
    let place = Place::new();
    place.write("strongroom.toml", &pipeline(&[], "", "").replace("\"scripted\"", "\"./plugin.wasm\""));
    fs::write(place.join("plugin.wasm"), wasm).unwrap();
    place
}

/// Nobody takes it: it cannot be looked at, accepted or run, and the file is named.
#[track_caller]
fn refused(wasm: &[u8], words: &[&str]) {
    let place = place_with(wasm);
    let run = |arguments: &[&str]| Going::start(place.bare_command(arguments)).finish();
    for arguments in [&["plugin", "inspect", "./plugin.wasm"][..], &["plugin", "accept", "--yes"]] {
        let done = run(arguments).exits(1).says("plugin.wasm");
        for words in words {
            let _ = done.clone().says(words);
        }
    }
    assert!(!place.join("strongroom.lock").exists(), "it was written into the lock");
    run(&["backup"]).exits(5).says("plugin accept");
    assert!(place.sets().is_empty());
    place.assert_left_nothing();
}

#[test]
fn what_is_no_component_is_refused_by_name() {
    refused(b"#!/bin/sh\necho hello\n", &["not WebAssembly"]);
    refused(b"", &["not WebAssembly"]);
    refused(&wat::parse_str("(module)").unwrap(), &["core WebAssembly module", "strongroom plugin build"]);
    let whole = guest(include_str!("../guests/quiet.wat"));
    refused(&whole[..whole.len() / 2], &["no valid component"]);
}

#[test]
fn native_code_is_never_taken() {
    let engine = wasmtime::Engine::default();
    refused(&engine.precompile_component(b"(component)").unwrap(), &["precompiled native code"]);
}

#[test]
fn a_component_for_another_world_is_refused_by_name() {
    refused(&wat::parse_str("(component)").unwrap(), &["another world"]);
    let stranger = "(component (import \"other:thing/maker\" (instance (export \"make\" (func)))))";
    refused(&wat::parse_str(stranger).unwrap(), &["imports what this host does not have", "other:thing/maker"]);
}

#[test]
fn a_component_that_uses_the_host_to_describe_itself_is_refused() {
    refused(&guest(include_str!("../guests/describes-too-much.wat")), &["describe"]);
}

#[test]
fn a_component_that_breaks_while_it_describes_itself_is_refused() {
    refused(&guest("(func $describing (unreachable)) (func $act (result i32) (i32.const 0))"), &["the plugin broke"]);
}

#[test]
fn a_component_that_is_not_the_accepted_one_never_runs() {
    let place = place_with(&guest(include_str!("../guests/quiet.wat")));
    let run = |arguments: &[&str]| Going::start(place.bare_command(arguments)).finish();
    run(&["plugin", "accept", "--yes"]).exits(0);
    fs::write(place.join("plugin.wasm"), guest(include_str!("../guests/loops.wat"))).unwrap();
    run(&["backup"]).exits(5).says("product").says("plugin accept");
    run(&["plan"]).exits(5);
    fs::write(place.join("plugin.wasm"), b"garbage").unwrap();
    run(&["backup"]).exits(5);
    assert!(place.sets().is_empty());
}

/// A function of that many nested loops and locals, each set in the innermost: a few hundred kilobytes that take
/// gigabytes and minutes to compile.
fn bomb(loops: usize, locals: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module (func (local");
    text.push_str(&" i32".repeat(locals));
    text.push(')');
    text.push_str(&" loop".repeat(loops));
    (0..locals).for_each(|local| {
        text.push_str(&format!(" local.get {} i32.const 1 i32.add local.set {local}", (local * 7 + 1) % locals));
    });
    (0..loops).for_each(|depth| text.push_str(&format!(" local.get {} br_if 0 end", depth % locals)));
    text.push_str(")))");
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_that_is_made_to_be_compiled_for_ever_is_refused_by_the_limited_child() {
    let place = place_with(&bomb(30_000, 10_000));
    let accepting = Going::start(place.bare_command(&["plugin", "accept", "--yes"]));
    accepting.finish().exits(1).says("plugin.wasm").says("s of CPU time or 4 GiB of memory");
    assert!(!place.join("strongroom.lock").exists());
    Going::start(place.bare_command(&["backup"])).finish().exits(5);
    place.assert_left_nothing();
}

#[test]
fn the_compiler_ends_with_the_run_that_waits_for_it() {
    // Few locals: it takes minutes, not gigabytes.
    let place = place_with(&bomb(30_000, 1_000));
    let accepting = Going::start(place.bare_command(&["plugin", "accept", "--yes"]));
    // Its limits are the last thing that it sets before it begins.
    let limited = |process: &String| {
        let limits = process.split(' ').next().map(|process| fs::read_to_string(format!("{process}/limits")));
        limits.is_some_and(|limits| limits.is_ok_and(|limits| limits.contains(&format!("{:<26}60", "Max cpu time"))))
    };
    let compiles = || place.processes().iter().any(|process| process.contains("__compile") && limited(process));
    crate::support::wait_for("the compiler runs", compiles);
    accepting.signal(Signal::KILL);
    // What it printed ends when nobody holds it any more: neither it nor its child.
    assert_eq!(accepting.finish().code, -9);
    place.assert_left_nothing();
}
