//! The JSON Schema of the pipeline file agrees with the program, whatever pipeline is at hand.

use super::*;

fn instance(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().expect("TOML")).unwrap()
}

/// Every pipeline of the tree that is meant to be read: of scenarios and examples.
fn pipelines() -> Vec<(String, String)> {
    let files = ["tests/scenarios", "examples"].map(|name| source_files(&root().join(name), "toml")).concat();
    let named = files.into_iter().filter(|file| file.file_name() != Some("Cargo.toml".as_ref()));
    let texts = named.map(|file| (file.display().to_string(), fs::read_to_string(file).unwrap()));
    texts.filter(|(_, text)| text.contains("[pipeline]")).collect()
}

/// What the program says of a text: none when it is a pipeline.
fn problem(text: &str) -> Option<String> {
    let known = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    strongroom::config::parse("/x/strongroom.toml".as_ref(), text, &known).err().map(|problems| problems.render(false))
}

#[test]
fn the_schema_accepts_every_pipeline_of_the_tree_and_no_unknown_key() {
    let place = Place::new();
    let schema: Value = serde_json::from_str(&bare(&place, &["config", "schema"]).exits(0).out).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (name, text) in pipelines() {
        let text = text.replace("$DIR", "/x");
        if problem(&text).is_some() {
            continue;
        }
        let errors: Vec<_> = validator.iter_errors(&instance(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        accepted += 1;
        for table in ["[pipeline]", "[repository.local]"] {
            let wrong = text.replacen(table, &format!("{table}\nzebra = 1"), 1);
            if wrong != text {
                assert!(problem(&wrong).is_some() && !validator.is_valid(&instance(&wrong)), "{name}: {table}");
                refused += 1;
            }
        }
    }
    assert!(accepted > 15 && refused > 15, "{accepted} accepted, {refused} refused");
}
