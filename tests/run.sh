#!/usr/bin/env bash
# Runs every check there is: format, lints, unit tests, scenarios against real servers, hostile guests, fault cases,
# documents and the demo. Usage: tests/run.sh [--install | --all]
#
# With --all the fault sweep tries every fault that there is, which takes most of an hour.
#
# Without --install it names what is missing and how to get it; with it, as root on Debian or Ubuntu, it installs that.
# CARGO_TARGET_DIR is honoured. Everything is built once, in the release profile that the demo uses.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }
headline() { printf '\n== %s (after %s s)\n' "$1" "$SECONDS"; }

# shellcheck source=../examples/confluence/demo/needs.sh
source examples/confluence/demo/needs.sh

install=''
sweep=(--faults 300)
case "${1:-}" in
  '') ;;
  --install) install=1 ;;
  --all) sweep=(--at-least 5000) ;;
  *) die 'usage: tests/run.sh [--install | --all]' ;;
esac

# Beside what the demo needs: certificates for the tests of encrypted connections, mounts for a disk that fills up, a
# library that makes clocks jump.
find_missing_for_tests() {
  find_missing || true
  command -v openssl >/dev/null || missing openssl 'apt-get install openssl'
  command -v mount >/dev/null || missing mount 'apt-get install mount'
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing libfaketime 'apt-get install libfaketime'
  [[ ${#MISSING[@]} -eq 0 ]]
}

if [[ -n $install ]]; then
  install_missing
  command -v openssl >/dev/null || install_packages openssl
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || install_packages libfaketime
fi
find_missing_for_tests || {
  printf '%s\n' "${MISSING[@]}" >&2
  die 'some things are missing; as root on Debian or Ubuntu, --install installs what packages provide'
}

export CARGO_TERM_COLOR=never

headline 'format'
cargo fmt --all --check
# The host and what becomes components are built apart: together they would share features, and wasmtime be built twice.
GUESTS=(--workspace --exclude strongroom)

headline 'lints'
cargo clippy --release --locked --all-targets -- -D warnings
cargo clippy --release --locked "${GUESTS[@]}" --all-targets -- -D warnings
headline 'build'
cargo build --release --locked
headline 'unit tests, scenarios, hostile guests, faults, documents'
cargo test --release --locked
cargo test --release --locked "${GUESTS[@]}"
headline 'the fault sweep'
cargo run --release --locked --example sweep -- "${sweep[@]}"
headline "the demo's own judge"
python3 -B -m unittest discover -s examples/confluence/demo -p 'test_*.py'
headline 'the demo'
bash examples/confluence/demo.sh
headline 'all checks passed'
