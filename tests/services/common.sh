# shellcheck shell=bash
# What starts and stops servers for tests and demos has in common (sourced by each script here).

shopt -s inherit_errexit
START_SECONDS=90 STOP_SECONDS=30

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

fetched_once() { # DIRECTORY COMMAND…: has the command make DIRECTORY.new, unless the directory is there; prints its path
  [[ -d $1 ]] || fetch_alone "$@"
  (cd "$1" && pwd -P)
}

fetch_alone() { # DIRECTORY COMMAND…
  mkdir -p "${1%/*}"
  exec {lock}>"$1.lock"
  flock -w 900 "$lock" || die "somebody else has been fetching it for 15 minutes: $1.lock"
  if [[ ! -d $1 ]]; then
    rm -rf "$1.new"
    "${@:2}" "$1.new" >&2 || die "fetching $1 failed"
    mv "$1.new" "$1"
  fi
  exec {lock}>&-
}

maven() { # POM ARGUMENT…
  mvn -q -B -ntp -Dstyle.color=never -f "$1" -Dmaven.artifact.threads=16 "${@:2}"
}

free_ports() { # COUNT
  python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))
PYTHON
}

is_running() { # PID-FILE WORDS: by its command line, since a number may have passed on to another process
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid ]] && { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$2"
}

await() { # PID-FILE LOG COMMAND…: until the command succeeds
  local pid until=$((SECONDS + START_SECONDS))
  pid=$(<"$1")
  until "${@:3}"; do
    kill -0 "$pid" 2>/dev/null || die "it ended: $(tail -n 5 "$2")"
    ((SECONDS < until)) || die "it does not answer within $START_SECONDS s: $2"
    sleep 0.1
  done
}

end_process() { # PID-FILE WORDS
  local pid until=$((SECONDS + STOP_SECONDS))
  is_running "$1" "$2" || return 0
  pid=$(<"$1")
  kill -TERM "$pid" 2>/dev/null || true
  while is_running "$1" "$2"; do
    if ((SECONDS >= until)); then kill -KILL "$pid" 2>/dev/null || true; fi
    ((SECONDS < until + 10)) || die "it does not end: process $pid"
    sleep 0.1
  done
}

usage() { # prints the comment at the script's head
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
