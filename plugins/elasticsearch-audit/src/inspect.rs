//! Looks at the engine for a backup: what it is, which indices there are, what becomes a part.

use strongroom_plugin::{ErrorCode, Finding, Inspection, Part, Result, Stage};
use strongroom_search::{
    Client, Engine, Index, Product, Tally,
    hash::Function,
    index::Source,
    place,
    size::{self, Size},
    way::{self, Way},
};

use crate::{describe::grant, names, settings::Settings};

/// Names of parts.
pub mod part {
    /// All indices, where a plan cannot know them.
    pub const INDICES: &str = "indices";
    /// The engine's own snapshot of all of them but [`SEQUENCES`].
    pub const SNAPSHOT: &str = "snapshot";
    /// The engine's own snapshot of the indices that entries of others are numbered by.
    pub const SEQUENCES: &str = "snapshot-sequences";
    /// Begins the name of the part of one index.
    pub const INDEX: &str = "index-";
}

/// Keys of part settings.
pub mod setting {
    /// The index that a part is of, by its own name.
    pub const INDEX: &str = "index";
    /// Set where a part is the engine's snapshot: the indices, one a line; none where the step of Nuxeo names them.
    pub const SNAPSHOT: &str = "snapshot";
}

/// The part of an index: its name, cut where it is long.
pub fn index_part(index: &str) -> String {
    const NAME_MAX: usize = 80;
    if index.len() <= NAME_MAX {
        return format!("{}{index}", part::INDEX);
    }
    let short: String = index.chars().take(NAME_MAX / 4).collect();
    // Names of parts stay as they are, whatever documents are hashed by.
    let mut tally = Tally::by(Function::Sha256);
    tally.add(&strongroom_search::Document { id: index, version: 0, routing: None, source: b"" });
    format!("{}{short}-{}", part::INDEX, tally.hash().get(..16).unwrap_or_default())
}

/// What a backup would do.
///
/// # Errors
/// When the engine does not answer.
pub fn inspect() -> Result<Inspection> {
    let settings = Settings::read()?;
    let mut seen = Inspection::of([]);
    if settings.indices.is_empty() && settings.nuxeo_step.is_none() {
        let message = "nothing is to be saved: set indices, such as [\"nuxeo-audit\"], or nuxeo-step";
        return Ok(seen.finding(Finding::blocker("indices-unset", part::INDICES, message)));
    }
    let reach = match settings.reach_to_save() {
        Ok(reach) => reach,
        Err(error) if error.code == ErrorCode::Denied => {
            // The host says which grant is missing.
            return Ok(seen.part(whole()).finding(Finding::blocker("engine-refuses", part::INDICES, error.message)));
        }
        Err(error) => return Err(error),
    };
    let client = &reach.client;
    seen = seen.fact("engine", format!("{} ({})", client.engine(), client.engine().cluster));
    seen.findings.extend(fitness(client.engine()));
    let chosen = way::choose(settings.way, &reach)?;
    let is_export = chosen.way == Way::Export;
    let said = if is_export { "document by document" } else { "the engine's snapshot" };
    seen = seen.fact("way", format!("{said}: {}", chosen.why));
    seen.findings.extend(chosen.blocker);
    let mut indices = Vec::new();
    for name in names::configured(&settings).names {
        look(client, &name.name, &mut indices, &mut seen)?;
    }
    if settings.nuxeo_step.is_some() {
        // That step says it when it runs.
        seen = seen.fact("indices", "known when Nuxeo's step has run: one part for all");
        indices.clear();
    }
    // Of a snapshot that stays with the engine nothing is seen here.
    let directory = reach.repository.is_none().then_some(grant::SNAPSHOTS);
    seen.parts.extend(match (is_export, settings.nuxeo_step.is_some()) {
        (false, true) => vec![snapshot(directory, part::SNAPSHOT, &[]), snapshot(directory, part::SEQUENCES, &[])],
        (false, false) => snapshots(directory, indices),
        (true, true) => vec![whole()],
        (true, false) => indices.iter().map(|index| one(client, index)).collect::<Result<_>>()?,
    });
    Ok(seen)
}

fn whole() -> Part {
    exported(Part::new(part::INDICES, Stage::Fence).summary("all documents of the indices"))
}

