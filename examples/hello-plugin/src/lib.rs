//! The smallest complete plugin: it stores a greeting, brings it back, and proves both. Copy it.

use serde::Deserialize;
use serde_json::json;
use strongroom_plugin::*;

#[derive(Default)]
struct Hello;
plugin!(Hello);

/// `[step.X.config]`; the host checks it against the schema in `describe`.
#[derive(Deserialize)]
struct Config {
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "world".into()
}

impl Plugin for Hello {
    fn describe() -> Description {
        Description::new("hello", "a greeting, kept safe")
            .version(env!("CARGO_PKG_VERSION"))
            .config(&json!({
                "type": "object",
                "properties": { "name": { "type": "string", "description": "who is greeted" } },
                "additionalProperties": false,
            }))
            .needs(Need::dirs_write("greeting").optional().because("where a restore puts the greeting"))
    }

    fn inspect(&self, _: Purpose) -> Result<Inspection> {
        Ok(Inspection::of([Part::new("greeting", Stage::Files).summary("one line of text")]))
    }

    fn backup(&self, part: &Part, _: Pass) -> Result<Outcome> {
        let Config { name } = context::config()?;
        let text = format!("hello, {name}\n");
        let stored = snapshot::put_bytes("hello.txt", text.as_bytes())?;
        tree::noted(part, 1)?; // what `verify` will compare with
        Ok(Outcome::new(format!("greeted {name}")).receipt("bytes", text.len() as u64, stored.size))
    }

    // `restore`, `verify` and `probe` have defaults for parts that are plain files.
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_plugin::testing::Host;

    #[test]
    fn a_greeting_comes_back_as_it_was_stored() {
        let host = Host::new().config(&json!({ "name": "vault" }));
        let part = Hello.inspect(Purpose::Backup).unwrap().parts.remove(0);
        let stored = Hello.backup(&part, Pass::InStage).unwrap();
        assert!(testing::proven(&stored.receipts));

        let host = host.stored_as_archive("greeting").target("greeting", &[]);
        assert!(testing::proven(&Hello.verify(&part).unwrap().receipts));
        assert!(testing::proven(&Hello.restore(&part).unwrap().receipts));
        assert_eq!(host.file("greeting", "hello.txt").as_deref(), Some("hello, vault\n"));
    }
}
