//! What each sample configuration comes to.

use super::*;
use crate::conf::{
    chain::{
        self,
        tests::{Memory, layout},
    },
    expand::Environment,
};

const A: &str = include_str!("../../../fixtures/a/nuxeo.conf");
const B: &str = include_str!("../../../fixtures/b/nuxeo.conf");
const C: &str = include_str!("../../../fixtures/c/nuxeo.conf");
const D: &str = include_str!("../../../fixtures/d/nuxeo.conf");
const E: &str = include_str!("../../../fixtures/e/nuxeo.conf");

/// A configuration of nothing but a `nuxeo.conf`, which is all that the samples have.
fn effective(conf: &str, version: &str) -> Effective {
    with(conf, version, &[])
}

fn with(conf: &str, version: &str, environment: &[(&str, &str)]) -> Effective {
    let mut layout = layout();
    let owned = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    layout.environment = owned.collect::<Environment>();
    let files = Memory::new(&[(layout.conf.as_str(), conf)]);
    let chain = chain::read(&files, &layout).unwrap();
    Effective::of(chain, &layout, Version::parse(version))
}

fn sql(seen: &Effective, at: usize) -> &Sql {
    match &seen.databases[at] {
        Database::Sql(sql) => sql,
        Database::Mongo(mongo) => panic!("{mongo:?}"),
    }
}

fn mongo(seen: &Effective) -> &Mongo {
    match &seen.databases[0] {
        Database::Mongo(mongo) => mongo,
        Database::Sql(sql) => panic!("{sql:?}"),
    }
}

fn shown<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn nodes(seen: &Effective) -> Vec<String> {
    let one = |node: &Node| format!("{}{}", if node.tls { "tls " } else { "" }, node.address);
    seen.search.nodes.iter().map(one).collect()
}

fn explain(seen: &Effective, key: &str) -> String {
    seen.explain(key).unwrap().to_string()
}

