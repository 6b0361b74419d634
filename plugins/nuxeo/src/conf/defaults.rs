//! What Nuxeo ships: the values that count where the operator set none and the templates cannot be read.
//!
//! From `templates/nuxeo.defaults`, `templates/common-base/nuxeo.defaults` and those of the database templates.

/// Values of every instance.
pub(super) const PRODUCT: [(&str, &str); 42] = [
    ("nuxeo.config.dir", "nxserver/config"),
    ("nuxeo.data.dir", "nxserver/data"),
    ("nuxeo.log.dir", "log"),
    ("nuxeo.pid.dir", "log"),
    ("nuxeo.tmp.dir", "tmp"),
    ("nuxeo.mp.dir", "packages"),
    ("nuxeo.templates", "default"),
    ("nuxeo.url", "http://localhost:8080/nuxeo"),
    ("nuxeo.binarystores.root", "${nuxeo.data.dir}"),
    ("repository.binary.store", "${nuxeo.binarystores.root}/binaries"),
    ("nuxeo.transientstores.root", "${nuxeo.binarystores.root}"),
    ("nuxeo.core.binarymanager", "org.nuxeo.ecm.core.blob.LocalBlobProvider"),
    ("nuxeo.vcs.fulltext.storedInBlob", "false"),
    ("elasticsearch.enabled", "true"),
    ("elasticsearch.client", "RestClient"),
    ("elasticsearch.addressList", ""),
    ("elasticsearch.clusterName", "nuxeoCluster"),
    ("elasticsearch.indexName", "nuxeo"),
    ("elasticsearch.httpEnabled", "false"),
    ("elasticsearch.networkHost", "127.0.0.1"),
    ("elasticsearch.manageAlias.enabled", "false"),
    ("elasticsearch.reindex.onStartup", "false"),
    ("audit.elasticsearch.enabled", "false"),
    ("audit.elasticsearch.indexName", "${elasticsearch.indexName}-audit"),
    ("seqgen.elasticsearch.indexName", "${elasticsearch.indexName}-uidgen"),
    ("nuxeo.search.client.default.opensearch1.index.name", "nuxeo"),
    ("nuxeo.audit.backend.default.opensearch1.index.name", "nuxeo-audit"),
    ("nuxeo.uidsequencer.default.opensearch1.index.name", "nuxeo-uidgen"),
    ("kafka.enabled", "false"),
    ("kafka.bootstrap.servers", "localhost:9092"),
    ("kafka.topicPrefix", "nuxeo-"),
    ("kafka.sasl.enabled", "false"),
    ("kafka.security.protocol", "SASL_PLAINTEXT"),
    ("kafka.sasl.mechanism", "SCRAM-SHA-256"),
    ("kafka.ssl", "false"),
    ("confluent.schema_registry.enabled", "false"),
    ("confluent.schema_registry.urls", "http://localhost:8081"),
    ("nuxeo.stream.work.enabled", "${kafka.enabled}"),
    ("nuxeo.stream.work.computation.filter.enabled", "true"),
    ("nuxeo.stream.work.computation.filter.class", TRANSIENT_STORE_FILTER),
    ("nuxeo.stream.work.computation.filter.storeTTL", "4d"),
    ("nuxeo.bulk.action.blobGC.enabled", "true"),
];

const TRANSIENT_STORE_FILTER: &str = "org.nuxeo.ecm.core.transientstore.computation.TransientStoreOverflowRecordFilter";

/// A template that the product ships.
pub(super) struct Shipped {
    /// Its directory below `templates`.
    name: &'static str,
    /// `nuxeo.template.includes`, as far as it matters here.
    pub(super) includes: &'static str,
    /// Its values.
    pub(super) values: &'static [(&'static str, &'static str)],
}

/// The templates whose name alone decides which database an instance has; the last one that is included does.
pub const DATABASES: [&str; 8] = ["default", "mongodb", "postgresql", "oracle", "mysql", "mariadb", "mssql", "db2"];

