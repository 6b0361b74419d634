# shellcheck shell=bash
# What the tests and the demo need beside a Rust toolchain, and how Debian and Ubuntu provide it. Sourced, never run.

# need_packages yes|no PACKAGE…: installs what is missing, or names it and ends.
need_packages() {
  local install=$1 missing=() package
  shift
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$install" != yes ]; then
    printf 'missing: %s\n  as root: %s\n  or let this script do it: --install\n' "${missing[*]}" "$line" >&2
    exit 1
  fi
  [ "$(id -u)" = 0 ] || { printf 'installing needs root: %s\n' "$line" >&2; exit 1; }
  printf 'installing %s\n' "${missing[*]}"
  # Debian's own cluster must not start: the tests and the demo run private ones.
  if [ ! -e /etc/postgresql-common/createcluster.conf ] && [[ " ${missing[*]} " == *" postgresql "* ]]; then
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
  fi
  apt-get update -q >/dev/null || true
  DEBIAN_FRONTEND=noninteractive $line >/dev/null
}

# need_guest_toolchain yes|no: a compiler for wasm32-unknown-unknown, by rustup or from Debian.
need_guest_toolchain() {
  local libraries
  libraries=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null || true)
  [ ! -d "$libraries" ] || return 0
  if [ "$1" = yes ] && command -v rustup >/dev/null && timeout 60 rustup -q target add wasm32-unknown-unknown >/dev/null 2>&1; then
    return 0
  fi
  need_packages "$1" rustc-web rust-web-src
}
