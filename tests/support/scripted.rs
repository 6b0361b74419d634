//! Pipelines of the scripted plugin: one step `product`, a part for each name, and a script of what each call does.

use super::{Done, Place, pipeline};

/// Acts of a part that stores one file and proves it.
pub const KEEP: &str = r#"[
  { do = "put", path = "kept", text = "kept" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 },
]"#;

/// The file: `parts` are `name stage` and the grants that the part uses, `script` the lines of
/// `[step.product.config.script]`, `rest` what comes after it, mostly grants and limits.
pub fn pipeline(parts: &[&str], script: &str, rest: &str) -> String {
    let part = |words: &&str| {
        let words: Vec<_> = words.split(' ').collect();
        let [name, stage, uses @ ..] = &words[..] else { panic!("a part's name and its stage") };
        format!("{{ name = \"{name}\", stage = \"{stage}\", uses = {uses:?} }}")
    };
    let parts: Vec<_> = parts.iter().map(part).collect();
    format!(
        "{}[step.product]\nplugin = \"scripted\"\n\n[step.product.config]\nparts = [{}]\n\n\
         [step.product.config.script]\n{script}\n\n{rest}\n",
        pipeline::head("test", ""),
        parts.join(", ")
    )
}

/// The grant of the directory `name` of the place, as `dir-NAME`.
pub fn dir(name: &str, access: &str) -> String {
    format!("[step.product.grant.dirs.dir-{name}]\npath = \"$DIR/{name}\"\naccess = \"{access}\"\n")
}

/// A place in which the part `bad` does these acts and the part `good` stores a file.
pub fn bad_beside_good(place: &Place, acts: &str, rest: &str) {
    let script = format!("\"backup.bad\" = {acts}\n\"backup.good\" = {KEEP}");
    place.write("strongroom.toml", &pipeline(&["bad files", "good files"], &script, rest));
    place.accept();
}

/// Backs that up, and asserts what must be so however the bad part ended: it failed for a reason that holds these
/// words, nothing of it is kept, the other part is, and nothing else is left.
#[track_caller]
pub fn fails_alone(place: &Place, words: &[&str]) -> Done {
    let done = place.run(&["backup"]).exits(3).says("partial");
    let record = place.record();
    let part = |name: &str| {
        let parts = record["steps"][0]["parts"].as_array().expect("parts");
        parts.iter().find(|part| part["part"]["name"] == name).expect("a part of that name")
    };
    let failure = part("bad")["failure"].as_str().expect("it failed");
    for words in words {
        assert!(failure.contains(words), "the reason does not hold {words:?}: {failure}\n{done}");
    }
    assert_eq!(part("bad")["entries"], 0, "something of it was kept: {}", part("bad"));
    assert_eq!((&part("good")["failure"], &part("good")["entries"]), (&serde_json::Value::Null, &1.into()));
    place.run(&["verify", "--any-state"]).exits(0);
    place.assert_left_nothing();
    done
}
