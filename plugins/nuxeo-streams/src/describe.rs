//! What the plugin is and which grants it can use, each with the TOML that is usually written.

use strongroom_plugin::{Description, Need};

use crate::{findings, settings};

/// Names of grants.
pub mod grant {
    /// The brokers; in a restore those that the new topics are made on. Also the name of the password's secret.
    pub const KAFKA: &str = "kafka";
    /// In a restore with `replicate`: the brokers that still hold the topics, where they are others.
    pub const SOURCE: &str = "source";
    /// The secret of those.
    pub const SOURCE_PASSWORD: &str = "source";
    /// A Schema Registry.
    pub const REGISTRY: &str = "schema-registry";
}

/// The plugin's description.
pub fn description() -> Description {
    Description::new("nuxeo-streams", "backs up and restores what Nuxeo keeps in Kafka, up to the database's instant")
        .version(env!("CARGO_PKG_VERSION"))
        .product("Nuxeo 9.3 to 2025 with Kafka brokers from 2.1 to 4")
        .config(&settings::schema())
        .finds(findings::CODES)
        .needs(kafka())
        .needs(source().optional())
        .needs(registry().optional())
        .needs(password().optional())
        .needs(source_password().optional())
}

fn kafka() -> Need {
    Need::tcp(grant::KAFKA)
        .because("the brokers hold the streams: list all of them as they advertise themselves")
        .suggest("endpoints = [\"localhost:9092\"]\n# tls = true\n")
}

fn source() -> Need {
    Need::tcp(grant::SOURCE)
        .because("for a restore with replicate: the brokers that still hold the topics, where they are others")
        .suggest("endpoints = [\"localhost:9092\"]\n")
}

fn registry() -> Need {
    Need::http(grant::REGISTRY)
        .because("a Schema Registry, where records are of the codec avroConfluent: what it holds is saved, too")
        .suggest("url = \"http://localhost:8081\"\nmethods = [\"GET\"]\npaths = [\"/subjects\"]\n")
}

fn password() -> Need {
    Need::secrets(grant::KAFKA)
        .because("the password with which the plugin logs in, where the setting sasl is not none")
        .suggest("file = \"/etc/strongroom/kafka\"\n")
}

fn source_password() -> Need {
    Need::secrets(grant::SOURCE_PASSWORD)
        .because("the same for the brokers granted as source")
        .suggest("file = \"/etc/strongroom/kafka-source\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_says_why_and_how() {
        let description = description();
        assert_eq!(description.needs.len(), 5);
        for need in &description.needs {
            assert!(!need.reason.is_empty() && need.suggestion.ends_with('\n'), "{}", need.name);
        }
        assert_eq!(description.needs.iter().filter(|need| need.required).count(), 1);
    }
}
