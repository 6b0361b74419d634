# shellcheck shell=bash
# The site's database on a private PostgreSQL cluster inside the demo's directory (sourced by demo.sh).
# mariadb.sh and h2.sh have the same functions.

# What demo.sh says of it.
# shellcheck disable=SC2034
PLACE='on a private PostgreSQL' LOST='every table dropped' TRUTH='the dumped transaction, the copy from before the damage, and the journal'

PRODUCT=confluence
# shellcheck source-path=SCRIPTDIR source=../../postgresql.sh
source "$ROOT/examples/postgresql.sh"

jdbc() { printf 'jdbc:postgresql://127.0.0.1:%s/%s?ApplicationName=wiki&connectTimeout=10' "$PORT" "$1"; }

backup_grants() {
  paced paced_dump.py
  grants_to_dump wiki "$DIR/bin/paced-dump" "$DIR/truth"
}

restore_grants() { grants_to_restore wiki; }

begin_use() { start_writer; }

plan() { strongroom -c "$DIR/pipeline.toml" plan; }

end_use() { stop_writer; }
