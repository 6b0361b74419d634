#!/usr/bin/env bash
# Backs up an audit index of 200,000 documents while entries come, proves the set, restores it to an empty engine and beside the
# indices that are there, and judges each document by what the engine had acknowledged.
#
# usage: demo.sh [--install] [--format zip|restic] [--engine opensearch|elasticsearch] [--way export|snapshot|reference] [--count N] [DIR]
#
# `--way snapshot` has the engine write a snapshot of its own, whose files become the set; with `reference` it stays in a repository of
# the engine, and the set only names it; `export` reads the documents. Everything happens in DIR (a new directory below $TMPDIR unless
# given). The engine is fetched from Maven Central once, then the demo needs no network. What it started is stopped when it ends, however it ends.
set -euo pipefail
set -m # each background command gets its own process group, so that it can be stopped with all its children

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$HERE/../.." && pwd -P)
USAGE='usage: demo.sh [--install] [--format zip|restic] [--engine opensearch|elasticsearch] [--way export|snapshot|reference] [--count N] [DIR]'
ENGINE=opensearch WAY=export COUNT=200000
BESIDE=restored- # how the names of what is restored beside the old indices begin

# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$ROOT/examples/common.sh"
# shellcheck source-path=SCRIPTDIR source=../needs.sh
source "$ROOT/examples/needs.sh"
# shellcheck source-path=SCRIPTDIR source=../search.sh
source "$ROOT/examples/search.sh"
# shellcheck source-path=SCRIPTDIR source=demo/pipeline.sh
source "$HERE/demo/pipeline.sh"
DATABASE='' MAVEN=1 # needs.sh looks for what it takes

end_started() {
  [[ -z $WRITER ]] || end_job "-$WRITER" "$WRITER"
  [[ -z $DIR ]] || stop_earlier
}

stop_earlier() { # the engines, also those of an earlier run that was killed
  search stop "$DIR/engine"
  search stop "$DIR/empty"
}

start_engine() { # NAME
  local short=os
  [[ $ENGINE == opensearch ]] || short=es
  watched search start "$short" "$DIR/$1" --heap 1g # half of it is full while 200,000 documents are read and written at once
}

repository() { # make|lend ENGINE: the engine's own, where its snapshots are to stay
  [[ $WAY != reference ]] || watched python3 "$HERE/demo/repository.py" "$1" "$DIR" "$(port "$2")"
}

judge() { # WHAT ARGUMENT…
  watched python3 "$HERE/demo/compare.py" "$1" "$DIR" "${@:2}"
}

make_indices() {
  headline "A private engine ($ENGINE) with $COUNT audit documents"
  start_engine engine
  watched python3 "$ROOT/examples/search/data.py" "$DIR" "$(port engine)" --count "$COUNT"
  judge before "$(port engine)"
  repository make engine
}

begin_use() {
  headline 'Entries come from here on; some are changed, some removed'
  python3 "$HERE/demo/writer.py" "$DIR" "$(port engine)" </dev/null &
  WRITER=$!
  appears "$DIR/ledger-writer.jsonl" "$WRITER"
}

end_use() {
  touch "$DIR/STOP"
  wait "$WRITER" || die "the writer ended with $?"
  WRITER=''
  printf '\nThe writer stopped, after %s changes\n' "$(wc -l <"$DIR/ledger-writer.jsonl")"
}

back_up() {
  strongroom -c "$DIR/pipeline.toml" plugin accept --yes
  strongroom -c "$DIR/pipeline.toml" config validate
  make_repository
  strongroom -c "$DIR/pipeline.toml" plan
  strongroom -c "$DIR/pipeline.toml" backup
  strongroom -c "$DIR/pipeline.toml" snapshots
  strongroom -c "$DIR/pipeline.toml" verify
}

restore_elsewhere() {
  headline 'Restoring to an empty engine'
  start_engine empty
  repository lend empty
  write_target "$(port empty)" "$DIR/empty" '' >"$DIR/target.toml"
  strongroom -c "$DIR/target.toml" restore latest
  headline 'Comparing with what the engine had acknowledged'
  judge use
  judge restored "$(port empty)"
  judge goes-on "$(port empty)"
}

restore_beside() {
  headline 'Restoring beside the indices that are there'
  write_target "$(port engine)" "$DIR/engine" "$BESIDE" >"$DIR/beside.toml"
  strongroom -c "$DIR/beside.toml" restore latest
  judge restored "$(port engine)" "$BESIDE"
  judge untouched "$(port engine)"
}

parse() { # ARGUMENT…: sets INSTALL, ENGINE, WAY, COUNT and WANTED
  while [[ $# -gt 0 ]]; do
    case $1 in
      --install) INSTALL=1 ;;
      --format) FORMAT=${2:-} && shift $(($# > 1)) ;;
      --engine | --way | --count)
        [[ $# -gt 1 ]] || die "$USAGE"
        case $1 in --engine) ENGINE=$2 ;; --way) WAY=$2 ;; --count) COUNT=$2 ;; esac
        shift
        ;;
      -*) die "$USAGE" ;;
      *) [[ -z $WANTED ]] || die "$USAGE"; WANTED=$1 ;;
    esac
    shift
  done
  [[ $ENGINE =~ ^(opensearch|elasticsearch)$ && $WAY =~ ^(export|snapshot|reference)$ && $FORMAT =~ ^(zip|restic)$ && $COUNT =~ ^[1-9][0-9]{4,6}$ ]] || die "$USAGE"
}

main() {
  parse "$@"
  begin
  headline 'Building strongroom and a plugin'
  build_with elasticsearch-audit
  make_indices
  write_pipeline >"$DIR/pipeline.toml"
  begin_use
  back_up
  end_use
  unpack
  restore_elsewhere
  restore_beside
  headline "Everything matched. Left to look at in $DIR: repository/, proof/, pipeline.toml, target.toml, beside.toml, ledger*.jsonl"
}

main "$@"
