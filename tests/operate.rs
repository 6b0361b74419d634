//! What operators ask beside a run: what a file means, one entry of a snapshot, completions, manual pages.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;
use strongroom::cli;

use crate::support::{Done, Going, Place, root, source_files, tree::Tree};

mod doctor;
mod dump;
mod schema;
mod severity;

fn place() -> Place {
    let place = Place::letters("\n[step.letters.grant.secrets]\nkey = { file = \"$DIR/key\" }\n");
    place.write("key", "hunter2\n");
    place
}

/// A verb that needs no plugins.
fn bare(place: &Place, arguments: &[&str]) -> Done {
    Going::start(place.bare_command(arguments)).finish()
}

#[test]
fn a_pipeline_is_shown_as_meant_and_shows_the_same_again() {
    let place = place();
    let shown = place.run(&["config", "show"]).exits(0).says("part-time = \"1day\"").never_says("hunter2");
    assert!(shown.out.contains(&format!("file = \"{}/key\"", place.path().display())), "{shown}");
    place.write("again.toml", &shown.out);
    let again = place.run(&["-c", "again.toml", "config", "show"]).exits(0);
    assert_eq!(shown.out, again.out);
    let json = place.run(&["config", "show", "--json"]).exits(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["step"]["letters"]["limits"]["handles"], 4096);
}

/// The verbs that can be typed, with those below them: `config`, `config show`.
fn verbs() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, before: &[String], verbs: &mut Vec<Vec<String>>) {
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
            let words = [before, &[verb.get_name().to_owned()]].concat();
            verbs.push(words.clone());
            below(verb, &words, verbs);
        }
    }
    let mut verbs = Vec::new();
    below(&cli::command(), &[], &mut verbs);
    verbs
}

#[test]
fn completions_are_scripts_that_offer_every_verb_and_nothing_hidden() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = bare(&place, &["completions", shell]).exits(0).out;
        for verb in verbs() {
            assert!(script.contains(verb.last().unwrap().as_str()), "{shell}: {verb:?}");
        }
        if shell == "bash" {
            let offered = script.lines().filter(|line| line.trim_start().starts_with("opts="));
            assert!(offered.clone().count() > 10 && !offered.into_iter().any(|line| line.contains("__compile")));
            let file = place.write("completions", &script);
            assert!(Command::new("bash").arg("-n").arg(file).status().unwrap().success());
        }
    }
    bare(&place, &["completions", "tcsh"]).exits(2);
}

#[test]
fn every_verb_has_its_manual_page() {
    let place = Place::new();
    bare(&place, &["man"]).exits(0).says(".TH strongroom 1").says("Exit codes");
    fs::create_dir(place.join("man")).unwrap();
    bare(&place, &["man", "--dir", "man"]).exits(0);
    let pages: BTreeSet<_> = fs::read_dir(place.join("man")).unwrap().map(|page| page.unwrap().file_name()).collect();
    let mut expected: BTreeSet<_> =
        verbs().iter().map(|verb| format!("strongroom-{}.1", verb.join("-")).into()).collect();
    expected.insert("strongroom.1".into());
    assert_eq!(pages, expected);
    let page = fs::read_to_string(place.join("man/strongroom-dump.1")).unwrap();
    assert!(page.contains("pg_restore") && page.contains("any\\-state"), "{page}");
    bare(&place, &["man", "--dir", "nowhere"]).exits(1).says("is no directory");
}
