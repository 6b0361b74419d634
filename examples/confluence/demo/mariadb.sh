# shellcheck shell=bash
# The site's database on a private MariaDB inside the demo's directory (sourced by demo.sh, as postgresql.sh and h2.sh are).

# What demo.sh says of it.
# shellcheck disable=SC2034
PLACE='on a private MariaDB' LOST='every table dropped' TRUTH='the dumped transaction, the copy from before the damage, and the journal'

start_server() {
  local role left=300 modest=(--innodb-buffer-pool-size=64M --innodb-use-native-aio=0 --debug-no-sync --sync-frm=0 --innodb-flush-method=nosync --innodb-doublewrite=0)
  choose_port
  mkdir -m 700 "$DIR/my"
  for role in demo confluence backup restorer; do
    install -m 600 /dev/null "$DIR/secrets/$role.cnf"
    printf '[client]\nprotocol=tcp\nhost=127.0.0.1\nport=%s\nuser=%s\npassword="%s"\n' "$PORT" "$role" "$(<"$DIR/secrets/$role")" >"$DIR/secrets/$role.cnf"
  done
  printf "CREATE USER demo@'127.0.0.1' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO demo@'127.0.0.1' WITH GRANT OPTION;\n" "$(<"$DIR/secrets/demo")" >"$DIR/my/init.sql"
  give_to_server "$DIR/my"
  as_server env "PATH=$PATH:/usr/sbin" mariadb-install-db --no-defaults --datadir="$DIR/my/data" --skip-test-db "${modest[@]}" >/dev/null
  # A relative socket lies in the data directory, however long the path to it is.
  as_server env "PATH=$PATH:/usr/sbin" mariadbd --no-defaults --datadir="$DIR/my/data" --bind-address=127.0.0.1 --port="$PORT" \
    --socket=socket --pid-file="$DIR/my/pid" --init-file="$DIR/my/init.sql" --skip-name-resolve "${modest[@]}" </dev/null >"$DIR/my.log" 2>&1 &
  SERVER=$!
  disown # its end is no news
  until sql demo mysql <<<'SELECT 1;' 2>/dev/null; do
    ((left-- > 0)) || die "MariaDB did not start: $(tail -n 5 "$DIR/my.log")"
    sleep 0.1
  done
}

stop_server() {
  local server left=300
  if [[ -n $SERVER ]]; then end_job "-$SERVER" "$SERVER" && return; fi
  [[ -f $DIR/my/pid ]] || return 0
  server=$(<"$DIR/my/pid")
  # The file of a killed server may name another process by now.
  tr '\0' '\n' 2>/dev/null <"/proc/$server/cmdline" | grep -qxF -- "--datadir=$DIR/my/data" || return 0
  kill -TERM "$server"
  while kill -0 "$server" 2>/dev/null; do
    ((left-- > 0)) || { kill -KILL "$server" || true; break; }
    sleep 0.1
  done
}

choose_role() { # ROLE DATABASE: sets CONNECTION, for env
  local options=$DIR/secrets/$1-$2.cnf
  { cat "$DIR/secrets/$1.cnf" && printf '[mariadb-client]\ndatabase=%s\n' "$2"; } | install -m 600 /dev/stdin "$options"
  CONNECTION=("MARIADB_DEFAULTS=$options")
}

sql() { # ROLE DATABASE < SQL
  choose_role "$1" "$2"
  mariadb --defaults-file="$DIR/secrets/$1-$2.cnf" --default-character-set=utf8mb4 --batch >/dev/null
}

drop_tables() { sql demo mysql <<<'DROP DATABASE confluence;'; }

jdbc() { printf 'jdbc:mysql://127.0.0.1:%s/%s?useUnicode=true&connectTimeout=10000' "$PORT" "$1"; }

make_databases() {
  local role
  for role in confluence backup restorer; do
    printf "CREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s';\n" "$role" "$(<"$DIR/secrets/$role")"
  done | sql demo mysql
  sql demo mysql <<'SQL'
CREATE DATABASE confluence CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE confluence_restored CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
GRANT ALL ON confluence.* TO confluence@'127.0.0.1';
-- The least that a backup needs: to look at everything, and to stop writes for the moment in which the dump begins.
GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES ON confluence.* TO backup@'127.0.0.1';
GRANT RELOAD ON *.* TO backup@'127.0.0.1';
GRANT ALL ON confluence_restored.* TO restorer@'127.0.0.1';
-- Restored triggers belong to the role which made the old ones, and run with its rights.
GRANT SET USER ON *.* TO restorer@'127.0.0.1';
GRANT TRIGGER ON confluence_restored.* TO confluence@'127.0.0.1';
SQL
}

backup_grants() {
  paced paced_mariadb_dump.py
  cat <<TOML

[step.wiki.grant.sql.database]
url = "mariadb://backup@127.0.0.1:$PORT/confluence"
password = { file = "$DIR/secrets/backup" }

# mariadb-dump behind a wrapper of this demo: it notes what the database holds at that moment, and slows the dump down.
[step.wiki.grant.tools.dump]
argv = ["$DIR/bin/paced-dump", "$DIR/truth", $(dump_options)]
env = { PATH = "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE = "1", DEMO_DATABASE = "mariadb", MYSQL_PWD = { secret = { file = "$DIR/secrets/backup" } } }
TOML
}

restore_grants() {
  cat <<TOML

[step.wiki.grant.sql.database]
url = "mariadb://restorer@127.0.0.1:$PORT/confluence_restored"
password = { file = "$DIR/secrets/restorer" }

[step.wiki.grant.secrets]
database-password = { file = "$DIR/secrets/restorer" }

[step.wiki.grant.tools.dump]
argv = ["$(command -v mariadb-dump)", $(dump_options)]
env = { MYSQL_PWD = { secret = { file = "$DIR/secrets/restorer" } } }

[step.wiki.grant.tools.restore]
argv = ["$(command -v mariadb)", "--no-defaults", "--default-character-set=utf8mb4", $(connection_options)]
env = { MYSQL_PWD = { secret = { file = "$DIR/secrets/restorer" } } }
TOML
}

dump_options() {
  printf '"--no-defaults", "--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob",\n'
  printf '        "--default-character-set=utf8mb4", "--no-tablespaces", '
  connection_options
}

connection_options() {
  printf '"--protocol=tcp", "--host={sql.database.host}", "--port={sql.database.port}",\n'
  printf '        "--user={sql.database.user}", "{sql.database.name}"'
}

begin_use() { start_writer; }

plan() { strongroom -c "$DIR/pipeline.toml" plan; }

end_use() { stop_writer; }
