#!/usr/bin/env bash
# Runs every check there is: format, lints, unit tests, scenarios against real servers, hostile guests, fault cases,
# documents and the demos. Usage: tests/run.sh [--install] [--all]
#
# With --all, what is long is done at its full length: the fault sweep takes 20 to 40 minutes then.
#
# Without --install it names what is missing and how to get it; with it, as root on Debian or Ubuntu, it installs that.
# CARGO_TARGET_DIR is honoured. Everything is built once, in the release profile that the demos use; Kafka and a
# search engine are fetched into the target directory from Maven Central, once.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }
headline() { printf '\n== %s (after %s s)\n' "$1" "$SECONDS"; }

# shellcheck source=../examples/needs.sh
source examples/needs.sh
MAVEN=1

install='' all='' sweep=(--faults 120)
for argument in "$@"; do
  case $argument in
    --install) install=1 ;;
    --all) all=1 sweep=(--faults 5700 --at-least 5000) && export STRONGROOM_RACE_SECONDS=30 STRONGROOM_KILLS=25 ;;
    *) die 'usage: tests/run.sh [--install] [--all]' ;;
  esac
done

# Beside what the demos need: certificates for encrypted connections, age for encrypted sets, restic to judge what is kept
# in its format, SSH for repositories elsewhere, mounts for a disk that fills up, a web server, a second kind of database,
# strace to break or kill a run at a call of the system, a library that makes clocks jump.
PACKAGES=(openssl age restic openssh-client openssh-server mount nginx-light mariadb-server strace libfaketime)

is_there() { # PACKAGE
  case $1 in
    openssh-client) have ssh ssh-keygen ;;
    openssh-server) [[ -x /usr/sbin/sshd ]] ;;
    nginx-light) [[ -x /usr/sbin/nginx ]] ;;
    mariadb-server) mariadb_is_there ;;
    libfaketime) compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null ;;
    *) have "$1" ;;
  esac
}

have() { # PROGRAM...
  local program
  for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}

find_missing_for_tests() {
  local package
  find_missing || true
  for package in "${PACKAGES[@]}"; do
    is_there "$package" || missing "$package" "apt-get install --no-install-recommends $package"
  done
  [[ ${#MISSING[@]} -eq 0 ]]
}

install_for_tests() {
  local package packages=()
  for package in "${PACKAGES[@]}"; do is_there "$package" || packages+=("$package"); done
  ((${#packages[@]})) || return 0
  install_packages "${packages[@]}"
  # The tests start servers of their own: Debian's are not wanted.
  if have systemctl; then systemctl disable --now nginx 2>/dev/null || true; fi
  # One that was there before is somebody's way in.
  if have systemctl && [[ " ${packages[*]} " == *' openssh-server '* ]]; then
    systemctl disable --now ssh 2>/dev/null || true
  fi
}

if [[ -n $install ]]; then
  install_missing
  install_for_tests
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
# Many of them wait, for servers and for what was broken on purpose: more than there are cores may.
RUST_TEST_THREADS=4 cargo test --release --locked
cargo test --release --locked "${GUESTS[@]}"
headline 'the fault sweep'
cargo run --release --locked --example sweep -- "${sweep[@]}"
headline "the demos' own judges"
for judge in confluence/demo nuxeo/demo search; do
  PYTHONPATH=examples:examples/search python3 -B -m unittest discover -s "examples/$judge" -p 'test_*.py'
done
headline 'the demo of Nuxeo, its streams and its audit'
bash examples/nuxeo/demo.sh
if [[ -n $all ]]; then
  headline 'the demo of Nuxeo, in its other mode, and on another Kafka'
  bash examples/nuxeo/demo.sh --mode replicate
  for mode in backup replicate; do bash examples/nuxeo/demo.sh --kafka 3 --mode "$mode"; done
  headline 'the demo of Nuxeo, kept in the format of restic'
  bash examples/nuxeo/demo.sh --format restic
  headline 'the streams on another Kafka'
  STRONGROOM_TEST_KAFKA=3 cargo test --release --locked --test all nuxeo::
fi
if [[ -n $all ]]; then
  headline 'repositories in a bucket of a real server'
  have go || die 'versitygw is built from source: install Go'
  services=${CARGO_TARGET_DIR:-target}/services && mkdir -p "$services" && services=$(realpath "$services")
  [[ -x $services/versitygw ]] ||
    CGO_ENABLED=0 GOBIN=$services nice go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
  STRONGROOM_TEST_S3=$services/versitygw cargo test --release --locked --test all s3::
  headline 'a third program that knows the format of restic'
  [[ -x $services/bin/rustic ]] || nice cargo install --locked --root "$services" rustic-rs@0.11.4
  bash tests/rustic.sh "$services/bin/rustic"
fi
headline 'the demo of an audit index, both ways'
for way in export snapshot; do bash examples/audit-index/demo.sh --way "$way"; done
if [[ -n $all ]]; then
  headline 'the demo of an audit index, by reference, and on another engine'
  bash examples/audit-index/demo.sh --way reference
  for way in export snapshot; do bash examples/audit-index/demo.sh --engine elasticsearch --way "$way"; done
  headline 'the audit index on another engine'
  STRONGROOM_TEST_SEARCH=es cargo test --release --locked --test all audit::
fi
headline 'the demo'
bash examples/confluence/demo.sh
headline 'the demo on MariaDB, kept in the format of restic'
bash examples/confluence/demo.sh --database mariadb --format restic
headline 'the demo on an embedded H2'
if processes_are_seen; then
  bash examples/confluence/demo.sh --database h2
else
  # This user may not look into every process here, so nobody can prove that the files are not in use: none is saved.
  refused=$(mktemp)
  if bash examples/confluence/demo.sh --database h2 >"$refused" 2>&1; then die 'files were saved that may be in use'; fi
  grep 'a sight of every process' "$refused" || { cat "$refused" >&2 && die 'the refusal does not say why'; }
  rm -- "$refused"
fi
headline 'all checks passed'
