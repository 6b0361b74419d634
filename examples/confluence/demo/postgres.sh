# shellcheck shell=bash
# A private PostgreSQL cluster inside the demo's directory, with its roles and their passwords (sourced by demo.sh).

as_server() { # the server refuses root
  if [[ $EUID -eq 0 ]]; then
    (cd / && exec setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups --inh-caps=-all env HOME="$DIR/pg" "$@")
  else
    "$@"
  fi
}

start_postgres() {
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir -m 700 "$DIR/pg" "$DIR/secrets"
  local role
  install -m 600 /dev/null "$DIR/secrets/pgpass"
  for role in demo confluence backup restorer; do # the & shows that a rewritten cfg is escaped
    install -m 600 /dev/null "$DIR/secrets/$role"
    printf '%s&%s\n' "${role:0:1}" "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" >"$DIR/secrets/$role"
    printf '127.0.0.1:%s:*:%s:%s\n' "$PORT" "$role" "$(<"$DIR/secrets/$role")" >>"$DIR/secrets/pgpass"
  done
  cp "$DIR/secrets/demo" "$DIR/pg/password"
  if [[ $EUID -eq 0 ]]; then
    chown -R nobody: "$DIR/pg"
    as_server test -w "$DIR/pg" || die "$DIR cannot be reached by the user nobody, as whom PostgreSQL runs: choose another directory"
  fi
  as_server "$BIN/initdb" -D "$DIR/pg/data" -U demo --pwfile="$DIR/pg/password" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -w -t 30 -l "$DIR/pg/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$PORT -c unix_socket_directories= -c fsync=off" start
}

stop_postgres() {
  [[ -f $DIR/pg/data/postmaster.pid ]] || return 0
  as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -m fast -w -t 30 stop || as_server "$BIN/pg_ctl" -D "$DIR/pg/data" -s -m immediate -w -t 10 stop
}

choose_role() { # ROLE DATABASE: sets CONNECTION, for env
  CONNECTION=(PGHOST=127.0.0.1 "PGPORT=$PORT" "PGUSER=$1" "PGDATABASE=$2" "PGPASSFILE=$DIR/secrets/pgpass" "PATH=$BIN:$PATH")
}

as_role() { # ROLE DATABASE COMMAND…
  choose_role "$1" "$2"
  env "${CONNECTION[@]}" "${@:3}"
}

sql() { # ROLE DATABASE < SQL, which may name each role's password
  local role variables=()
  for role in confluence backup restorer; do variables+=("\\set ${role}_password \`cat '$DIR/secrets/$role'\`"); done
  { printf '%s\n' "${variables[@]}" && cat; } | as_role "$1" "$2" psql -Xqw -v ON_ERROR_STOP=1 >/dev/null
}

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
