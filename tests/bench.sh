#!/usr/bin/env bash
# Measures what docs/performance.md reports: rates against other programs, peak memory, the time of `plan`.
#
# usage: bench.sh [--small | --large] [--dir DIR] [SECTION...]
#
# SECTION is any of one-by-one, set, stream, entries, long, plan, small, calls, parts, streams, search, restic; all of them unless given.
# --small looks quickly, at a hundredth of the data: its figures mean little. --large adds 1,000,000 entries. Data and
# what is made of it are in memory where there is enough, so that no disk is measured; the long stream is on a disk, below
# DIR ($TMPDIR unless given).
# The exit code says whether everything was measured, not whether it was fast.
# STRONGROOM, NATIVE_LOOP, HOST_CALLS, FILES_WASM, STREAMS_WASM and AUDIT_WASM name binaries and components that are built already.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
MIB=$((1 << 20))
# shellcheck source=bench/streams.sh
source "$ROOT/tests/bench/streams.sh"
# shellcheck source=bench/search.sh
source "$ROOT/tests/bench/search.sh"
# shellcheck source=bench/restic.sh
source "$ROOT/tests/bench/restic.sh"
FILES=50000 BYTES=$((2000 * MIB)) ENTRIES=(200000) LONG=$((20 << 30)) DOCUMENTS=1000000 ROUNDS=5 FEW=3
PARENT=${TMPDIR:-/tmp} DIR='' FAST='' OUT='' SECTIONS=() ROWS=()

die() { printf 'bench.sh: %s\n' "$*" >&2; exit 1; }
headline() { printf '\n== %s (after %s s)\n' "$1" "$SECONDS"; }

