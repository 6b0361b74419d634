//! Gives aliases to indices that are in their places: all at one moment, for a product that finds some of them takes the rest
//! for lost.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_plugin::{Finding, Outcome, Part, Result, context};

use super::{Wanted, manifests, target};
use crate::{
    client::{Client, Question},
    place::{self, Held},
    reach::Reach,
    store::Manifest,
};

/// Indices by alias, each with filter and routing.
type Aliases = BTreeMap<String, BTreeMap<String, Value>>;

fn wanted_of(wanted: &Wanted, manifests: &[Manifest]) -> Aliases {
    let mut aliases = Aliases::new();
    for manifest in manifests.iter().filter(|manifest| wanted.has(&manifest.index)) {
        let index = target(&wanted.renamed, &manifest.index);
        for (alias, value) in &manifest.aliases {
            aliases.entry(alias.clone()).or_default().insert(index.to_owned(), value.clone());
        }
    }
    aliases
}

/// Lets each alias point to its indices and to no others, and looks whether it does.
pub(super) fn give(reach: &Reach, wanted: &Wanted, part: &Part, outcome: Outcome) -> Result<Outcome> {
    let aliases = wanted_of(wanted, &manifests(&part.name)?.1);
    point(&reach.client, &aliases)?;
    let mut given = 0;
    for (alias, indices) in &aliases {
        let held = place::held(&reach.client, alias)?;
        given += u64::from(matches!(&held, Held::ByAlias(has) if has.iter().eq(indices.keys())));
    }
    Ok(outcome.receipt("aliases", aliases.len() as u64, given))
}

fn point(client: &Client, aliases: &Aliases) -> Result<()> {
    let mut actions = Vec::new();
    for (alias, indices) in aliases {
        if let Held::ByAlias(others) = place::held(client, alias)? {
            actions.push(json!({ "remove": { "indices": others, "alias": alias } }));
        }
        for (index, value) in indices {
            let mut add = value.as_object().cloned().unwrap_or_default();
            add.insert("index".into(), index.as_str().into());
            add.insert("alias".into(), alias.as_str().into());
            actions.push(json!({ "add": add }));
        }
    }
    match actions.is_empty() {
        true => Ok(()),
        false => client.tell(&Question::post("/_aliases").json(&json!({ "actions": actions }))?),
    }
}

/// Which of the aliases that come together belong to others now, and what becomes of them.
///
/// # Errors
/// What the engine says.
pub fn taken(reach: &Reach, wanted: &Wanted, manifests: &[Manifest]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (alias, indices) in wanted_of(wanted, manifests) {
        findings.extend(match place::held(&reach.client, &alias)? {
            Held::Free => None,
            Held::ByAlias(has) if has.iter().eq(indices.keys()) => None,
            Held::ByAlias(has) if context::overwrite() => {
                let message =
                    format!("the alias {alias} points to {}: it will point to the restored index", has.join(", "));
                Some(Finding::warning("alias-taken", &alias, message))
            }
            Held::ByAlias(has) => {
                let message =
                    format!("the alias {alias} points to {} already: restore with --overwrite", has.join(", "));
                Some(Finding::blocker("alias-taken", &alias, message))
            }
            Held::ByIndex => {
                let message = format!("{alias} was an alias, and is the name of an index there: remove it first");
                Some(Finding::blocker("alias-taken", &alias, message))
            }
        });
    }
    Ok(findings)
}