/// The template of that name, when the product ships it and it says something that matters here.
pub(super) fn template(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

const SHIPPED: [Shipped; 12] = [
    Shipped {
        name: "default",
        includes: "",
        values: &[
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "sa"),
            ("nuxeo.db.password", ""),
            ("nuxeo.db.jdbc.url", "jdbc:h2:$${nuxeo.data.dir}/h2/${nuxeo.db.name};DB_CLOSE_ON_EXIT=false"),
        ],
    },
    Shipped {
        name: "mongodb",
        includes: "default",
        values: &[
            ("nuxeo.mongodb.server", "localhost:27017"),
            ("nuxeo.mongodb.dbname", "nuxeo"),
            ("nuxeo.keyvalue.provider", "mongodb"),
        ],
    },
    Shipped { name: "mongodb-audit", includes: "mongodb", values: &[("nuxeo.mongodb.audit.enabled", "true")] },
    Shipped {
        name: "gridfsbinaries",
        includes: "mongodb",
        values: &[
            ("nuxeo.core.binarymanager", "org.nuxeo.ecm.core.storage.mongodb.GridFSBinaryManager"),
            ("nuxeo.mongodb.gridfs.bucket", "default.fs"),
        ],
    },
    Shipped {
        name: "postgresql",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "5432"),
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "nuxeo"),
            ("nuxeo.db.password", "password"),
            ("nuxeo.db.jdbc.url", "jdbc:postgresql://${nuxeo.db.host}:${nuxeo.db.port}/${nuxeo.db.name}"),
        ],
    },
    Shipped {
        name: "mysql",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "3306"),
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "nuxeo"),
            ("nuxeo.db.password", "password"),
            (
                "nuxeo.db.jdbc.url",
                "jdbc:mysql://${nuxeo.db.host}:${nuxeo.db.port}/${nuxeo.db.name}?relaxAutoCommit=true",
            ),
        ],
    },
    Shipped {
        name: "mariadb",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "3306"),
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "nuxeo"),
            ("nuxeo.db.password", "password"),
            ("nuxeo.db.jdbc.url", "jdbc:mariadb://${nuxeo.db.host}:${nuxeo.db.port}/${nuxeo.db.name}"),
        ],
    },
    Shipped {
        name: "mssql",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "1433"),
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "nuxeo"),
            ("nuxeo.db.password", "password"),
            (
                "nuxeo.db.jdbc.url",
                "jdbc:sqlserver://${nuxeo.db.host}:${nuxeo.db.port};database=${nuxeo.db.name};selectMethod=cursor",
            ),
        ],
    },
    Shipped {
        name: "oracle",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "1521"),
            ("nuxeo.db.name", "NUXEO"),
            ("nuxeo.db.user", "nuxeo"),
            ("nuxeo.db.password", "password"),
            (
                "nuxeo.db.jdbc.url",
                "jdbc:oracle:thin:${nuxeo.db.user}/${nuxeo.db.password}@${nuxeo.db.host}:${nuxeo.db.port}:${nuxeo.db.name}",
            ),
        ],
    },
    Shipped {
        name: "db2",
        includes: "",
        values: &[
            ("nuxeo.db.host", "localhost"),
            ("nuxeo.db.port", "3700"),
            ("nuxeo.db.name", "nuxeo"),
            ("nuxeo.db.user", "user"),
            ("nuxeo.db.password", "password"),
            ("nuxeo.db.jdbc.url", "jdbc:db2://${nuxeo.db.host}:${nuxeo.db.port}/${nuxeo.db.name}"),
        ],
    },
    Shipped {
        name: "redis",
        includes: "",
        values: &[
            ("nuxeo.redis.enabled", "true"),
            ("nuxeo.redis.host", "localhost"),
            ("nuxeo.redis.port", "6379"),
            ("nuxeo.redis.database", "0"),
        ],
    },
    Shipped {
        name: "s3binaries",
        includes: "",
        values: &[("nuxeo.core.binarymanager", "org.nuxeo.ecm.blob.s3.S3BlobProvider")],
    },
];
