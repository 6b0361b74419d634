#!/usr/bin/env bash
# A real search engine for tests and demos: fetched once, started below a directory that the caller owns, ended by its own pid.
#
# usage: search.sh fetch os|es                 brings the engine, and prints the directory that holds it
#        search.sh start os|es DIR [OPTION…]   returns when it answers; again after a stop: with its data, on its port
#        search.sh stop DIR                    returns when it is gone; also after a start that was interrupted
#        search.sh kill DIR                    the same, with no leave-taking
#
#   --port PORT   where it listens on 127.0.0.1; a free one unless given. DIR/port says which
#   --heap SIZE   its Java heap, as -Xmx has it; 512m unless given
#
# DIR/repositories is the only path.repo: where it may be told to write snapshots. os is OpenSearch 2.19.5, es is Elasticsearch
# 7.17.29 (under the Elastic License: fetched by whoever runs this, and part of nothing here). Needs java, mvn, python3.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CACHE=${CARGO_TARGET_DIR:-$HERE/../../../target}/search
# shellcheck source=../common.sh
source "$HERE/../common.sh"

choose_engine() { # os|es
  case $1 in
    os) NAME=opensearch PRODUCT=org.opensearch ;;
    es) NAME=elasticsearch PRODUCT=org.elasticsearch ;;
    *) die 'there is os and es' ;;
  esac
}

fetch() { # os|es: prints the directory
  choose_engine "$1"
  local parent
  parent=$(fetched_once "$CACHE/$1" unpack "$1")
  printf '%s\n' "$parent/$NAME"-*
}

unpack() { # os|es DIRECTORY
  maven "$HERE/pom.xml" -P "$1" "-Dengine.output=$2" package
}

configure() { # os|es
  mkdir -p "$DIR/config" "$DIR/data" "$DIR/logs" "$DIR/tmp" "$DIR/repositories"
  cat >"$DIR/config/$NAME.yml" <<CONF
cluster.name: strongroom-test
node.name: node
network.host: 127.0.0.1
http.port: $PORT
transport.port: $TRANSPORT
discovery.type: single-node
path.data: $DIR/data
path.logs: $DIR/logs
path.repo: ["$DIR/repositories"]
cluster.routing.allocation.disk.threshold_enabled: false
CONF
  if [[ $1 == es ]]; then echo 'xpack.security.enabled: false' >>"$DIR/config/$NAME.yml"; fi
  cat >"$DIR/config/log4j2.properties" <<'CONF'
status=error
appender.e.type=Console
appender.e.name=e
appender.e.layout.type=PatternLayout
appender.e.layout.pattern=%d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level=info
rootLogger.appenderRef.e.ref=e
CONF
}

launch() { # ENGINE HEAP
  : >"$DIR/log"
  (cd "$DIR" && exec setsid java "-Xms$2" "-Xmx$2" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    "-Djava.io.tmpdir=$DIR/tmp" "-Dlog4j2.configurationFile=$DIR/config/log4j2.properties" -cp "$1/lib/*" \
    "$HERE/Node.java" "$PRODUCT" "$1" "$DIR/config" </dev/null >>"$DIR/log" 2>&1) &
  echo $! >"$DIR/pid"
}

answers() {
  grep -q 'Node started$' "$DIR/log" && python3 - "$PORT" 2>/dev/null <<'PYTHON'
import sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5)
PYTHON
}

start() { # os|es DIR OPTION…
  local version=$1 engine heap=512m
  engine=$(fetch "$version")
  choose_engine "$version"
  mkdir -p "$2"
  DIR=$(cd "$2" && pwd -P) PORT=$(cat "$2/port" 2>/dev/null || true)
  shift 2
  while [[ $# -gt 0 ]]; do
    case $1 in
      --port) PORT=${2:?} && shift ;;
      --heap) heap=${2:?} && shift ;;
      *) die "what is $1?" ;;
    esac
    shift
  done
  ! is_running "$DIR/pid" "$DIR/config" || die "there is an engine in $DIR: stop it first"
  read -r TRANSPORT free <<<"$(free_ports 2)"
  PORT=${PORT:-$free}
  configure "$version"
  launch "$engine" "$heap"
  await "$DIR/pid" "$DIR/log" answers
  echo "$PORT" >"$DIR/port"
}

stop() {
  end_process "$DIR/pid" "$DIR/config"
  rm -f "$DIR/pid"
}

crash() {
  if is_running "$DIR/pid" "$DIR/config"; then kill -KILL "$(<"$DIR/pid")" 2>/dev/null || true; fi
  stop
}

case ${1:-} in
  fetch) fetch "${2:?os or es}" ;;
  start) start "${2:?os or es}" "${3:?a directory}" "${@:4}" ;;
  stop) DIR=$(realpath -m "${2:?a directory}") && stop ;;
  kill) DIR=$(realpath -m "${2:?a directory}") && crash ;;
  *) usage ;;
esac
