#!/usr/bin/env bash
# Measures what docs/performance.md reports: rates against other programs, peak memory, the time of `plan`.
#
# usage: bench.sh [--small | --large] [--dir DIR] [SECTION...]
#
# SECTION is any of one-by-one, set, stream, entries, long, plan; all of them unless given. --small looks quickly, at
# a hundredth of the data: its figures mean little. --large adds 1,000,000 entries. Data goes to a new directory below
# DIR ($TMPDIR unless given), what is timed is written to memory where there is enough, so that no disk is measured.
# The exit code says whether everything was measured, not whether it was fast.
# STRONGROOM, NATIVE_LOOP and FILES_WASM name binaries and a component that are built already.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
MIB=$((1 << 20))
FILES=50000 BYTES=$((2000 * MIB)) ENTRIES=(200000) LONG=$((20 << 30)) ROUNDS=5 FEW=3
PARENT=${TMPDIR:-/tmp} DIR='' OUT='' SECTIONS=() ROWS=()

die() { printf 'bench.sh: %s\n' "$*" >&2; exit 1; }
headline() { printf '\n== %s (after %s s)\n' "$1" "$SECONDS"; }

options() { # ARGUMENT...
  while (($#)); do
    case $1 in
      --small) FILES=600 BYTES=$((20 * MIB)) ENTRIES=(2000) LONG=$((200 * MIB)) ROUNDS=3 FEW=1 ;;
      --large) ENTRIES+=(1000000) ;;
      --dir) PARENT=${2:?--dir needs a directory}; shift ;;
      one-by-one | set | stream | entries | long | plan) SECTIONS+=("$1") ;;
      *) die 'usage: bench.sh [--small | --large] [--dir DIR] [one-by-one|set|stream|entries|long|plan]...' ;;
    esac
    shift
  done
  ((${#SECTIONS[@]})) || SECTIONS=(one-by-one set stream entries long plan)
}

finish() {
  trap - EXIT
  [[ -z $DIR ]] || rm -rf -- "$DIR"
  [[ -z $OUT ]] || rm -rf -- "$OUT"
}

needs() { # COMMAND...
  local command missing=()
  for command in "$@"; do command -v "$command" >/dev/null || missing+=("$command"); done
  ((${#missing[@]} == 0)) || die "install what is missing: ${missing[*]}"
}

room_mib() { df --output=avail --block-size=M "$1" | tail -1 | tr -dc '0-9'; }

choose_directories() {
  # The tree, the stream and what is restored of the longest one.
  local wanted=$(((2 * BYTES + LONG + LONG / 8) / MIB + 1000)) memory=/dev/shm
  (($(room_mib "$PARENT") > wanted)) || die "$PARENT has less room than the $wanted MiB that this takes: choose another --dir"
  DIR=$(mktemp -d "$PARENT/strongroom-bench.XXXXXX")
  if [[ -w $memory ]] && (($(room_mib "$memory") > 4 * BYTES / MIB)) && (($(free_mib) > 6 * BYTES / MIB)); then
    OUT=$(mktemp -d "$memory/strongroom-bench.XXXXXX")
  else
    OUT=$DIR/out
    mkdir "$OUT"
  fi
}

free_mib() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }

build() {
  if [[ -z ${STRONGROOM:-} || -z ${NATIVE_LOOP:-} ]]; then
    cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" --bin strongroom --example native-loop
  fi
  STRONGROOM=${STRONGROOM:-$TARGET/release/strongroom} NATIVE_LOOP=${NATIVE_LOOP:-$TARGET/release/examples/native-loop}
  if [[ -z ${FILES_WASM:-} ]]; then
    FILES_WASM=$DIR/plugins/files.wasm
    "$STRONGROOM" plugin build "$ROOT/plugins/files" --out "$DIR/plugins" >&2
  fi
}

data() { python3 -B "$ROOT/tests/bench/make_data.py" "$@"; }

tree() { # makes the tree, once, and has it in memory
  [[ ! -d $DIR/tree ]] || return 0
  headline "making $FILES files, $((BYTES / MIB)) MiB"
  data tree "$DIR/tree" "$FILES" "$BYTES"
  sync -f "$DIR"
  find "$DIR/tree" -type f -exec cat {} + >/dev/null
}

pipeline() { # NAME PLACE SOURCE ACCESS ONE-BY-ONE: a pipeline in $DIR/NAME that writes to PLACE
  mkdir -p "$DIR/$1"
  cat >"$DIR/$1/strongroom.toml" <<EOF
[pipeline]
name = "bench"
state = "$2/state"
[repository.local]
url = "$2/repository"
format = "zip"
[step.files]
plugin = "$FILES_WASM"
config = { one-by-one = $5 }
grant.dirs.source = { path = "$3", access = "$4" }
EOF
  strongroom "$1" plugin accept --yes >/dev/null
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

one_by_one() {
  tree
  headline "files one by one through the plugin, and in a native loop ($ROUNDS rounds in turn)"
  pipeline one-by-one "$OUT" "$DIR/tree" read true
  local round
  for ((round = 0; round < ROUNDS; round++)); do
    fresh
    strongroom one-by-one --json --no-progress backup | storing_ms | tee -a "$DIR/plugin.ms"
    fresh
    "$NATIVE_LOOP" "$DIR/tree" "$OUT/native" | first | tee -a "$DIR/native.ms"
  done
  local plugin native
  plugin=$(median <"$DIR/plugin.ms") native=$(median <"$DIR/native.ms")
  row 'files one by one, rate against a native loop' "$(quotient "$native" "$plugin")" '' '>=' 0.97 \
    "plugin $plugin ms ($(range <"$DIR/plugin.ms")), native $native ms ($(range <"$DIR/native.ms"))"
}

tar_zstd() { timed sh -c 'tar -C "$1" -cf - . | zstd -q -3 -T2 -f -o "$2"' sh "$DIR/tree" "$OUT/tree.tar.zst"; }

set_of_tree() {
  tree
  headline "the set of the tree, tar | zstd -3 -T2 ($FEW rounds in turn), zip -qry (once)"
  pipeline set "$OUT" "$DIR/tree" read false
  local round ours theirs zipped ours_size zipped_size
  for ((round = 0; round < FEW; round++)); do
    fresh
    run set -q backup | first | tee -a "$DIR/set.s"
    ours_size=$(size "$OUT"/repository/*.zip)
    fresh
    tar_zstd | first | tee -a "$DIR/zstd.s"
  done
  fresh
  zipped=$(cd "$DIR/tree" && timed zip -qry "$OUT/tree.zip" . | first)
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
  mkdir "$DIR/stream"
  data stream "$DIR/tree" "$DIR/stream/content"
  pipeline stream "$OUT" "$DIR/stream" read true
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
  rm -rf -- "$DIR/stream"
}

peaks() { # WHAT SOURCE ONE-BY-ONE MIB: backup, verify and restore, each with its peak
  local what=$1 verb name measured seconds kib
  pipeline peak "$DIR/peak" "$2" read "$3"
  mkdir "$DIR/restored"
  pipeline peak-restore "$DIR/peak" "$DIR/restored" write "$3"
  for verb in backup verify restore; do
    name=peak
    [[ $verb != restore ]] || name=peak-restore
    measured=$(run "$name" -q "$verb")
    read -r seconds kib <<<"$measured"
    row "$verb of $what, peak memory" "$((kib / 1024))" ' MiB' '<=' "$4" "$seconds s"
  done
  rm -rf -- "$DIR/peak" "$DIR/peak-restore" "$DIR/restored" "$2"
}

many_entries() {
  local count
  for count in "${ENTRIES[@]}"; do
    headline "peak memory with $count entries"
    data entries "$DIR/entries" "$count"
    peaks "$count entries" "$DIR/entries" false $((count > 200000 ? 450 : 250))
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
    esac
  done
  headline 'measured'
  printf '%s cores, %s, data in %s, timed output in %s\n\n' "$(nproc)" "$("$STRONGROOM" --version)" "$DIR" "$OUT"
  printf '| what | measured | target | | |\n|---|---|---|---|---|\n'
  printf '%s\n' "${ROWS[@]}"
}

main "$@"
