#!/usr/bin/env bash
# Runs every check there is: format, lints, unit tests, scenarios against real servers, hostile guests, fault cases,
# examples and documents. Usage: tests/run.sh [--install]
#
# Without --install it names what is missing and how to get it. With it, as root on Debian or Ubuntu, it installs that.
# CARGO_TARGET_DIR is honoured. Everything is built once, in the release profile that the demo uses.
set -euo pipefail
cd "$(dirname "$0")/.."

install=no
case "${1-}" in
  "") ;;
  --install) install=yes ;;
  *) echo "usage: tests/run.sh [--install]" >&2; exit 2 ;;
esac

# shellcheck source=tests/needs.sh
. tests/needs.sh
need_packages "$install" postgresql unzip zip zstd python3 openssl libfaketime util-linux iproute2
need_guest_toolchain "$install"

headline() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
export CARGO_TERM_COLOR=never

headline "format"
cargo fmt --all --check
headline "lints"
cargo clippy --release --locked --workspace --all-targets -- -D warnings
headline "build"
cargo build --release --locked
headline "unit tests, scenarios, hostile guests, faults, documents"
cargo test --release --locked --workspace
headline "the demo"
bash examples/confluence/demo.sh
headline "all checks passed"
