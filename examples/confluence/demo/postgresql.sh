# shellcheck shell=bash
# The site's database on a private PostgreSQL cluster inside the demo's directory (sourced by demo.sh).
# mariadb.sh and h2.sh have the same functions.

# What demo.sh says of it.
# shellcheck disable=SC2034
PLACE='on a private PostgreSQL' LOST='every table dropped' TRUTH='the dumped transaction, the copy from before the damage, and the journal'

# shellcheck source-path=SCRIPTDIR source=../../postgresql.sh
source "$ROOT/examples/postgresql.sh"
ROLES=(confluence backup restorer)

drop_tables() { sql confluence confluence <<<'SET client_min_messages = warning; DROP SCHEMA public CASCADE;'; }

jdbc() { printf 'jdbc:postgresql://127.0.0.1:%s/%s?ApplicationName=wiki&connectTimeout=10' "$PORT" "$1"; }

make_databases() {
  sql demo postgres <<'SQL'
CREATE ROLE confluence LOGIN PASSWORD :'confluence_password';
CREATE ROLE restorer LOGIN PASSWORD :'restorer_password';
CREATE ROLE backup LOGIN PASSWORD :'backup_password';
CREATE DATABASE confluence OWNER confluence TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE confluence_restored OWNER restorer TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE confluence, confluence_restored FROM PUBLIC;
GRANT CONNECT ON DATABASE confluence TO backup;
SQL
  sql confluence confluence <<'SQL'
-- The least that a backup needs: to look at every table and sequence, also at those that add-ons create later.
GRANT USAGE ON SCHEMA public TO backup;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO backup;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO backup;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO backup;
SQL
}

backup_grants() {
  paced paced_dump.py
  cat <<TOML

[step.wiki.grant.sql.database]
url = "postgresql://backup@127.0.0.1:$PORT/confluence"
password = { file = "$DIR/secrets/backup" }

# pg_dump behind a wrapper of this demo: it notes what the shared snapshot holds, and slows the dump down.
[step.wiki.grant.tools.dump]
argv = ["$DIR/bin/paced-dump", "$DIR/truth", "--format=custom", "--compress=0", "--snapshot={snapshot:word}",
        "--host={sql.database.host}", "--port={sql.database.port}", "--dbname={sql.database.name}", "--username={sql.database.user}"]
env = { PATH = "$BIN:/usr/bin:/bin", PYTHONDONTWRITEBYTECODE = "1", PGPASSWORD = { secret = { file = "$DIR/secrets/backup" } } }

[step.wiki.grant.tools.read-dump]
argv = ["$BIN/pg_restore", "-f", "-"]
offline = true
TOML
}

restore_grants() {
  cat <<TOML

[step.wiki.grant.sql.database]
url = "postgresql://restorer@127.0.0.1:$PORT/confluence_restored"
password = { file = "$DIR/secrets/restorer" }

[step.wiki.grant.secrets]
database-password = { file = "$DIR/secrets/restorer" }

[step.wiki.grant.tools.dump]
argv = ["$BIN/pg_dump", "--format=custom", "--compress=0", "--snapshot={snapshot:word}",
        "--host={sql.database.host}", "--port={sql.database.port}", "--dbname={sql.database.name}", "--username={sql.database.user}"]
env = { PGPASSWORD = { secret = { file = "$DIR/secrets/restorer" } } }

[step.wiki.grant.tools.read-dump]
argv = ["$BIN/pg_restore", "-f", "-"]
offline = true

[step.wiki.grant.tools.restore]
argv = ["$BIN/pg_restore", "--exit-on-error", "--no-owner", "--no-acl", "--single-transaction",
        "--host={sql.database.host}", "--port={sql.database.port}", "--dbname={sql.database.name}", "--username={sql.database.user}"]
env = { PGPASSWORD = { secret = { file = "$DIR/secrets/restorer" } } }
TOML
}

begin_use() { start_writer; }

plan() { strongroom -c "$DIR/pipeline.toml" plan; }

end_use() { stop_writer; }
