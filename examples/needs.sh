# shellcheck shell=bash
# What the demos need from the machine: finds it, names what is missing, or installs it (sourced by each demo.sh).

DATABASE=postgresql # unless demo.sh is told otherwise
MAVEN=''            # whether a server that Maven brings is wanted too
MISSING=()

missing() { # WHAT LINE-TO-PASTE
  MISSING+=("$(printf '  missing: %-34s %s' "$1" "$2")")
}

postgres_directory() {
  local found
  found=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  if [[ -z $found ]] && command -v initdb >/dev/null; then found=$(dirname "$(readlink -f "$(command -v initdb)")"); fi
  [[ -x $found/initdb && -x $found/pg_dump && -x $found/pg_restore && -x $found/psql ]] && printf '%s\n' "$found"
}

mariadb_is_there() {
  local program
  for program in mariadbd mariadb-install-db mariadb mariadb-dump; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || return 1
  done
}

java_is_there() { # with its compiler: 17 or later
  [[ $(javac -version 2>&1) =~ ^javac\ ([0-9]+) && ${BASH_REMATCH[1]} -ge 17 ]] && command -v java >/dev/null
}

processes_are_seen() { # whether it can be proven here that nobody has a file open
  local process
  [[ $(readlink /proc/self/ns/pid) == 'pid:[4026531836]' ]] || return 1 # the machine's own (PROC_PID_INIT_INO)
  [[ -d /proc/1 ]] || return 1 # or others are hidden too (hidepid)
  for process in /proc/[0-9]*; do
    head -c 1 "$process/maps" >/dev/null 2>&1 || [[ ! -d $process ]] || return 1
  done
}

guest_target() { # a rustup target, or Debian's compiler and library source
  [[ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/wasm32-unknown-unknown/lib" ]] ||
    dpkg-query -W -f '${Status}\n' rustc-web rust-web-src 2>/dev/null | grep -c 'ok installed' | grep -qx 2
}

find_missing() {
  MISSING=()
  case $DATABASE in
    postgresql) postgres_directory >/dev/null || missing 'PostgreSQL server and client' 'apt-get install --no-install-recommends postgresql' ;;
    mariadb) mariadb_is_there || missing 'MariaDB server and client' 'apt-get install --no-install-recommends mariadb-server' ;;
    h2) processes_are_seen || missing 'a sight of every process' 'run it as root, and in no container' ;;
  esac
  if [[ -n $MAVEN ]]; then
    java_is_there || missing 'Java 17 and its compiler' 'apt-get install --no-install-recommends default-jdk-headless'
    command -v mvn >/dev/null || missing 'Maven, which brings a server' 'apt-get install --no-install-recommends maven'
  fi
  command -v unzip >/dev/null || missing unzip 'apt-get install unzip'
  [[ ${FORMAT:-} != restic ]] || command -v restic >/dev/null || missing restic 'apt-get install restic'
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || missing 'Python 3.10' 'apt-get install python3'
  command -v cc >/dev/null || missing 'a linker' 'apt-get install gcc libc6-dev'
  if command -v cargo >/dev/null; then
    guest_target || missing 'the target of the plugins' 'rustup target add wasm32-unknown-unknown   # or: apt-get install rustc-web rust-web-src'
  else
    missing 'the Rust toolchain' "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  fi
  [[ ${#MISSING[@]} -eq 0 ]]
}

install_missing() {
  [[ $EUID -eq 0 ]] || die '--install needs root, for apt-get'
  command -v apt-get >/dev/null || die '--install needs Debian or Ubuntu'
  local packages=()
  case $DATABASE in
    postgresql) postgres_directory >/dev/null || packages+=(postgresql) ;;
    mariadb) mariadb_is_there || packages+=(mariadb-server) ;;
  esac
  if [[ -n $MAVEN ]]; then
    java_is_there || packages+=(default-jdk-headless)
    command -v mvn >/dev/null || packages+=(maven)
  fi
  command -v unzip >/dev/null || packages+=(unzip)
  [[ ${FORMAT:-} != restic ]] || command -v restic >/dev/null || packages+=(restic)
  command -v python3 >/dev/null || packages+=(python3)
  command -v cc >/dev/null || packages+=(gcc libc6-dev)
  if command -v cargo >/dev/null && ! guest_target; then
    timeout 120 rustup target add wasm32-unknown-unknown 2>/dev/null || packages+=(rustc-web rust-web-src)
  fi
  [[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}"
}

install_packages() {
  local settings=/etc/postgresql-common/createcluster.d/strongroom-demo.conf
  headline "Installing ${*}"
  if [[ " $* " == *' postgresql '* ]]; then # Debian's own cluster is neither made nor started
    mkdir -p "${settings%/*}"
    echo 'create_main_cluster = false' >"$settings"
  fi
  apt-get update -qq || echo 'apt-get update failed: going on with the lists that are there' >&2
  local status=0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || status=$?
  rm -f "$settings"
  rmdir "${settings%/*}" 2>/dev/null || true
  [[ $status -eq 0 ]] || die "apt-get install ended with $status"
  # Servers of their own are started here: Debian's is not wanted.
  if [[ " $* " == *' mariadb-server '* ]] && command -v systemctl >/dev/null; then systemctl disable --now mariadb 2>/dev/null || true; fi
}
