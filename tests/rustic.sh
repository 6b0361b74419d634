#!/usr/bin/env bash
# Has rustic, a third program that knows restic's format, judge what strongroom keeps, and strongroom what rustic keeps.
#
# usage: rustic.sh RUSTIC
#
# RUSTIC is the program; `cargo install --locked rustic-rs` builds it. STRONGROOM names a strongroom that is built already.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
STRONGROOM=${STRONGROOM:-${CARGO_TARGET_DIR:-$ROOT/target}/release/strongroom}
RUSTIC=${1:?usage: rustic.sh RUSTIC}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/strongroom-rustic.XXXXXX")
trap 'rm -rf -- "$DIR"' EXIT
export RUSTIC_REPOSITORY=$DIR/repository RUSTIC_PASSWORD='correct horse battery' RUSTIC_NO_CACHE=true RUSTIC_NO_PROGRESS=true
export STATE_DIRECTORY=$DIR/state

die() { printf 'rustic.sh: %s\n' "$*" >&2; exit 1; }

make_source() { # what is empty, small, long, in many pieces, a link, and a name that is no text
  mkdir -p "$DIR/source/deep/er/empty"
  : >"$DIR/source/nothing"
  echo text >"$DIR/source/a.txt"
  seq 2000000 >"$DIR/source/deep/er/lines"
  head -c 30000000 /dev/urandom >"$DIR/source/noise"
  ln -s ../a.txt "$DIR/source/deep/link"
  printf x >"$DIR/source/$(printf 'latin \351')"
  touch -d '2001-02-03 04:05:06.789' "$DIR/source/a.txt"
  chmod 640 "$DIR/source/a.txt"
}

write_pipeline() {
  "$STRONGROOM" plugin build "$ROOT/plugins/files" --out "$DIR/plugins"
  printf %s "$RUSTIC_PASSWORD" >"$DIR/password"
  cat >"$DIR/strongroom.toml" <<TOML
[pipeline]
name = "letters"
state = "$DIR/state"

[repository.local]
url = "$DIR/repository"
format = "restic"
password = { file = "$DIR/password" }

[step.letters]
plugin = "$DIR/plugins/files.wasm"

[step.letters.grant.dirs.source]
path = "$DIR/source"
access = "read"
TOML
}

strongroom() { "$STRONGROOM" -c "$DIR/strongroom.toml" "$@"; }

is_source() { # DIRECTORY: content, links, modes and times
  local facts='%P %y %m %l %T@\n'
  diff -r --no-dereference "$DIR/source" "$1" || die "$1 has other content"
  diff <(cd "$DIR/source" && find . -mindepth 1 -printf "$facts" | sort) <(cd "$1" && find . -mindepth 1 -printf "$facts" | sort) ||
    die "$1 has other facts"
}

rustic_judges_strongroom() {
  strongroom plugin accept --yes
  strongroom init
  strongroom backup
  "$RUSTIC" check --read-data
  "$RUSTIC" restore latest:letters/source "$DIR/by-rustic"
  is_source "$DIR/by-rustic"
}

strongroom_judges_rustic() {
  "$RUSTIC" backup "$DIR/source"
  strongroom check --read-data
  local id
  id=$(strongroom snapshots --json | python3 -c 'import json, sys; print([one["snapshot"] for one in map(json.loads, sys.stdin) if one.get("pipeline") == "-"][0])')
  strongroom restore "$id" --files "$DIR/by-strongroom"
  is_source "$DIR/by-strongroom$DIR/source"
}

each_goes_on_after_the_other() {
  echo more >>"$DIR/source/deep/er/lines"
  strongroom backup
  strongroom forget --keep-last 1
  strongroom prune --max-unused 0
  "$RUSTIC" check --read-data
  "$RUSTIC" forget --keep-last 1 --prune --instant-delete --group-by host
  strongroom check --read-data
  "$RUSTIC" check --read-data
}

make_source
write_pipeline
rustic_judges_strongroom
strongroom_judges_rustic
each_goes_on_after_the_other
printf '\n%s and strongroom agree\n' "$("$RUSTIC" --version)"
