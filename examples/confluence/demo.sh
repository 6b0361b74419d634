#!/usr/bin/env bash
# Backs up a sample Confluence site while it is being changed, proves the set, destroys the site, restores it elsewhere, and compares.
#
# usage: demo.sh [--install] [DIR]
#
# Everything happens in DIR (a new directory below $TMPDIR unless given); the demo needs no network, and no right but to
# install what is missing when --install is given. What it started is stopped when it ends, however it ends.
set -euo pipefail
set -m # each background command gets its own process group, so that it can be stopped with all its children

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 LC_ALL=C.UTF-8 # else unzip escapes names that the locale cannot show
DIR='' PORT='' BIN='' WRITER='' CHILD='' CONNECTION=()

# shellcheck source-path=SCRIPTDIR source=demo/needs.sh
source "$HERE/demo/needs.sh"
# shellcheck source-path=SCRIPTDIR source=demo/postgres.sh
source "$HERE/demo/postgres.sh"

die() {
  printf 'demo.sh: %s\n' "$*" >&2
  exit 1
}

headline() { printf '\n== %s\n' "$*"; }

watched() { # runs a command so that a signal reaches this script at once, and the command's children by it
  local status=0
  "$@" </dev/null &
  CHILD=$!
  wait "$CHILD" || status=$?
  CHILD=''
  return "$status"
}

show() { # prints a command as the reader would type it, and runs it
  printf '\n$ %s\n' "${*//"$DIR"/\$DIR}"
  watched "$@"
}

strongroom() {
  printf '\n$ strongroom %s\n' "${*//"$DIR"/\$DIR}"
  watched "$TARGET/release/strongroom" "$@"
}

end_job() { # WHOM PID: asks WHOM to end, waits ten seconds for the whole group of PID, insists
  local left=100
  kill -TERM -- "$1" 2>/dev/null || return 0
  while kill -0 -- "-$2" 2>/dev/null; do
    ((left-- > 0)) || { kill -KILL -- "-$2" 2>/dev/null || true; break; }
    sleep 0.1
  done
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  [[ -z $CHILD ]] || end_job "-$CHILD" "$CHILD"
  [[ -z $WRITER ]] || end_job "$WRITER" "$WRITER"
  [[ -z $PORT ]] || stop_postgres
  if [[ $status -ne 0 && -n $DIR ]]; then printf '\nThe demo failed (%s). What there is to look at: %s\n' "$status" "$DIR" >&2; fi
  exit "$status"
}

choose_directory() { # [DIR]
  DIR=${1:-$(mktemp -d "${TMPDIR:-/tmp}/strongroom-demo.XXXXXX")}
  mkdir -p "$DIR"
  DIR=$(cd "$DIR" && pwd -P)
  [[ $DIR =~ ^[A-Za-z0-9_./+@-]+$ ]] || die "choose a DIR of letters, digits and _./+@- (it is written into configuration files): $DIR"
  if [[ ! -f $DIR/.strongroom-demo && -n $(ls -A "$DIR") ]]; then
    local foreign=$DIR
    DIR=''
    die "$foreign is not empty and was not made by this demo"
  fi
  chmod 755 "$DIR"
  stop_postgres # of an earlier run that was killed
  find "$DIR" -mindepth 1 -delete
  touch "$DIR/.strongroom-demo"
  echo "Working in $DIR"
}

build() {
  headline 'Building strongroom and two plugins'
  show cargo build --release --locked --manifest-path "$ROOT/Cargo.toml"
  strongroom plugin build "$ROOT/plugins/confluence" "$ROOT/plugins/files" --out "$DIR/plugins"
}

make_site() {
  headline 'A sample Confluence site on a private PostgreSQL'
  start_postgres
  make_databases
  as_role confluence confluence python3 "$HERE/demo/site.py" "$DIR/site/install" "$DIR/site/home" "$(jdbc confluence)" "$DIR/secrets/confluence"
}

jdbc() { printf 'jdbc:postgresql://127.0.0.1:%s/%s?ApplicationName=wiki&connectTimeout=10' "$PORT" "$1"; }

write_pipeline() {
  mkdir -p "$DIR/bin" "$DIR/truth" "$DIR/restored/home" "$DIR/restored/install"
  printf '#!/bin/sh\nexec python3 %q "$@"\n' "$HERE/demo/paced_dump.py" >"$DIR/bin/paced-dump"
  chmod 755 "$DIR/bin/paced-dump"
  cat >"$DIR/pipeline.toml" <<TOML
# What to back up, with which plugin, granted what, to where.
[pipeline]
name = "wiki"
state = "$DIR/state"

# The keys and passwords of this site are made up: they may stand in its snapshot in clear.
[pipeline.severity]
clear-secrets = "info"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.wiki]
plugin = "confluence"

