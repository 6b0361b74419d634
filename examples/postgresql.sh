# shellcheck shell=bash
# A private PostgreSQL cluster inside a demo's directory (sourced after common.sh and needs.sh). Its superuser is `demo`; the
# password of each role is a file in $DIR/secrets. PRODUCT is the name of the product's database and of the role that owns it.

ROLES=("$PRODUCT" backup restorer)

start_server() {
  local role
  BIN=$(postgres_directory)
  choose_port
  mkdir -m 700 "$DIR/pg"
  install -m 600 /dev/null "$DIR/secrets/pgpass"
  for role in demo "${ROLES[@]}"; do
    printf '127.0.0.1:%s:*:%s:%s\n' "$PORT" "$role" "$(<"$DIR/secrets/$role")" >>"$DIR/secrets/pgpass"
  done
  cp "$DIR/secrets/demo" "$DIR/pg/password"
  give_to_server "$DIR/pg"
  as_server "$BIN/initdb" -D "$DIR/pg/data" -U demo --pwfile="$DIR/pg/password" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -w -t 30 -l "$DIR/pg/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$PORT -c unix_socket_directories= -c fsync=off" start
}

stop_server() {
  [[ -f $DIR/pg/data/postmaster.pid ]] || return 0
  BIN=$(postgres_directory)
  as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -m fast -w -t 30 stop || as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -m immediate -w -t 10 stop
}

choose_role() { # ROLE DATABASE: sets CONNECTION, for env
  CONNECTION=(PGHOST=127.0.0.1 "PGPORT=$PORT" "PGUSER=$1" "PGDATABASE=$2" "PGPASSFILE=$DIR/secrets/pgpass" "PATH=$BIN:$PATH")
}

sql() { # ROLE DATABASE < SQL, which may name each role's password
  local role variables=()
  for role in "${ROLES[@]}"; do variables+=("\\set ${role}_password \`cat '$DIR/secrets/$role'\`"); done
  { printf '%s\n' "${variables[@]}" && cat; } | as_role "$1" "$2" psql -Xqw -v ON_ERROR_STOP=1 >/dev/null
}

drop_tables() { sql "$PRODUCT" "$PRODUCT" <<<'SET client_min_messages = warning; DROP SCHEMA public CASCADE;'; }

make_databases() { # the product's, and an empty one to restore it to
  sql demo postgres <<SQL
CREATE ROLE $PRODUCT LOGIN PASSWORD :'${PRODUCT}_password';
CREATE ROLE restorer LOGIN PASSWORD :'restorer_password';
CREATE ROLE backup LOGIN PASSWORD :'backup_password';
CREATE DATABASE $PRODUCT OWNER $PRODUCT TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE ${PRODUCT}_restored OWNER restorer TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE $PRODUCT, ${PRODUCT}_restored FROM PUBLIC;
GRANT CONNECT ON DATABASE $PRODUCT TO backup;
SQL
  sql "$PRODUCT" "$PRODUCT" <<'SQL'
-- The least that a backup needs: to look at every table and sequence, also at those that add-ons create later.
GRANT USAGE ON SCHEMA public TO backup;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO backup;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO backup;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO backup;
SQL
}

grants_to_dump() { # STEP WRAPPER…: the grants of a step whose database is saved by pg_dump behind a wrapper
  local wrapper
  wrapper=$(printf '"%s", ' "${@:2}")
  cat <<TOML

[step.$1.grant.sql.database]
url = "postgresql://backup@127.0.0.1:$PORT/$PRODUCT"
password = { file = "$DIR/secrets/backup" }

# pg_dump behind a wrapper of this demo: it notes what the shared snapshot holds, and slows the dump down.
[step.$1.grant.tools.dump]
argv = [$wrapper$(dump_options)]
env = { PATH = "$BIN:/usr/bin:/bin", PYTHONDONTWRITEBYTECODE = "1", PGPASSWORD = { secret = { file = "$DIR/secrets/backup" } } }
TOML
  grant_to_read_dump "$1"
}

grants_to_restore() { # STEP: the grants of a step whose database is restored by another role, into the empty one
  cat <<TOML

[step.$1.grant.sql.database]
url = "postgresql://restorer@127.0.0.1:$PORT/${PRODUCT}_restored"
password = { file = "$DIR/secrets/restorer" }

[step.$1.grant.secrets]
database-password = { file = "$DIR/secrets/restorer" }

[step.$1.grant.tools.dump]
argv = ["$BIN/pg_dump", $(dump_options)]
env = { PGPASSWORD = { secret = { file = "$DIR/secrets/restorer" } } }

[step.$1.grant.tools.restore]
argv = ["$BIN/pg_restore", "--exit-on-error", "--no-owner", "--no-acl", "--single-transaction",
        $(connection_options)]
env = { PGPASSWORD = { secret = { file = "$DIR/secrets/restorer" } } }
TOML
  grant_to_read_dump "$1"
}

grant_to_read_dump() { # STEP
  cat <<TOML

[step.$1.grant.tools.read-dump]
argv = ["$BIN/pg_restore", "-f", "-"]
offline = true
TOML
}

dump_options() { printf '"--format=custom", "--compress=0", "--snapshot={snapshot:word}",\n        %s' "$(connection_options)"; }

connection_options() {
  printf '"--host={sql.database.host}", "--port={sql.database.port}", "--dbname={sql.database.name}", "--username={sql.database.user}"'
}
