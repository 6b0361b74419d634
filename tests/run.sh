#!/usr/bin/env bash
# Runs every check there is: format, lints, unit tests, scenarios against real servers, hostile guests, fault cases,
# documents and the demo. Usage: tests/run.sh [--install]
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
case "${1:-}" in
  '') ;;
  --install) install=1 ;;
  *) die 'usage: tests/run.sh [--install]' ;;
esac

# Beside what the demo needs: certificates for the tests of encrypted connections, age for encrypted sets, mounts for a
# disk that fills up, a second kind of database, a web server, strace to kill a run at a call of the system.
find_missing_for_tests() {
  find_missing || true
  command -v openssl >/dev/null || missing openssl 'apt-get install openssl'
  command -v age >/dev/null || missing age 'apt-get install age'
  command -v mount >/dev/null || missing mount 'apt-get install mount'
  [[ -x /usr/sbin/nginx ]] || missing nginx 'apt-get install nginx-light'
  command -v strace >/dev/null || missing strace 'apt-get install strace'
  mariadb_is_there || missing 'MariaDB server and client' 'apt-get install --no-install-recommends mariadb-server'
  [[ ${#MISSING[@]} -eq 0 ]]
}

mariadb_is_there() {
  local program
  for program in mariadbd mariadb-install-db mariadb mariadb-dump; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || return 1
  done
}

if [[ -n $install ]]; then
  install_missing
  command -v openssl >/dev/null || install_packages openssl
  if [[ ! -x /usr/sbin/nginx ]]; then # Debian's own server is not wanted
    install_packages nginx-light
    if command -v systemctl >/dev/null; then systemctl disable --now nginx || true; fi
  fi
  command -v age >/dev/null || install_packages age
  command -v strace >/dev/null || install_packages strace
  mariadb_is_there || install_packages mariadb-server
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
headline "the demo's own judge"
python3 -B -m unittest discover -s examples/confluence/demo -p 'test_*.py'
headline 'the demo'
bash examples/confluence/demo.sh
headline 'all checks passed'
