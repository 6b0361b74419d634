# The section `search` of bench.sh: documents of a private OpenSearch through plugins/elasticsearch-audit, through elasticdump, and
# through a bare loop, in turn. Sourced; rows, rounds and directories are bench.sh's.

ENGINE='' ENGINE_PORT='' INDEX=nuxeo-audit
ELASTICDUMP=6.125.1 ELASTICDUMP_PAGE=10000

engine_up() {
  needs java mvn node npm unzip
  ENGINE=$FAST/engine
  "$ROOT/tests/services/search/search.sh" start os "$ENGINE" --heap 2g >&2
  ENGINE_PORT=$(<"$ENGINE/port")
  [[ -n ${AUDIT_WASM:-} ]] || {
    "$STRONGROOM" plugin build "$ROOT/plugins/elasticsearch-audit" --out "$DIR/plugins" >&2
    AUDIT_WASM=$DIR/plugins/elasticsearch-audit.wasm
  }
  npm install --silent --no-audit --no-fund --prefix "$DIR/npm" "elasticdump@$ELASTICDUMP" >&2
}

engine_down() {
  [[ -z $ENGINE ]] || "$ROOT/tests/services/search/search.sh" stop "$ENGINE"
  ENGINE=''
}

bare() { python3 -B "$ROOT/tests/bench/bare_search.py" "$1" "$ENGINE_PORT" "${@:2}"; }

audit_pipeline() { # NAME CONFIG: one that saves or restores the index
  pipeline_of "$1" "$OUT" <<TOML
compression = "off"
[step.audit]
plugin = "$AUDIT_WASM"
config = { $2 }
grant.http.engine = { url = "http://127.0.0.1:$ENGINE_PORT", methods = ["GET", "POST", "PUT", "DELETE"] }
TOML
}

elasticdump() { # INPUT OUTPUT: prints its seconds
  timed "$DIR/npm/node_modules/.bin/elasticdump" --quiet --type=data "--limit=$ELASTICDUMP_PAGE" "--input=$1" "--output=$2" | first
}

is_whole() { # WHAT COUNT: what is there is said; of ours, it has to be all
  [[ $2 == "$DOCUMENTS" ]] && return
  printf '%s has %s documents of %s\n' "$1" "$2" "$DOCUMENTS" >&2
  [[ $1 != strongroom* ]] || die "$1 is not complete"
  SHORT+=" $1"
}

export_round() {
  fresh
  part_seconds / export backup | tee -a "$DIR/export-ours"
  is_whole "strongroom's set" "$(unzip -p "$OUT"/repository/*.zip 'audit/*.ndjson' | grep -c '^{"index":{')"
  rm -f "$FAST/dump.json"
  elasticdump "http://127.0.0.1:$ENGINE_PORT/$INDEX" "$FAST/dump.json" | tee -a "$DIR/export-elasticdump"
  is_whole "elasticdump's file" "$(wc -l <"$FAST/dump.json")"
  bare read "$INDEX" "$ELASTICDUMP_PAGE" 1 | tee -a "$DIR/export-bare"
  bare read "$INDEX" "$ELASTICDUMP_PAGE" 2 | tee -a "$DIR/export-bare-two"
}

import_round() {
  part_seconds / import restore | tee -a "$DIR/import-ours"
  is_whole "strongroom's index" "$(bare count back)"
  bare remove back
  bare make copy "$INDEX"
  elasticdump "$FAST/dump.json" "http://127.0.0.1:$ENGINE_PORT/copy" | tee -a "$DIR/import-elasticdump"
  is_whole "elasticdump's index" "$(bare count copy)"
  bare remove copy
  rm -rf "$FAST/objects"
  unzip -q "$OUT"/repository/*.zip 'audit/*.ndjson' -d "$FAST/objects"
  bare_import 1 import-bare
  bare_import 2 import-bare-two
}

bare_import() { # LANES FILE: adds its seconds to the file
  bare make copy "$INDEX"
  find "$FAST/objects" -name '*.ndjson' -print0 | sort -z | xargs -0 -n 100000 bash -c 'bare write copy "$@"' bare "$1" | tee -a "$DIR/$2"
  is_whole "the bare loop's index" "$(bare count copy)"
  bare remove copy
}

search_rows() { # WHAT TOOL...
  local ours theirs tool name
  ours=$(first <"$DIR/$1-ours" | median)
  for tool in "${@:2}"; do
    theirs=$(median <"$DIR/$1-$tool")
    case $tool in bare) name='a bare loop' ;; bare-two) name='two bare loops at once' ;; *) name=$tool ;; esac
    row "$1 of $DOCUMENTS documents, rate against $name" "$(quotient "$theirs" "$ours")" '' '>=' \
      "$([[ $tool == bare* ]] && echo 0.8 || echo 1.5)" \
      "$ours s ($(first <"$DIR/$1-ours" | range)), $name $theirs s ($(range <"$DIR/$1-$tool"))${SHORT:+; not complete:$SHORT}"
  done
  row "$1 of $DOCUMENTS documents, peak memory" "$(cut -d' ' -f2 <"$DIR/$1-ours" | sort -n | tail -n 1 | awk '{ print int($1 / 1024) }')" \
    ' MiB' '<=' 300 'the plugin within its limit of 64 MiB'
}

rounds_of() { # COUNT ROUND FILE...: one that is not counted, whose figures are removed from the files, and so many that are
  local round
  "$2" >/dev/null
  rm "${@:3}"
  for ((round = 0; round < $1; round++)); do "$2"; done
}

search_documents() {
  headline "starting a private OpenSearch with $DOCUMENTS documents"
  engine_up
  mkdir "$FAST/ledger"
  python3 -B "$ROOT/examples/search/data.py" "$FAST/ledger" "$ENGINE_PORT" --count "$DOCUMENTS"
  rm -r "$FAST/ledger"
  headline "export and import of $DOCUMENTS documents ($ROUNDS and $FEW rounds in turn)"
  audit_pipeline export "indices = [\"$INDEX\"], way = \"export\""
  audit_pipeline import "rename = { $INDEX = \"back\" }"
  export ENGINE_PORT ROOT
  export -f bare
  local SHORT=''
  # An engine compiles what it does often, for minutes: one round of each is not counted. And it tidies up behind writers: all
  # that read come before them.
  rounds_of "$ROUNDS" export_round "$DIR"/export-{ours,elasticdump,bare,bare-two}
  rounds_of "$FEW" import_round "$DIR"/import-{ours,elasticdump,bare,bare-two}
  search_rows export elasticdump bare bare-two
  search_rows import elasticdump bare bare-two
  engine_down
  fresh
}
