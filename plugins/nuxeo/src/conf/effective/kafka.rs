//! How an instance reaches Kafka, and which topics are its own.

use std::fmt;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Values, Version, jaas};
use crate::conf::secret::Secret;

/// The largest contribution that is read.
const XML_BYTES_MAX: usize = 1 << 20;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Reads `host`, `host:port` or `[address]:port`; what is no port counts as part of the host.
    pub fn parse(text: &str, port: u16) -> Self {
        let (host, named) = match text.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits.parse().ok()),
            _ => (text, None),
        };
        let host = if named.is_some() { host } else { text };
        Self { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port: named.unwrap_or(port) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// How an instance reaches Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `kafka.enabled`.
    pub enabled: bool,
    /// `kafka.bootstrap.servers`.
    pub servers: Vec<Address>,
    /// `kafka.topicPrefix`: what names of topics and groups begin with.
    pub prefix: String,
    /// Up to 10.10, what those of bulk streams begin with.
    pub bulk_prefix: Option<String>,
    /// How connections are secured.
    pub protocol: Protocol,
    /// How clients log in.
    pub sasl: Option<Sasl>,
    /// `kafka.truststore.path`.
    pub truststore: Option<String>,
    /// `kafka.keystore.path`.
    pub keystore: Option<String>,
    /// Addresses of the Schema Registry that codecs need, where one is used.
    pub registry: Vec<String>,
}

/// `security.protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// Neither encrypted nor with a login.
    Plaintext,
    /// Encrypted.
    Ssl,
    /// With a login.
    SaslPlaintext,
    /// Both.
    SaslSsl,
    /// Another one.
    Other(String),
}

/// How clients log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-512`, …
    pub mechanism: String,
    /// The class that logs in.
    pub module: String,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

impl Kafka {
    pub(super) fn of(values: &Values<'_>, version: Option<Version>) -> Self {
        let prefix = values.text("kafka.topicPrefix");
        let registry = values.flag("confluent.schema_registry.enabled");
        Self {
            enabled: values.flag("kafka.enabled"),
            servers: values.list("kafka.bootstrap.servers").iter().map(|one| Address::parse(one, 9092)).collect(),
            bulk_prefix: version.filter(|version| version.has_bulk_prefix()).map(|_| format!("{prefix}bulk-")),
            prefix,
            protocol: Protocol::of(values),
            sasl: values.flag("kafka.sasl.enabled").then(|| Sasl::of(values)),
            truststore: values.set("kafka.truststore.path"),
            keystore: values.set("kafka.keystore.path"),
            registry: if registry { values.list("confluent.schema_registry.urls") } else { Vec::new() },
        }
    }

    /// Everything that names of its topics begin with.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.prefix.as_str()).chain(self.bulk_prefix.as_deref())
    }
}

impl Protocol {
    fn of(values: &Values<'_>) -> Self {
        if !values.flag("kafka.sasl.enabled") {
            return if values.flag("kafka.ssl") { Self::Ssl } else { Self::Plaintext };
        }
        match values.text("kafka.security.protocol").as_str() {
            "SASL_SSL" => Self::SaslSsl,
            "SASL_PLAINTEXT" => Self::SaslPlaintext,
            "SSL" => Self::Ssl,
            "PLAINTEXT" => Self::Plaintext,
            other => Self::Other(other.to_owned()),
        }
    }

    /// As Kafka writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
            Self::Other(name) => name,
        }
    }
}

impl Sasl {
    fn of(values: &Values<'_>) -> Self {
        let entry = jaas::parse(&values.text("kafka.sasl.jaas.config"));
        Self {
            mechanism: values.text("kafka.sasl.mechanism"),
            user: entry.option("username").map(str::to_owned),
            password: entry.option("password").map(Secret::new),
            module: entry.module,
        }
    }
}

/// `host:port` of Redis.
pub(super) fn redis(values: &Values<'_>) -> Address {
    let host = values.set("nuxeo.redis.host").unwrap_or_else(|| "localhost".to_owned());
    Address { host, port: values.text("nuxeo.redis.port").parse().unwrap_or(6379) }
}

/// A Kafka configuration that XML contributes: point `kafkaConfig` of `org.nuxeo.runtime.stream.kafka.service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// Its name; `default` and `bulk` are the product's own.
    pub name: String,
    /// What names of its topics begin with.
    pub prefix: String,
}

/// The Kafka configurations in one XML file below the configuration directory, which Nuxeo has generated or copied.
///
/// # Errors
/// In words that follow the file's name, when it is no XML.
pub fn contributed(xml: &[u8]) -> Result<Vec<Contributed>, String> {
    if xml.len() > XML_BYTES_MAX {
        return Err(format!("it has {} bytes, more than the {XML_BYTES_MAX} that are read", xml.len()));
    }
    let mut reader = Reader::from_reader(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) if tag.local_name().as_ref() == b"kafkaConfig" => {
                let (name, prefix) = (attribute(&tag, "name"), attribute(&tag, "topicPrefix"));
                found.extend(name.zip(prefix).map(|(name, prefix)| Contributed { name, prefix }));
            }
            Ok(Event::Eof) => return Ok(found),
            Ok(_) => {}
            Err(error) => return Err(format!("it is no well-formed XML at byte {}: {error}", reader.error_position())),
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok().flatten()?;
    Some(attribute.unescape_value().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        let shown = |text| Address::parse(text, 9092).to_string();
        assert_eq!(shown("k1:9093"), "k1:9093");
        assert_eq!(shown("k1"), "k1:9092");
        assert_eq!(shown("[2001:db8::1]:9094"), "[2001:db8::1]:9094");
        assert_eq!(shown("2001:db8::1"), "[2001:db8::1]:9092");
        assert_eq!(shown("[::1]"), "[::1]:9092");
        assert_eq!(shown("k1:70000"), "[k1:70000]:9092");
    }

    #[test]
    fn contributed_configurations_are_found() {
        let xml = br#"<?xml version="1.0"?><component name="c"><extension point="kafkaConfig">
            <kafkaConfig name="default" topicPrefix="dam-"><producer/></kafkaConfig>
            <kafkaConfig name="extra" topicPrefix="a&amp;b-" />
            <kafkaConfig name="none"/><!-- <kafkaConfig name="x" topicPrefix="y"/> -->
        </extension></component>"#;
        let found = contributed(xml).unwrap();
        let named: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.prefix.as_str())).collect();
        assert_eq!(named, [("default", "dam-"), ("extra", "a&b-")]);
        assert!(contributed(b"<a><b></a>").is_err());
        assert!(contributed(&vec![b' '; XML_BYTES_MAX + 1]).is_err());
        assert!(contributed(b"").unwrap().is_empty());
    }
}