/// Nothing that is shown of a configuration may hold one of its secrets.
fn hides(seen: &Effective, secrets: &[&str]) {
    let mut text = shown(&seen.explanations()).join("\n");
    text.push_str(&format!("{:?}{:?}{:?}", seen.databases, seen.search, seen.kafka));
    let all: Vec<_> = seen.chain.keys().filter_map(|key| seen.explain(key)).collect();
    text.push_str(&shown(&all).join("\n"));
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn sample_a_is_postgresql_with_elasticsearch_and_kafka() {
    let seen = effective(A, "2021");
    assert_eq!(seen.directories.data, "/var/lib/nuxeo/data");
    assert_eq!(seen.directories.log, "/var/log/nuxeo");
    assert_eq!(seen.database_template.as_deref(), Some("postgresql"));
    assert_eq!(seen.databases.len(), 1);
    let database = sql(&seen, 0);
    assert_eq!(database.engine, Engine::Postgresql);
    assert_eq!((database.host.as_str(), database.port), ("db1.dam.example", Some(5432)));
    assert_eq!((database.name.as_str(), database.user.as_str()), ("nuxeo_prod", "nuxeo_rw"));
    assert_eq!(database.shown, "jdbc:postgresql://db1.dam.example:5432/nuxeo_prod");
    assert_eq!(database.password, Password::Encrypted);
    assert_eq!(seen.encrypted.values, ["nuxeo.db.password"]);
    assert_eq!(seen.encrypted.keys, ["server.crypt.key", "server.status.key"]);
    assert_eq!(seen.url, "https://dam2.example/nuxeo");
    assert_eq!(
        explain(&seen, "nuxeo.url"),
        "nuxeo.url = https://dam2.example/nuxeo from nuxeo.conf line 43, in the generated block, overrides line 10"
    );
    assert_eq!(explain(&seen, "nuxeo.db.host"), "nuxeo.db.host = db1.dam.example from nuxeo.conf line 15");
    assert!(!seen.must_stop());
}

#[test]
fn sample_a_keeps_its_audit_log_in_an_index_and_large_records_in_files() {
    let seen = effective(A, "2021");
    assert_eq!(seen.search.audit, AuditIndex::Must("dam-audit".into()));
    assert_eq!(seen.search.uid_index.as_deref(), Some("dam-uidgen"));
    assert_eq!((seen.search.index.as_str(), seen.search.client), ("dam", Client::Rest));
    assert_eq!(nodes(&seen), ["es1.dam.example:9200", "es2.dam.example:9200"]);
    assert_eq!(seen.search.user.as_deref(), Some("nuxeo"));
    let password = |seen: &Effective| seen.search.password.clone();
    assert_eq!(password(&seen), Password::Plain(crate::conf::secret::Secret::new("es-fixture")));
    let given = with(A, "2021", &[("ES_PASSWORD", "from-outside")]);
    assert_eq!(password(&given), Password::Plain(crate::conf::secret::Secret::new("from-outside")));
    assert!(seen.chain.unset.contains("ES_PASSWORD") && given.chain.unset.is_empty());
    assert!(seen.overflow.needs_transient_stores());
    assert_eq!(seen.overflow.ttl, "4d");
    assert_eq!(seen.directories.transientstores, "/var/lib/nuxeo/data/transientstores");
    assert_eq!(seen.blob_stores[0].path.as_deref(), Some("/var/lib/nuxeo/data/binaries"));
    assert!(seen.blob_gc.enabled && !seen.blob_gc.at_once, "a blob of an SQL repository stays");
}

#[test]
fn sample_a_reaches_kafka_with_a_login() {
    let seen = effective(A, "2021");
    let kafka = &seen.kafka;
    assert!(kafka.enabled && seen.chronicle.is_none());
    assert_eq!(shown(&kafka.servers), ["k1.dam.example:9092", "k2.dam.example:9092"]);
    assert_eq!(kafka.prefixes().collect::<Vec<_>>(), ["dam-"]);
    assert_eq!(kafka.protocol, Protocol::SaslSsl);
    let jaas =
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"dam\" password=\"kafka-fixture\";";
    assert_eq!(seen.chain.text("kafka.sasl.jaas.config").as_deref(), Some(jaas));
    let sasl = kafka.sasl.as_ref().unwrap();
    assert_eq!((sasl.mechanism.as_str(), sasl.user.as_deref()), ("SCRAM-SHA-512", Some("dam")));
    assert_eq!(sasl.module, "org.apache.kafka.common.security.scram.ScramLoginModule");
    assert_eq!(sasl.password.as_ref().map(|secret| secret.expose()), Some("kafka-fixture"));
    assert_eq!(kafka.truststore.as_deref(), Some("/etc/nuxeo/tls/truststore.jks"));
    assert_eq!(seen.key_files.len(), 1);
    assert_eq!(seen.key_files[0].path, "/etc/nuxeo/tls/truststore.jks");
    assert!(seen.cluster.has_jwt_secret);
    assert_eq!(seen.chain.java_opts, ["-Xms1g -Xmx4g", "$JAVA_OPTS -Dfile.encoding=UTF-8"]);
    hides(
        &seen,
        &["kafka-fixture", "es-fixture", "jwt-fixture", "status-fixture", "changeit", "c2VjcmV0", "Zml4dHVyZS"],
    );
}

#[test]
fn sample_b_is_all_embedded_and_must_stop() {
    let seen = effective(B, "10.10");
    assert_eq!(seen.directories.data, "/opt/nuxeo/nxserver/data");
    assert_eq!(seen.directories.transientstores, "/opt/nuxeo/nxserver/data/transientstores");
    assert_eq!(seen.blob_stores[0].path.as_deref(), Some("/opt/nuxeo/nxserver/data/binaries"));
    assert_eq!(seen.directories.log, "/var/log/nuxeo");
    assert_eq!(seen.directories.packages, "/opt/nuxeo/packages");
    assert_eq!(seen.database_template.as_deref(), Some("default"));
    let database = sql(&seen, 0);
    assert_eq!((seen.databases.len(), database.engine, database.incidental), (1, Engine::H2, false));
    assert_eq!(database.file().unwrap().stem, "/opt/nuxeo/nxserver/data/h2/nuxeo");
    assert_eq!((database.user.as_str(), &database.password), ("sa", &Password::None));
    assert_eq!(seen.search.client, Client::Embedded);
    assert!(!seen.search.http_enabled);
    assert_eq!(seen.search.audit, AuditIndex::Must("nuxeo-audit".into()));
    assert!(!seen.kafka.enabled);
    assert_eq!(seen.chronicle.as_deref(), Some("/opt/nuxeo/nxserver/data/stream"));
    assert!(seen.must_stop());
    assert!(!seen.overflow.needs_transient_stores(), "without Kafka, works do not go through streams");
}

#[test]
fn sample_c_is_mongodb_with_encrypted_blobs() {
    let seen = effective(C, "2023");
    assert_eq!(seen.database_template.as_deref(), Some("mongodb"));
    let database = mongo(&seen);
    assert_eq!(shown(&database.servers), ["m1.example:27017", "m2.example:27017"]);
    assert_eq!((database.user.as_deref(), database.name.as_str()), (Some("nx"), "dam"));
    assert_eq!(database.password.as_ref().map(|secret| secret.expose()), Some("m@ngo-fixture"));
    assert_eq!((database.option("replicaSet"), database.option("authSource")), (Some("rs0"), Some("admin")));
    assert_eq!(database.shown, "mongodb://[secret]@m1.example:27017,m2.example:27017/?replicaSet=rs0&authSource=admin");
    assert!(sql(&seen, 1).incidental, "the H2 that every template includes was set up by nobody");
    assert_eq!(seen.search.audit, AuditIndex::Mongo);
    assert_eq!(nodes(&seen), ["tls es.example:443"]);
    let store = &seen.blob_stores[0];
    assert_eq!((store.path.as_deref(), &store.kind), (Some("/mnt/blobs/binaries"), &Kind::Encrypted));
    assert!(seen.blob_gc.at_once);
    assert!(seen.chronicle.is_none() && !seen.must_stop());
    assert_eq!(shown(&seen.kafka.servers), ["kafka.example:9093"]);
    assert_eq!(seen.kafka.prefix, "nuxeo-");
    assert_eq!(seen.key_files[0].path, "/etc/nuxeo/tls/es.jks");
    assert!(seen.overflow.needs_transient_stores());
    assert_eq!(seen.directories.transientstores, "/mnt/blobs/transientstores");
    hides(&seen, &["ngo-fixture", "aes-fixture"]);
}

#[test]
fn sample_d_keeps_its_audit_log_in_opensearch_whatever_an_old_line_says() {
    for version in ["2025", ""] {
        let seen = effective(D, version);
        assert_eq!(seen.search.audit, AuditIndex::Must("nuxeo-audit".into()));
        assert_eq!(seen.search.uid_index.as_deref(), Some("nuxeo-uidgen"));
        assert_eq!(nodes(&seen), ["tls os1.example:9200", "tls os2.example:9200"]);
        assert_eq!(seen.search.user.as_deref(), Some("nuxeo"));
        assert_eq!(shown(&mongo(&seen).servers), ["mongo.example:27017"]);
        assert!(seen.blob_gc.at_once);
        hides(&seen, &["os-fixture"]);
    }
    let moved = D.replace("opensearch1-audit", "mongodb-audit");
    assert_eq!(effective(&moved, "2025").search.audit, AuditIndex::Mongo, "the old line is ignored");
    assert_eq!(effective(&moved.replace("mongodb-audit", "sql-audit"), "2025").search.audit, AuditIndex::Sql);
}

#[test]
fn sample_e_is_resolved_through_its_hazards() {
    let seen = effective(E, "2021");
    assert_eq!(sql(&seen, 0).name, "last-wins");
    assert_eq!(seen.directories.data, "/opt/nuxeo/vol/data");
    assert_eq!(seen.blob_stores[0].path.as_deref(), Some("/mnt/a/blobs/binaries"));
    assert!(!seen.kafka.enabled);
    assert!(with(E, "2021", &[("KAFKA_BOOTSTRAP", "k:9092")]).kafka.enabled);
    let text = |key| seen.chain.text(key).unwrap();
    assert_eq!(text("literal.dollar"), "${not.expanded}");
    assert_eq!(text("with.default"), "fallback");
    assert_eq!(text("self.loop"), "${self.loop}");
    assert_eq!(text("a.latin1"), "café");
    assert_eq!((text("colon.sep").as_str(), text("spaced").as_str()), ("yes", "value"));
    assert!(seen.chain.get("bang.comment").is_none() && seen.chain.get("!bang.comment").is_none());
    assert_eq!(
        explain(&seen, "nuxeo.binarystores.root"),
        "nuxeo.binarystores.root = /mnt/a/blobs (written ${my.root}/blobs) from nuxeo.conf line 5"
    );
    assert_eq!(explain(&seen, "nuxeo.db.name"), "nuxeo.db.name = last-wins from nuxeo.conf line 17, overrides line 7");
}

#[test]
fn before_11_bulk_streams_have_a_prefix_of_their_own() {
    let conf = "kafka.enabled=true\nkafka.topicPrefix=dam-\n";
    let prefixes = |version| effective(conf, version).kafka.prefixes().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(prefixes("10.10"), ["dam-", "dam-bulk-"]);
    assert_eq!(prefixes("11.1"), ["dam-"]);
    assert_eq!(prefixes(""), ["dam-"]);
}

#[test]
fn the_audit_index_follows_both_switches() {
    let audit = |conf: &str| effective(conf, "2021").search.audit;
    let must = AuditIndex::Must("nuxeo-audit".into());
    assert_eq!(audit("audit.elasticsearch.enabled=true\n"), must, "search is on where nothing says otherwise");
    assert_eq!(audit(""), AuditIndex::Sql, "the default of the audit log is off");
    assert_eq!(audit("audit.elasticsearch.enabled=true\nelasticsearch.enabled=false\n"), AuditIndex::Sql);
    assert_eq!(audit("audit.elasticsearch.enabled=false\nnuxeo.templates=mongodb-audit\n"), AuditIndex::Mongo);
    let both = "audit.elasticsearch.enabled=true\nnuxeo.templates=mongodb,mongodb-audit\n";
    assert_eq!(audit(both), must, "what both switches say counts");
    assert_eq!(effective("elasticsearch.enabled=false\n", "2021").search.client, Client::None);
}

#[test]
fn a_mongodb_may_stand_beside_a_database_that_someone_set_up() {
    let conf = "nuxeo.templates=postgresql,mongodb\nnuxeo.db.jdbc.url=jdbc:postgresql://db:5433/dirs\n";
    let seen = effective(conf, "2021");
    assert_eq!(seen.database_template.as_deref(), Some("mongodb"));
    let second = sql(&seen, 1);
    assert_eq!((second.host.as_str(), second.port, second.name.as_str()), ("db", Some(5433), "dirs"));
    assert!(second.url_is_own && !second.incidental);
    let seen = effective("nuxeo.templates=mongodb,postgresql\n", "2021");
    assert_eq!(seen.database_template.as_deref(), Some("postgresql"));
    assert_eq!((sql(&seen, 0).engine, seen.databases.len()), (Engine::Postgresql, 2));
}

#[test]
fn every_database_of_a_template_is_found_by_the_url_that_it_makes() {
    for (template, engine, place) in [
        ("mysql", Engine::Mysql, "localhost 3306 nuxeo"),
        ("mariadb", Engine::Mariadb, "localhost 3306 nuxeo"),
        ("mssql", Engine::SqlServer, "localhost 1433 nuxeo"),
        ("oracle", Engine::Oracle, "localhost 1521 NUXEO"),
        ("db2", Engine::Db2, "localhost 3700 nuxeo"),
    ] {
        let seen = effective(&format!("nuxeo.templates={template}\nnuxeo.db.password=hunter2\n"), "2021");
        let database = sql(&seen, 0);
        assert_eq!(database.engine, engine);
        assert_eq!(format!("{} {} {}", database.host, database.port.unwrap(), database.name), place);
        hides(&seen, &["hunter2"]);
    }
}

#[test]
fn blob_providers_are_known_by_their_class() {
    let kind = |class: &str| effective(&format!("nuxeo.core.binarymanager={class}\n"), "2023").blob_stores[0].clone();
    assert_eq!(kind("org.nuxeo.ecm.core.blob.binary.DefaultBinaryManager").kind, Kind::Local);
    let cloud = kind("org.nuxeo.ecm.core.storage.sql.S3BinaryManager");
    assert_eq!((cloud.kind, cloud.path), (Kind::Cloud("Amazon S3"), None));
    assert_eq!(kind("org.nuxeo.ecm.blob.azure.AzureBinaryManager").kind, Kind::Cloud("Azure Storage"));
    let own = kind("org.example.Own");
    assert_eq!((own.kind, own.path.is_some()), (Kind::Other, true));
    let grid = effective("nuxeo.templates=gridfsbinaries\n", "2021");
    assert_eq!(grid.blob_stores[0].kind, Kind::GridFs("default.fs".into()));
    let fulltext = effective("nuxeo.vcs.fulltext.storedInBlob=true\nnuxeo.binarystores.root=blobs\n", "2021");
    let paths: Vec<_> = fulltext.blob_stores.iter().filter_map(|store| store.path.as_deref()).collect();
    let data = "/opt/nuxeo/nxserver/data/blobs";
    assert_eq!(paths, [format!("{data}/binaries"), format!("{data}/fulltext")], "relative to the data directory");
}

#[test]
fn key_files_are_found_wherever_properties_name_them() {
    let conf = "nuxeo.core.binarymanager_key=keyStoreType=JCEKS,keyStoreFile=/k/aes.jks,keyStorePassword=p\n\
                nuxeo.opensearch1.client.trustStore.path=conf/os.jks\nkafka.keystore.path=\n";
    let seen = effective(conf, "2025");
    let paths: Vec<_> = seen.key_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["/k/aes.jks", "/opt/nuxeo/conf/os.jks"]);
}