options() { # ARGUMENT...
  while (($#)); do
    case $1 in
      --small) FILES=600 BYTES=$((20 * MIB)) ENTRIES=(2000) LONG=$((200 * MIB)) DOCUMENTS=10000 ROUNDS=3 FEW=1 ;;
      --large) ENTRIES+=(1000000) ;;
      --dir) PARENT=${2:?--dir needs a directory}; shift ;;
      one-by-one | set | stream | entries | long | plan | small | calls | parts | streams | search | restic) SECTIONS+=("$1") ;;
      *) die 'usage: bench.sh [--small | --large] [--dir DIR] [one-by-one|set|stream|entries|long|plan|small|calls|parts|streams|search|restic]...' ;;
    esac
    shift
  done
  ((${#SECTIONS[@]})) || SECTIONS=(one-by-one set stream entries long plan small calls parts streams search restic)
}

finish() {
  trap - EXIT
  kafka_down || true
  engine_down || true
  [[ -z $DIR ]] || rm -rf -- "$DIR"
  [[ -z $FAST ]] || rm -rf -- "$FAST"
}

needs() { # COMMAND...
  local command missing=()
  for command in "$@"; do command -v "$command" >/dev/null || missing+=("$command"); done
  ((${#missing[@]} == 0)) || die "install what is missing: ${missing[*]}"
}

room_mib() { df --output=avail --block-size=M "$1" | tail -1 | tr -dc '0-9'; }

choose_directories() {
  # What is restored of the long stream, and its set; all else, with a page for each of the entries, twice.
  local on_disk=1000 entries=${ENTRIES[-1]} memory=/dev/shm
  local elsewhere=$((4 * BYTES / MIB > entries / 100 ? 4 * BYTES / MIB : entries / 100))
  [[ " ${SECTIONS[*]} " != *' long '* ]] || on_disk=$(((LONG + LONG / 8) / MIB + 1000))
  if [[ -w $memory ]] && (($(room_mib "$memory") > elsewhere && $(free_mib) > elsewhere + 3000)); then
    FAST=$(mktemp -d "$memory/strongroom-bench.XXXXXX")
  else
    on_disk=$((on_disk + elsewhere))
  fi
  (($(room_mib "$PARENT") > on_disk)) || die "$PARENT has less room than the $on_disk MiB that this takes: choose another --dir"
  DIR=$(mktemp -d "$PARENT/strongroom-bench.XXXXXX")
  FAST=${FAST:-$DIR/fast} OUT=${FAST:-$DIR/fast}/out
  mkdir -p "$OUT"
}

free_mib() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }

build() {
  if [[ -z ${STRONGROOM:-} || -z ${NATIVE_LOOP:-} || -z ${HOST_CALLS:-} ]]; then
    cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" \
      --bin strongroom --example native-loop --example host-calls
  fi
  HOST_CALLS=${HOST_CALLS:-$TARGET/release/examples/host-calls}
  STRONGROOM=${STRONGROOM:-$TARGET/release/strongroom} NATIVE_LOOP=${NATIVE_LOOP:-$TARGET/release/examples/native-loop}
  if [[ -z ${FILES_WASM:-} ]]; then
    FILES_WASM=$DIR/plugins/files.wasm
    "$STRONGROOM" plugin build "$ROOT/plugins/files" --out "$DIR/plugins" >&2
  fi
}

data() { python3 -B "$ROOT/tests/bench/make_data.py" "$@"; }

tree() { # makes the tree, once, and has it in memory
  [[ ! -d $FAST/tree ]] || return 0
  headline "making $FILES files, $((BYTES / MIB)) MiB"
  data tree "$FAST/tree" "$FILES" "$BYTES"
  find "$FAST/tree" -type f -exec cat {} + >/dev/null
}

pipeline_of() { # NAME PLACE < STEPS, after what else to say of the repository: a pipeline in $DIR/NAME that writes to PLACE
  mkdir -p "$DIR/$1"
  {
    printf '[pipeline]\nname = "bench"\nstate = "%s/state"\n' "$2"
    printf '[repository.local]\nurl = "%s/repository"\nformat = "zip"\n' "$2"
    cat
  } >"$DIR/$1/strongroom.toml"
  strongroom "$1" plugin accept --yes >/dev/null
}

pipeline() { # NAME PLACE SOURCE ACCESS ONE-BY-ONE: one that saves or restores a directory
  pipeline_of "$1" "$2" <<EOF
[step.files]
plugin = "$FILES_WASM"
config = { one-by-one = $5 }
grant.dirs.source = { path = "$3", access = "$4" }
EOF
}

strongroom() { # NAME ARGUMENT...: with the pipeline NAME
  local name=$1
  shift
  "$STRONGROOM" -c "$DIR/$name/strongroom.toml" "$@"
}

fresh() { rm -rf -- "${OUT:?}"/*; sync; }

timed() { # COMMAND...: prints its seconds and its peak in KiB
  # Not through a shell function: time measures a program.
  if ! env time -q -o "$DIR/time" -f '%e %M' "$@" >"$DIR/said" 2>&1; then
    cat "$DIR/said" >&2
    die "failed: $*"
  fi
  cat "$DIR/time"
}

run() { # NAME ARGUMENT...: prints seconds and peak of strongroom with the pipeline NAME
  local name=$1
  shift
  timed "$STRONGROOM" -c "$DIR/$name/strongroom.toml" "$@"
}

part_seconds() { # PART NAME ARGUMENT...: prints the seconds from the first start to the last end of parts whose names hold PART,
  # and the peak in KiB, of strongroom with the pipeline NAME
  local measured
  measured=$(run "$2" --json --no-progress "${@:3}")
  python3 - "$1" "$DIR/said" <<'EOF'
import datetime, json, sys
lines = [json.loads(line) for line in open(sys.argv[2]) if line.startswith("{")]
parts = [line for line in lines if line["message_type"] in ("part_started", "part_ended")]
assert all(line.get("ok", True) for line in parts), "a part has failed"
at = [datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")) for line in parts if sys.argv[1] in line["part"]]
print(round((max(at) - min(at)).total_seconds(), 3), end=" ")
EOF
  echo "${measured#* }"
}

first() { cut -d' ' -f1; }
size() { stat --format=%s -- "$@"; }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
range() { sort -n | awk 'NR == 1 { low = $1 } { high = $1 } END { printf "%s–%s", low, high }'; }
quotient() { awk -v one="$1" -v other="$2" 'BEGIN { printf "%.3f", one / (other > 0 ? other : 0.001) }'; }

row() { # WHAT VALUE UNIT COMPARISON TARGET REMARK
  local met
  met=$(awk -v value="$2" -v wanted="$5" "BEGIN { print (value $4 wanted) ? \"met\" : \"MISSED\" }")
  local sign=${4/>=/≥}
  ROWS+=("| $1 | $2$3 | ${sign/<=/≤} $5$3 | $met | $6 |")
  printf '%s\n' "${ROWS[-1]}"
}

storing_ms() { # reads JSON lines: from the part's start to its end
  python3 -c '
import datetime, json, sys
when = lambda line: datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
at = {line["message_type"]: when(line) for line in map(json.loads, sys.stdin)}
print(round((at["part_ended"] - at["part_started"]).total_seconds() * 1000))'
}

against_native() { # NAME SOURCE ONE-BY-ONE: rounds in turn; sets plugin and native, in milliseconds, and remark
  local round
  pipeline "$1" "$OUT" "$2" read "$3"
  for ((round = 0; round < ROUNDS; round++)); do
    fresh
    strongroom "$1" --json --no-progress backup | storing_ms | tee -a "$DIR/$1-plugin.ms"
    fresh
    "$NATIVE_LOOP" "$2" "$OUT/native" | first | tee -a "$DIR/$1-native.ms"
  done
  plugin=$(median <"$DIR/$1-plugin.ms") native=$(median <"$DIR/$1-native.ms")
  remark="plugin $plugin ms ($(range <"$DIR/$1-plugin.ms")), native $native ms ($(range <"$DIR/$1-native.ms"))"
}

one_by_one() {
  local plugin native remark
  tree
  headline "files one by one through the plugin, and in a native loop ($ROUNDS rounds in turn)"
  against_native one-by-one "$FAST/tree" true
  row 'files one by one, rate against a native loop' "$(quotient "$native" "$plugin")" '' '>=' 0.97 "$remark"
}

tar_zstd() { timed sh -c 'tar -C "$1" -cf - . | zstd -q -3 -T2 -f -o "$2"' sh "$FAST/tree" "$OUT/tree.tar.zst"; }

set_of_tree() {
  tree
  headline "the set of the tree, tar | zstd -3 -T2 ($FEW rounds in turn), zip -qry (once)"
  pipeline set "$OUT" "$FAST/tree" read false
  local round ours theirs zipped ours_size zipped_size
  for ((round = 0; round < FEW; round++)); do
    fresh
    run set -q backup | first | tee -a "$DIR/set.s"
    ours_size=$(size "$OUT"/repository/*.zip)
    fresh
    tar_zstd | first | tee -a "$DIR/zstd.s"
  done
  fresh
  zipped=$(cd "$FAST/tree" && timed zip -qry "$OUT/tree.zip" . | first)
  zipped_size=$(size "$OUT/tree.zip")
  ours=$(median <"$DIR/set.s") theirs=$(median <"$DIR/zstd.s")
  row 'set of the tree, rate against zip -qry' "$(quotient "$zipped" "$ours")" '' '>=' 4 \
    "$ours s ($(range <"$DIR/set.s")), zip $zipped s"
  row 'set of the tree, size against zip -qry' "$(quotient "$ours_size" "$zipped_size")" '' '<=' 1.05 \
    "$ours_size bytes, zip $zipped_size"
  row 'set of the tree, time against tar and zstd -3 -T2' "$(quotient "$ours" "$theirs")" '' '<=' 2.5 \
    "$ours s, zstd $theirs s ($(range <"$DIR/zstd.s"))"
}

one_stream() {
  tree
  headline "one stream of $((BYTES / MIB)) MiB on one core and on two ($FEW rounds in turn)"
  mkdir "$FAST/stream"
  data stream "$FAST/tree" "$FAST/stream/content"
  pipeline stream "$OUT" "$FAST/stream" read true
  local round
  for ((round = 0; round < FEW; round++)); do
    fresh
    timed taskset -c 0 "$STRONGROOM" -c "$DIR/stream/strongroom.toml" -q backup | first | tee -a "$DIR/one.s"
    fresh
    timed taskset -c 0,1 "$STRONGROOM" -c "$DIR/stream/strongroom.toml" -q backup | first | tee -a "$DIR/two.s"
  done
  local one two
  one=$(median <"$DIR/one.s") two=$(median <"$DIR/two.s")
  row 'one stream, rate of two cores against one' "$(quotient "$one" "$two")" '' '>=' 1.7 \
    "one $one s ($(range <"$DIR/one.s")), two $two s ($(range <"$DIR/two.s"))"
  rm -rf -- "$FAST/stream"
}

peaks() { # WHAT SOURCE ONE-BY-ONE MIB: backup, verify and restore, each with its peak
  local what=$1 verb name measured seconds kib place=${2%/*}
  pipeline peak "$place/peak" "$2" read "$3"
  mkdir "$place/restored"
  pipeline peak-restore "$place/peak" "$place/restored" write "$3"
  for verb in backup verify restore; do
    name=peak
    [[ $verb != restore ]] || name=peak-restore
    measured=$(run "$name" -q "$verb")
    read -r seconds kib <<<"$measured"
    row "$verb of $what, peak memory" "$((kib / 1024))" ' MiB' '<=' "$4" "$seconds s"
  done
  rm -rf -- "$place/peak" "$DIR/peak" "$DIR/peak-restore" "$place/restored" "$2"
}

many_entries() {
  local count
  for count in "${ENTRIES[@]}"; do
    headline "peak memory with $count entries"
    data entries "$FAST/entries" "$count"
    peaks "$count entries" "$FAST/entries" false $((count > 200000 ? 450 : 250))
  done
}

long_stream() {
  headline "peak memory with a stream of $((LONG / MIB)) MiB of zeros"
  mkdir "$DIR/long"
  truncate --size="$LONG" "$DIR/long/content"
  peaks "a stream of $((LONG / MIB)) MiB" "$DIR/long" true 250
}

planning() {
  headline "plan ($ROUNDS rounds)"
  mkdir "$DIR/planned"
  pipeline plan "$DIR/plan" "$DIR/planned" read false
  local round before
  for ((round = 0; round <= ROUNDS; round++)); do
    before=${EPOCHREALTIME/[.,]/}
    strongroom plan plan >/dev/null
    # The first one may compile.
    ((round == 0)) || echo $(((${EPOCHREALTIME/[.,]/} - before) / 1000)) >>"$DIR/plan.ms"
  done
  row 'plan with a compiled plugin' "$(median <"$DIR/plan.ms")" ' ms' '<=' 150 "$(range <"$DIR/plan.ms") ms"
}

small_files() {
  headline "a tree of $FILES small files, and a native loop over it ($ROUNDS rounds in turn)"
  data entries "$FAST/small" "$FILES"
  local plugin native remark
  against_native small "$FAST/small" false
  row 'a tree of small files, time against a native loop' "$(quotient "$plugin" "$native")" '' '<=' 1.05 "$remark"
  rm -rf -- "$FAST/small"
}

host_calls() {
  headline 'a host call and a fresh instance, and the same in wasmtime alone (15 rounds in turn)'
  local what ours bare
  "$HOST_CALLS" | tee "$DIR/calls"
  while read -r what ours bare; do
    case $what in
      call) row 'a host call, against one in wasmtime alone' "$(quotient "$ours" "$bare")" '' '<=' 1.5 "$ours ns, $bare ns" ;;
      instance) row 'a fresh instance and a call, against wasmtime alone' "$(quotient "$ours" "$bare")" '' '<=' 2 "$ours ns, $bare ns" ;;
    esac
  done <"$DIR/calls"
}

scripted_pipeline() { # NAME PARTS: four steps with so many parts each
  local step
  for step in one two three four; do
    cat <<EOF
[step.$step]
plugin = "$DIR/plugins/strongroom_scripted.wasm"
[step.$step.config]
count = $2
every = [{ do = "put", path = "a", text = "a" }, { do = "receipt", subject = "files", expected = 1, actual = 1 }]
EOF
  done | pipeline_of "$1" "$OUT"
}

many_parts() {
  local parts=$((FILES / 20)) measured seconds kib few
  headline "a run of $((4 * parts)) parts"
  "$STRONGROOM" plugin build "$ROOT/tests/guests/scripted" --out "$DIR/plugins" >&2
  [[ -e $DIR/plugins/strongroom_scripted.wasm ]] || mv "$DIR"/plugins/*scripted*.wasm "$DIR/plugins/strongroom_scripted.wasm"
  scripted_pipeline few 1
  scripted_pipeline many "$parts"
  fresh
  few=$(run few --json backup | first)
  fresh
  measured=$(run many --json backup)
  read -r seconds kib <<<"$measured"
  python3 - "$DIR/said" "$((4 * parts))" <<'EOF'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
ended = sum(line["message_type"] == "part_ended" for line in lines)
assert ended == int(sys.argv[2]) and lines[-1]["state"] == "complete", (ended, lines[-1])
EOF
  row "a run of $((4 * parts)) parts, peak memory" "$((kib / 1024))" ' MiB' '<=' 300 "$seconds s; every line of --json is valid"
  row 'what a part adds' "$(awk -v many="$seconds" -v few="$few" -v parts="$((4 * parts))" 'BEGIN { printf "%.2f", (many - few) * 1000 / parts }')" ' ms' '<=' 1 ''
}

main() {
  options "$@"
  needs awk df find python3 sort tar taskset truncate zip zstd
  env time -f '' true 2>/dev/null || die 'install what is missing: GNU time (Debian: apt-get install time)'
  trap finish EXIT
  trap 'exit 130' INT TERM
  choose_directories
  build
  local section
  for section in "${SECTIONS[@]}"; do
    case $section in
      one-by-one) one_by_one ;;
      set) set_of_tree ;;
      stream) one_stream ;;
      entries) many_entries ;;
      long) long_stream ;;
      plan) planning ;;
      small) small_files ;;
      calls) host_calls ;;
      parts) many_parts ;;
      streams) kafka_streams ;;
      search) search_documents ;;
      restic) restic_repository ;;
    esac
  done
  headline 'measured'
  printf '%s cores, %s, data in %s, the long stream in %s\n\n' "$(nproc)" "$("$STRONGROOM" --version)" "$FAST" "$DIR"
  printf '| what | measured | target | | |\n|---|---|---|---|---|\n'
  printf '%s\n' "${ROWS[@]}"
}

main "$@"