fn snapshots(directory: Option<&str>, indices: Vec<Index>) -> Vec<Part> {
    let (sequences, others): (Vec<_>, Vec<_>) = indices.into_iter().partition(is_sequence);
    let parts = [(part::SNAPSHOT, others), (part::SEQUENCES, sequences)].into_iter();
    parts
        .filter(|(_, indices)| !indices.is_empty())
        .map(|(name, indices)| snapshot(directory, name, &indices))
        .collect()
}

fn snapshot(directory: Option<&str>, name: &str, indices: &[Index]) -> Part {
    let names: Vec<_> = indices.iter().map(|index| index.name.as_str()).collect();
    let part = Part::new(name, stage(name == part::SEQUENCES)).set(setting::SNAPSHOT, names.join("\n"));
    let of = if names.is_empty() { "the indices".to_owned() } else { names.join(", ") };
    let part = exported(part.summary(format!("the engine's snapshot of {of}")));
    directory.into_iter().fold(part, |part, directory| part.uses(format!("dirs.{directory}")))
}

/// An index that keeps nothing but ids and versions counts: the entries of another index are numbered by it.
pub fn is_sequence(index: &Index) -> bool {
    index.source() == Source::None
}

/// The moment of a sequence is behind that of every entry: a number that is given before its entry is written would be
/// given again after a restore if it were not in the set. An engine's snapshot has another moment for each shard.
fn stage(is_sequence: bool) -> Stage {
    if is_sequence { Stage::Records } else { Stage::Fence }
}

fn one(client: &Client, index: &Index) -> Result<Part> {
    // As an export they are a multiple of what they take on disk.
    let bytes = Size::ask(client, &index.name)?.bytes;
    let documents = place::visible(client, &index.name)?;
    let part = Part::new(index_part(&index.name), stage(is_sequence(index)));
    let part = part.set(setting::INDEX, &index.name).estimate(bytes);
    let summary =
        format!("all documents of {}, about {documents} in {}", index.name, size::shards(index.shards.into()));
    Ok(exported(part.summary(summary)))
}

fn exported(part: Part) -> Part {
    part.uses(format!("http.{}", grant::ENGINE))
}

/// One name: an index, or an alias of several.
fn look(client: &Client, name: &str, known: &mut Vec<Index>, seen: &mut Inspection) -> Result<()> {
    let indices = match Index::resolve(client, name) {
        Ok(indices) => indices,
        Err(error) if error.is_not_found() => {
            seen.findings.push(missing(name));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if indices.iter().any(|index| index.name != name) {
        let of: Vec<_> = indices.iter().map(|index| index.name.as_str()).collect();
        seen.facts.push((format!("alias {name}"), of.join(", ")));
    }
    for index in indices {
        if !known.iter().any(|one| one.name == index.name) {
            seen.findings.extend(findings(&index, client.engine()));
            known.push(index);
        }
    }
    Ok(())
}

/// An index that was named and is not there.
pub fn missing(name: &str) -> Finding {
    let message = format!("there is no index or alias {name}: compare indices with what the engine has");
    Finding::blocker("index-missing", name, message)
}

fn fitness(engine: &Engine) -> Option<Finding> {
    (engine.product == Product::Elasticsearch && engine.version.major < 6).then(|| {
        let message =
            format!("{engine} is older than Elasticsearch 6: its indices may have children and several types");
        Finding::warning("engine-old", part::INDICES, message)
    })
}

/// What is to be said of an index.
pub fn findings(index: &Index, engine: &Engine) -> Vec<Finding> {
    let mut findings = Vec::new();
    match index.source() {
        Source::Whole => {}
        Source::Narrowed => {
            let message = "its mapping keeps only some fields of each document: the others can be searched for, and come back in no restore by export";
            findings.push(Finding::warning("source-narrowed", &index.name, message));
        }
        Source::None => {
            let message = "it keeps no documents but their ids and versions: these are saved";
            findings.push(Finding::info("source-none", &index.name, message));
        }
    }
    if engine.has_types() && index.types().len() > 1 {
        let message = format!("it has several types ({}): an export keeps one", index.types().join(", "));
        findings.push(Finding::blocker("types-several", &index.name, message));
    }
    findings
}

#[cfg(test)]
mod tests;
