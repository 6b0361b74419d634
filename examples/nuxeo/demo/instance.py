"""Makes the sample instance: rows in the database, a data directory with blobs, a configuration.

usage: instance.py DIR KAFKA-PORT ENGINE-PORT DATABASE-PORT PASSWORD-FILE      (the database as the environment says)
"""

import hashlib
import json
import os
import random
import sys
from pathlib import Path

from database import ask, literal

DOCUMENTS, SHARED_EVERY, DELETED_EVERY = 400, 9, 23
_SCHEMA = """
CREATE TABLE hierarchy (id varchar(36) PRIMARY KEY, parentid varchar(36), pos integer, name text, isproperty boolean, primarytype varchar(250),
  mixintypes varchar(250), ischeckedin boolean, baseversionid varchar(36), majorversion bigint, minorversion bigint, isversion boolean);
CREATE TABLE content (id varchar(36) PRIMARY KEY REFERENCES hierarchy ON DELETE CASCADE, data varchar(250), digest varchar(250), encoding varchar(250),
  length bigint, "mime-type" varchar(250), name varchar(250));
CREATE TABLE dublincore (id varchar(36) PRIMARY KEY REFERENCES hierarchy ON DELETE CASCADE, title text, description text, creator varchar(250),
  created timestamp, modified timestamp, lastcontributor varchar(250));
CREATE TABLE misc (id varchar(36) PRIMARY KEY REFERENCES hierarchy ON DELETE CASCADE, lifecyclepolicy varchar(250), lifecyclestate varchar(250));
CREATE TABLE versions (id varchar(36) PRIMARY KEY, versionableid varchar(36), created timestamp, label varchar(250), islatest boolean);
CREATE TABLE repositories (id varchar(36), name varchar(250));
CREATE TABLE nxp_logs (log_id bigserial PRIMARY KEY, log_event_id varchar(255), log_event_date timestamp, log_doc_uuid varchar(255));
CREATE TABLE nxp_uidseq (seq_id bigserial PRIMARY KEY, seq_index integer, seq_key varchar(255));
CREATE TABLE kv_work (key varchar(2048) PRIMARY KEY, long bigint, string text, bytes bytea, ttl bigint);
"""
_STORE = "<?xml version=\"1.0\"?>\n<binary-store>\n  <digest>MD5</digest>\n  <depth>2</depth>\n</binary-store>\n"
_AVRO = '{"type":"record","name":"Record","namespace":"org.nuxeo.lib.stream.computation","fields":[{"name":"key","type":"string"}]}'
_POSTGRESQL = """nuxeo.template.includes=common
postgresql.target=.
nuxeo.db.port=5432
nuxeo.db.name=nuxeo
nuxeo.db.jdbc.url=jdbc:postgresql://${nuxeo.db.host}:${nuxeo.db.port}/${nuxeo.db.name}
"""
# Both flags are true: the index is the only copy of the audit.
CONF = """# A sample instance of an LTS 2021: PostgreSQL, Kafka, a search engine that holds the audit
JAVA_OPTS=-Xms1g -Xmx4g
JAVA_OPTS=$JAVA_OPTS -Dfile.encoding=UTF-8
nuxeo.log.dir={top}/log
nuxeo.pid.dir={top}/run
nuxeo.data.dir={top}/data
nuxeo.tmp.dir={top}/tmp
nuxeo.templates=postgresql,quartz-cluster,custom/strongroom
nuxeo.url=https://dam.example/nuxeo
nuxeo.server.http.port=8080
nuxeo.db.name=nuxeo
nuxeo.db.user=nuxeo
nuxeo.db.password={password}
nuxeo.db.host=127.0.0.1
nuxeo.db.port={database}
elasticsearch.enabled=true
elasticsearch.client=RestClient
elasticsearch.addressList=http://127.0.0.1:{engine}
audit.elasticsearch.enabled=true
kafka.enabled=true
kafka.bootstrap.servers=127.0.0.1:{kafka}
kafka.topicPrefix=dam-
nuxeo.stream.work.enabled=true
nuxeo.stream.work.computation.filter.enabled=true
nuxeo.jwt.secret=jwt-fixture
server.status.key=status-fixture

### BEGIN - DO NOT EDIT BETWEEN BEGIN AND END ###
#nuxeo.db.host=old-db.dam.example
nuxeo.url=https://dam2.example/nuxeo
kafka.topicPrefix=dam-
server.crypt.key=Zml4dHVyZS1rZXktMTZieQ==
### END - DO NOT EDIT BETWEEN BEGIN AND END ###
"""