[step.wiki.grant.dirs.install]
path = "$DIR/site/install"
access = "read"

[step.wiki.grant.dirs.home]
path = "$DIR/site/home"
access = "read"

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

write_target() {
  cat >"$DIR/target.toml" <<TOML
# Where to restore: other directories, another database, another role.
[pipeline]
name = "wiki-restored"
state = "$DIR/state-restored"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.wiki]
plugin = "confluence"

[step.wiki.grant.dirs.install]
path = "$DIR/restored/install"
access = "write"

[step.wiki.grant.dirs.home]
path = "$DIR/restored/home"
access = "write"

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

start_writer() {
  headline 'The site is in use from here on'
  choose_role confluence confluence
  env "${CONNECTION[@]}" python3 "$HERE/demo/writer.py" "$DIR/site/home" "$DIR/journal.jsonl" </dev/null &
  WRITER=$!
  local left=100
  until [[ -s $DIR/journal.jsonl ]]; do
    if ! kill -0 "$WRITER" 2>/dev/null || ((left-- == 0)); then die 'the writer did not start'; fi
    sleep 0.1
  done
  echo 'pages and attachments are added, re-versioned, trashed and purged, 15 changes a second'
}

stop_writer() {
  kill -0 "$WRITER" 2>/dev/null || die 'the writer failed while the backup ran'
  kill -TERM "$WRITER"
  wait "$WRITER" || die "the writer ended with $?"
  WRITER=''
  echo "the writer stopped after $(wc -l <"$DIR/journal.jsonl") changes"
}

back_up() {
  strongroom -c "$DIR/pipeline.toml" plugin accept --yes
  strongroom -c "$DIR/pipeline.toml" config validate
  strongroom -c "$DIR/pipeline.toml" plan
  date +'{"began": %s.%N}' >"$DIR/times.json"
  strongroom -c "$DIR/pipeline.toml" backup
  strongroom -c "$DIR/pipeline.toml" snapshots
  strongroom -c "$DIR/pipeline.toml" verify
}

damage() {
  headline 'The site is destroyed'
  mkdir "$DIR/kept"
  cp -a "$DIR/site/install" "$DIR/site/home" "$DIR/kept/"
  rm -r "$DIR/site/home/keys" "$DIR/site/home/attachments/v4"
  echo 'overwritten' >"$DIR/site/home/confluence.cfg.xml"
  sql confluence confluence <<<'SET client_min_messages = warning; DROP SCHEMA public CASCADE;'
  echo 'attachments and keys deleted, confluence.cfg.xml overwritten, every table dropped'
}

restore() {
  headline 'Restoring to other directories and another database'
  strongroom -c "$DIR/target.toml" restore latest
}

unpack() {
  headline 'The set, without strongroom'
  mkdir "$DIR/proof"
  local sets=("$DIR"/repository/*.zip)
  [[ ${#sets[@]} -eq 1 && -f ${sets[0]} ]] || die "one set was to be in $DIR/repository, not ${#sets[@]}"
  cd "$DIR/proof"
  show unzip -q "${sets[0]}"
  show sha256sum --quiet --strict -c SHA256SUMS
  echo "all $(wc -l <SHA256SUMS) sums hold"
  cd "$ROOT"
}

compare() {
  headline 'Comparing with the dumped transaction, the copy from before the damage, and the journal'
  python3 - "$DIR/restored/home" "$(jdbc confluence_restored)" "$DIR/secrets/restorer" >"$DIR/secrets/new.json" <<'PYTHON'
import json, sys
home, url, password = sys.argv[1:]
print(json.dumps({"confluence.home": home, "daily.backup.dir": f"{home}/backups", "hibernate.connection.url": url,
                  "hibernate.connection.username": "restorer", "hibernate.connection.password": open(password).read().rstrip("\n")}))
PYTHON
  as_role restorer confluence_restored python3 "$HERE/demo/compare.py" "$DIR"
}

main() {
  local install=''
  if [[ ${1:-} == --install ]]; then install=1 && shift; fi
  [[ $# -le 1 && ${1:-} != -* ]] || die 'usage: demo.sh [--install] [DIR]'
  if [[ -n $install ]]; then install_missing; fi
  find_missing || {
    printf '%s\n' "${MISSING[@]}" >&2
    die 'some things are missing; as root on Debian or Ubuntu, --install installs what packages provide'
  }
  BIN=$(postgres_directory)
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  choose_directory "${1:-}"
  build
  make_site
  write_pipeline
  write_target
  start_writer
  back_up
  stop_writer
  damage
  restore
  unpack
  compare
  headline "Everything matched. Left to look at in $DIR: repository/*.zip, restored/, pipeline.toml, target.toml"
}

main "$@"