#[test]
fn the_version_is_that_of_the_files_unless_the_operator_says_it() {
    let conf = "org.nuxeo.ecm.product.version=10.10-HF20\n";
    assert_eq!(effective(conf, "").version, Version::parse("10.10"));
    assert_eq!(effective(conf, "2021.1").version, Version::parse("2021.1"));
    assert_eq!(effective("", "").version, None);
}

#[test]
fn an_explanation_hides_secrets_that_came_in_by_reference() {
    let conf = "nuxeo.db.password=hunter2\nown.copy=x${nuxeo.db.password}y\nown.url=http://u:hunter2@h/\n";
    let seen = effective(conf, "2021");
    let copy = "own.copy = x[secret]y (written x${nuxeo.db.password}y) from nuxeo.conf line 2";
    assert_eq!(explain(&seen, "own.copy"), copy);
    assert_eq!(explain(&seen, "own.url"), "own.url = http://[secret]@h/ from nuxeo.conf line 3");
    assert_eq!(explain(&seen, "nuxeo.db.password"), "nuxeo.db.password = [secret] from nuxeo.conf line 1");
    assert_eq!(explain(&seen, "kafka.topicPrefix"), "kafka.topicPrefix = nuxeo- from the product's default");
    assert_eq!(seen.explain("no.such.key"), None);
}

