//! What was found and where, for people: each value that matters, and why it is what it is. No value in here is a secret.

use crate::{
    conf::{
        chain::Origin,
        effective::{AuditIndex, Database, Explanation},
    },
    instance::Instance,
};

/// Keys that are shown although nobody has set them: where everything lies.
const ALWAYS: [&str; 4] = ["nuxeo.templates", "nuxeo.data.dir", "repository.binary.store", "nuxeo.db.jdbc.url"];

pub(super) fn facts(instance: &Instance) -> Vec<(String, String)> {
    let effective = &instance.effective;
    let mut facts = Vec::new();
    let mut fact = |key: &str, value: String| facts.push((key.to_owned(), value));
    fact("version", effective.version.map_or("unknown".into(), |version| version.to_string()));
    fact("home", effective.home.clone());
    for (at, database) in effective.databases.iter().enumerate() {
        let role = if at == 0 { "database" } else { "further database" };
        fact(role, shown(database));
    }
    fact(
        "audit",
        match &effective.search.audit {
            AuditIndex::Must(index) => format!("in the index {index}, and nowhere else"),
            AuditIndex::Sql => "in the SQL database".into(),
            AuditIndex::Mongo => "in MongoDB".into(),
        },
    );
    let streams = match (&effective.chronicle, effective.kafka.enabled) {
        (_, true) => format!("in Kafka, topics {}*", effective.kafka.prefix),
        (Some(path), _) => format!("Chronicle, in {path}"),
        (None, _) => "in memory".into(),
    };
    fact("streams", streams);
    for store in &effective.blob_stores {
        let place = store.path.as_deref().unwrap_or("in no directory");
        fact(&format!("blobs of {}", store.provider), format!("{place} ({})", store.class));
    }
    let told = |one: &Explanation| one.origin != Origin::Product || ALWAYS.contains(&one.key.as_str());
    facts.extend(effective.explanations().into_iter().filter(told).map(|one| (one.key.clone(), one.reason())));
    facts
}

/// Product and place, no secret.
pub(super) fn shown(database: &Database) -> String {
    match database {
        Database::Sql(sql) => format!("{} {}", sql.engine.name(), sql.shown),
        Database::Mongo(mongo) => format!("MongoDB {}, {}", mongo.shown, mongo.name),
    }
}
