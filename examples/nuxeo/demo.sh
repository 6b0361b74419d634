#!/usr/bin/env bash
# Backs up a sample Nuxeo instance, its Kafka streams and its audit index while all of it is in use, as one snapshot; proves the
# set, destroys the instance, restores it elsewhere, and lets Kafka's own client and the engine judge what is there.
#
# usage: demo.sh [--install] [--format zip|restic] [--kafka 3|4] [--mode backup|replicate] [DIR]
#
# With `--mode replicate` the streams come from the topics that are still there, up to the database's instant, not from the
# set. Everything happens in DIR (a new directory below $TMPDIR unless given). Kafka's jars and OpenSearch are fetched from Maven
# Central once, then the demo needs no network. What it started is stopped when it ends, however it ends.
set -euo pipefail
set -m # each background command gets its own process group, so that it can be stopped with all its children

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
USAGE='usage: demo.sh [--install] [--format zip|restic] [--kafka 3|4] [--mode backup|replicate] [DIR]'
KAFKA=4 MODE=backup WORKER=''
RESTORED_PREFIX=nxr1-
ENTRIES=2000 # audit entries that are there before; each document that comes adds one

# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$ROOT/examples/common.sh"
# shellcheck source-path=SCRIPTDIR source=../needs.sh
source "$ROOT/examples/needs.sh"
PRODUCT=nuxeo
# shellcheck source-path=SCRIPTDIR source=../postgresql.sh
source "$ROOT/examples/postgresql.sh"
# shellcheck source-path=SCRIPTDIR source=../search.sh
source "$ROOT/examples/search.sh"
# shellcheck source-path=SCRIPTDIR source=demo/pipeline.sh
source "$HERE/demo/pipeline.sh"
MAVEN=1 # needs.sh looks for what it takes

kafka() { "$ROOT/tests/services/kafka/kafka.sh" "$@"; }

end_started() {
  [[ -z $WRITER ]] || end_job "-$WRITER" "$WRITER"
  [[ -z $WORKER ]] || end_job "-$WORKER" "$WORKER"
  [[ -z $DIR ]] || stop_earlier
}

stop_earlier() { # the servers, also those of an earlier run that was killed
  stop_server
  kafka stop "$DIR/kafka"
  search stop "$DIR/engine"
}

make_instance() {
  headline "A sample Nuxeo instance with a private PostgreSQL, Kafka $KAFKA and OpenSearch"
  make_passwords '=' demo "${ROLES[@]}"
  start_server
  watched kafka start "$KAFKA" "$DIR/kafka"
  KAFKA_PORT=$(sed -n 's/^plain 1 //p' "$DIR/kafka/ports")
  watched search start os "$DIR/engine"
  make_databases
  as_role nuxeo nuxeo python3 "$HERE/demo/instance.py" "$DIR/instance" "$KAFKA_PORT" "$(port engine)" "$PORT" "$DIR/secrets/nuxeo"
  watched python3 "$HERE/demo/streams.py" "$DIR"
  mkdir "$DIR/audit"
  watched python3 "$ROOT/examples/search/data.py" "$DIR/audit" "$(port engine)" --count "$ENTRIES"
}

begin_use() {
  headline 'The instance is in use from here on'
  choose_role nuxeo nuxeo
  env "${CONNECTION[@]}" python3 "$HERE/demo/writer.py" "$DIR" </dev/null &
  WRITER=$!
  python3 "$HERE/demo/worker.py" "$DIR" </dev/null &
  WORKER=$!
  appears "$DIR/changes.jsonl" "$WRITER"
  appears "$DIR/commits.jsonl" "$WORKER"
  echo 'documents come, each with a blob, a record in audit-audit and an audit entry; work is queued in every codec, a worker reads the'
  echo 'queue work-default and commits'
}

end_use() {
  touch "$DIR/STOP"
  wait "$WRITER" || die "the writer ended with $?"
  WRITER=''
  wait "$WORKER" || die "the worker ended with $?"
  WORKER=''
  printf '\nThe writer and the worker stopped, after %s documents, %s records and %s commits\n' "$(wc -l <"$DIR/changes.jsonl")" \
    "$(wc -l <"$DIR/ledger-writer.jsonl")" "$(wc -l <"$DIR/commits.jsonl")"
}

back_up() {
  strongroom -c "$DIR/pipeline.toml" plugin accept --yes
  strongroom -c "$DIR/pipeline.toml" config validate
  make_repository
  strongroom -c "$DIR/pipeline.toml" plan
  watched python3 "$HERE/demo/compare.py" before "$DIR"
  strongroom -c "$DIR/pipeline.toml" backup
  strongroom -c "$DIR/pipeline.toml" snapshots
  strongroom -c "$DIR/pipeline.toml" verify
}

damage() {
  headline 'The instance is destroyed'
  watched python3 "$HERE/demo/compare.py" after "$DIR" "$MODE"
  mv "$DIR/instance" "$DIR/kept"
  mkdir -p "$DIR/instance/etc"
  echo 'overwritten' >"$DIR/instance/etc/nuxeo.conf"
  drop_tables
  case $MODE in
    backup) echo 'data, configuration, every table, every topic and both indices are gone' ;;
    replicate) echo 'data, configuration, every table and both indices are gone; the topics go on, with all that was written later' ;;
  esac
}

restore() {
  headline 'Restoring to other directories, another database and other topics'
  strongroom -c "$DIR/target.toml" restore latest
}

compare() {
  headline 'Comparing with the dumped transaction, the copy from before the damage, and the ledgers of what was acknowledged'
  as_role restorer nuxeo_restored python3 "$HERE/demo/compare.py" restored "$DIR" "$MODE" "$RESTORED_PREFIX"
}

parse() { # ARGUMENT…: sets INSTALL, KAFKA, MODE and WANTED
  while [[ $# -gt 0 ]]; do
    case $1 in
      --install) INSTALL=1 ;;
      --format) FORMAT=${2:-} && shift $(($# > 1)) ;;
      --kafka) KAFKA=${2:-} && shift $(($# > 1)) ;;
      --kafka=*) KAFKA=${1#*=} ;;
      --mode) MODE=${2:-} && shift $(($# > 1)) ;;
      --mode=*) MODE=${1#*=} ;;
      -*) die "$USAGE" ;;
      *) [[ -z $WANTED ]] || die "$USAGE"; WANTED=$1 ;;
    esac
    shift
  done
  [[ $KAFKA =~ ^[34]$ && $MODE =~ ^(backup|replicate)$ && $FORMAT =~ ^(zip|restic)$ ]] || die "$USAGE"
}

main() {
  parse "$@"
  begin
  headline 'Building strongroom and three plugins'
  build_with nuxeo nuxeo-streams elasticsearch-audit
  make_instance
  write_pipeline
  write_target
  begin_use
  back_up
  end_use
  damage
  restore
  unpack
  compare
  headline "Everything matched. Left to look at in $DIR: repository/, restored/, pipeline.toml, target.toml, *.jsonl, audit/"
}

main "$@"