#[test]
fn many_overridden_lines_are_named_in_part() {
    let seen = effective("a=1\na=2\na=3\na=4\na=5\n", "2021");
    let wanted = "a = 5 from nuxeo.conf line 5, overrides line 4 and line 3 and line 2 and others";
    assert_eq!(explain(&seen, "a"), wanted);
}

#[test]
fn large_records_are_elsewhere_only_when_works_go_through_streams() {
    let needs =
        |more: &str| effective(&format!("kafka.enabled=true\n{more}"), "2021").overflow.needs_transient_stores();
    assert!(needs(""));
    assert!(!needs("nuxeo.stream.work.enabled=false\n"));
    assert!(!needs("nuxeo.stream.work.computation.filter.enabled=false\n"));
    assert!(!needs("nuxeo.transientstore.provider=mongodb\n"));
    let class =
        "nuxeo.stream.work.computation.filter.class=org.nuxeo.ecm.core.work.KeyValueStoreOverflowRecordFilter\n";
    assert!(!needs(class));
}

#[test]
fn a_long_value_is_shown_in_part() {
    let seen = effective(&format!("a={}\n", "é".repeat(5000)), "2021");
    assert_eq!(seen.explain("a").unwrap().value, format!("{}…", "é".repeat(500)));
}

#[test]
fn hostile_configurations_come_to_something_and_end() {
    let bomb = format!("a={}\nb={}\nc=${{b}}\n", "${b}".repeat(40), "${a}".repeat(40));
    let keys = "nuxeo.data.dir nuxeo.templates nuxeo.db.jdbc.url nuxeo.mongodb.server kafka.enabled kafka.topicPrefix \
                kafka.bootstrap.servers elasticsearch.addressList nuxeo.core.binarymanager_key kafka.sasl.jaas.config \
                server.crypt.secretkey repository.binary.store nuxeo.db.port x.truststore.path";
    let values =
        ["${a}", "://@:,", "jdbc:h2:", "jdbc:postgresql://", "mongodb://@/?=", "..", "é\\u0000", "[::", ",,,", "{$$x}"];
    for value in values {
        for sasl in ["true", "false"] {
            let lines: Vec<_> = keys.split_whitespace().map(|key| format!("{key}={value}\n")).collect();
            let conf = format!("{bomb}{}kafka.sasl.enabled={sasl}\n", lines.concat());
            let seen = effective(&conf, "");
            let shown = shown(&seen.explanations()).join("\n");
            assert!(shown.contains("kafka.topicPrefix") && shown.len() < 100_000, "{value}: {}", shown.len());
            assert!(seen.directories.data.starts_with('/'), "{value}: {}", seen.directories.data);
        }
    }
}