def blob_path(data: Path, key: str) -> Path:
    """Where the store of a digest MD5 and depth 2 has a blob."""
    return data / "binaries/data" / key[:2] / key[2:4] / key


def store(data: Path, content: bytes) -> str:
    """Writes a blob as Nuxeo does: under a temporary name, then under its digest. Its key."""
    key = hashlib.md5(content).hexdigest()
    path, upload = blob_path(data, key), data / f"binaries/tmp/create_{os.getpid()}.tmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(content)
    upload.rename(path)
    return key


def document(number: str, key: str | None, size: int) -> str:
    """Statements that add a file document, and its blob's row."""
    rows = f"""INSERT INTO hierarchy (id, parentid, name, isproperty, primarytype) VALUES ('doc-{number}', 'root', 'doc {number}', false, 'File');
      INSERT INTO dublincore (id, title, created, modified) VALUES ('doc-{number}', {literal(f"It's number {number}")}, now(), now());
      INSERT INTO misc VALUES ('doc-{number}', 'default', 'project');"""
    if key is None:
        return rows
    return rows + f"""INSERT INTO hierarchy (id, parentid, name, isproperty, primarytype) VALUES ('blob-{number}', 'doc-{number}', 'content', true, 'content');
      INSERT INTO content (id, data, digest, length, "mime-type", name) VALUES ('blob-{number}', '{key}', '{key}', {size}, 'text/plain', 'file {number}.txt');"""


def fill(data: Path) -> int:
    """Documents with blobs: some share one, some are gone and their blobs still there. How many blobs there are."""
    dice, statements, keys, content = random.Random(7), [_SCHEMA, "INSERT INTO repositories VALUES ('root', 'default');",
                                                           "INSERT INTO hierarchy (id, primarytype) VALUES ('root', 'Root');"], [], b""
    for number in range(DOCUMENTS):
        content = content if number % SHARED_EVERY == 8 else dice.randbytes(dice.randint(1, 60_000))
        keys.append(store(data, content))
        statements.append(document(str(number), keys[-1], len(content)))
        if number % DELETED_EVERY == 22:
            statements.append(f"DELETE FROM hierarchy WHERE id IN ('doc-{number}', 'blob-{number}');")
    statements.append("INSERT INTO nxp_uidseq (seq_index, seq_key) VALUES (4711, 'invoice'); INSERT INTO kv_work VALUES ('a', 1, 'b', '\\x00ff', NULL);")
    ask("\n".join(statements))
    return len(set(keys))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def tree(top: Path, kafka: str, engine: str, database: str, password: str) -> None:
    """The installation's templates, the configuration, and what is in the data directory beside blobs."""
    home, data = top / "home", top / "data"
    write(top / "etc/nuxeo.conf", CONF.format(top=top, kafka=kafka, engine=engine, database=database, password=password))
    (top / "etc/nuxeo.conf").chmod(0o600)
    write(home / "templates/nuxeo.defaults", "nuxeo.templates=default\nkafka.topicPrefix=nuxeo-\nkafka.enabled=false\n")
    write(home / "templates/common-base/nuxeo.defaults", "common-base.target=.\n")
    write(home / "templates/common/nuxeo.defaults", "nuxeo.template.includes=common-base\ncommon.target=.\n")
    write(home / "templates/postgresql/nuxeo.defaults", _POSTGRESQL)
    write(home / "templates/quartz-cluster/nuxeo.defaults", "quartz-cluster.target=.\n")
    write(home / "templates/custom/strongroom/nuxeo.defaults", "custom.target=.\n")
    write(home / "templates/custom/strongroom/config/own-config.xml", "<component name=\"own\"/>\n")
    write(home / "packages/.packages", json.dumps({"nuxeo-web-ui": 2}))
    write(data / "binaries/config.xml", _STORE)
    (data / "binaries/tmp").mkdir()
    write(data / "binaries/tmp/create_1.tmp", "half an upload")
    write(data / "transientstores/default/data/0a/big-record", "y" * 2_000_000)
    write(data / "avro/Record-0x1122334455667788.avsc", _AVRO)
    write(data / "instance.clid", "fixture--clid\n")
    write(data / "resources/hot.xml", "<component name=\"hot\"/>\n")


def main() -> None:
    top, kafka, engine, database, password = Path(sys.argv[1]), *sys.argv[2:5], Path(sys.argv[5]).read_text().rstrip("\n")
    tree(top, kafka, engine, database, password)
    blobs = fill(top / "data")
    print(f"{DOCUMENTS} documents, {blobs} blobs named by their MD5")


if __name__ == "__main__":
    main()
