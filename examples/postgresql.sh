# shellcheck shell=bash
# A private PostgreSQL cluster inside a demo's directory (sourced after common.sh and needs.sh). Its superuser is `demo`; the
# password of each role is a file in $DIR/secrets, and ROLES names the others.

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
