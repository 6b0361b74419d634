#!/usr/bin/env bash
# A real Kafka for tests and demos: fetched once, started below a directory that the caller owns, ended by its own pid.
#
# usage: kafka.sh fetch 3|4                    brings the jars, and prints the directory that holds them
#        kafka.sh start 3|4 DIR [OPTION…]      returns when every broker answers
#        kafka.sh stop DIR                     returns when they are gone; also after a start that was interrupted
#        kafka.sh stop-broker DIR NUMBER       one of several, so that another one has to lead
#        kafka.sh client DIR                   Kafka's own client, told by lines of JSON: see Client.java
#
#   --brokers N           how many, 1 to 9, 1 unless given; the first is the controller too, so it has to stay
#   --user NAME:PASSWORD  who may log in by SASL (PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512); opens the SASL listeners
#   --tls                 opens the TLS listeners; DIR/ca.pem vouches for 127.0.0.1 and localhost
#
# DIR/ports then says where they listen on 127.0.0.1, a line each: "plain 1 PORT", "sasl 1 PORT", "tls 1 PORT",
# "sasl-tls 1 PORT" (the number is the broker's). 3 is Kafka 3.9.2, 4 is Kafka 4.3.1. Needs java, mvn, python3, and openssl for TLS.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CACHE=${CARGO_TARGET_DIR:-$HERE/../../../target}/kafka
CLUSTER=MkU3OEVBNTcwNTJENDM2Qg # any 16 bytes, as Kafka writes them
JAVA=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto)

# shellcheck source=../common.sh
source "$HERE/../common.sh"

fetch() { # 3|4: prints the directory
  local profile=()
  case $1 in
    3) ;;
    4) profile=(-P kafka-4) ;;
    *) die 'there is a Kafka 3 and a Kafka 4' ;;
  esac
  fetched_once "$CACHE/lib-$1" jars "${profile[@]}"
}

jars() { # [OPTION…] DIRECTORY
  maven "$HERE/pom.xml" "${@:1:$#-1}" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=${!#}"
}

logging() { # one configuration for each generation of log4j
  cat >"$DIR/log4j.properties" <<'CONF'
log4j.rootLogger=WARN, e
log4j.logger.kafka.server=INFO
log4j.appender.e=org.apache.log4j.ConsoleAppender
log4j.appender.e.target=System.err
log4j.appender.e.layout=org.apache.log4j.PatternLayout
log4j.appender.e.layout.ConversionPattern=%d{ISO8601} %-5p %c{1} %m%n
CONF
  cat >"$DIR/log4j2.properties" <<'CONF'
rootLogger.level=WARN
rootLogger.appenderRef.e.ref=e
logger.s.name=kafka.server
logger.s.level=INFO
appender.e.type=Console
appender.e.name=e
appender.e.target=SYSTEM_ERR
appender.e.layout.type=PatternLayout
appender.e.layout.pattern=%d{ISO8601} %-5p %c{1} %m%n
CONF
}

use_logging() {
  JAVA+=("-Dlog4j.configuration=file:$DIR/log4j.properties" "-Dlog4j2.configurationFile=$DIR/log4j2.properties" -Djava.awt.headless=true)
}

certificate() { # a certificate of its own that vouches for itself
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$DIR/key.pem" -out "$DIR/ca.pem" 2>"$DIR/openssl.log" || die "openssl failed: $DIR/openssl.log"
  cat "$DIR/key.pem" "$DIR/ca.pem" >"$DIR/broker.pem"
}

listener() { # NAME PROTOCOL KIND: adds one of the broker that is being configured
  local port=${PORTS[0]}
  PORTS=("${PORTS[@]:1}")
  listeners+=",$1://127.0.0.1:$port" protocols+=",$1:$2"
  printf '%s %s %s\n' "$3" "$number" "$port" >>"$DIR/ports"
}

configure() { # NUMBER: writes its properties
  local number=$1 roles=broker listeners='' protocols='CONTROLLER:PLAINTEXT' advertised
  listener PLAINTEXT PLAINTEXT plain
  [[ -z $USER_PASSWORD ]] || listener SASL SASL_PLAINTEXT sasl
  [[ -z $TLS ]] || listener TLS SSL tls
  [[ -z $TLS || -z $USER_PASSWORD ]] || listener SASLTLS SASL_SSL sasl-tls
  listeners=${listeners#,} advertised=$listeners
  if [[ $number -eq 1 ]]; then roles=broker,controller listeners+=,CONTROLLER://127.0.0.1:$CONTROLLER; fi
  cat >"$DIR/server-$number.properties" <<CONF
process.roles=$roles
node.id=$number
controller.quorum.voters=1@127.0.0.1:$CONTROLLER
controller.listener.names=CONTROLLER
listeners=$listeners
advertised.listeners=$advertised
listener.security.protocol.map=$protocols
inter.broker.listener.name=PLAINTEXT
log.dirs=$DIR/data-$number
auto.create.topics.enable=false
min.insync.replicas=1
# So few brokers hold these once.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Nobody waits for what a production server delays: groups, the log's cleaner, retention, a restart.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=4194304
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=1000
log.flush.start.offset.checkpoint.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controlled.shutdown.max.retries=1
num.network.threads=2
num.io.threads=4
CONF
  if [[ -n $USER_PASSWORD ]]; then sasl >>"$DIR/server-$number.properties"; fi
  if [[ -n $TLS ]]; then printf 'ssl.keystore.type=PEM\nssl.keystore.location=%s\n' "$DIR/broker.pem" >>"$DIR/server-$number.properties"; fi
}

sasl() {
  local name modules=org.apache.kafka.common.security
  echo 'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'
  for name in sasl sasltls; do
    cat <<CONF
listener.name.$name.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required user_${USER_PASSWORD%%:*}="${USER_PASSWORD#*:}";
listener.name.$name.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$name.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
CONF
  done
}

format() { # NUMBER: makes its data directory
  local scram=() mechanism
  if [[ -n $USER_PASSWORD ]]; then
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
      scram+=(--add-scram "$mechanism=[name=${USER_PASSWORD%%:*},password=${USER_PASSWORD#*:}]")
    done
  fi
  "${JAVA[@]}" -Xmx128m -cp "$CLASSES" kafka.tools.StorageTool format -t "$CLUSTER" -c "$DIR/server-$1.properties" "${scram[@]}" >"$DIR/format-$1.log" 2>&1 ||
    die "Kafka does not format its directory: $(tail -n 5 "$DIR/format-$1.log")"
}

launch() { # NUMBER
  : >"$DIR/log-$1"
  (cd "$DIR" && exec setsid "${JAVA[@]}" -Xms64m -Xmx512m -XX:+ExitOnOutOfMemoryError -cp "$CLASSES" kafka.Kafka "$DIR/server-$1.properties" \
    </dev/null >>"$DIR/log-$1" 2>&1) &
  echo $! >"$DIR/pid-$1"
}

answers() { # NUMBER
  local kind number port
  grep -q 'Kafka Server started' "$DIR/log-$1" || return 1
  while read -r kind number port; do
    [[ $number != "$1" ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 1
  done <"$DIR/ports"
}

start() { # 3|4 DIR OPTION…
  local version=$1 brokers=1 lib number
  lib=$(fetch "$version")
  mkdir -p "$2"
  DIR=$(cd "$2" && pwd -P) USER_PASSWORD='' TLS=''
  shift 2
  while [[ $# -gt 0 ]]; do
    case $1 in
      --brokers) brokers=${2:?} && shift ;;
      --user) USER_PASSWORD=${2:?} && shift ;;
      --tls) TLS=1 ;;
      *) die "what is $1?" ;;
    esac
    shift
  done
  [[ ! -e $DIR/pid-1 ]] || die "there is a Kafka in $DIR: stop it, and remove the directory"
  CLASSES=$(printf '%s:' "$lib"/*.jar)
  echo "$lib" >"$DIR/lib"
  logging
  use_logging
  [[ -z $TLS ]] || certificate
  : >"$DIR/ports"
  read -ra PORTS <<<"$(free_ports $((1 + 4 * brokers)))"
  CONTROLLER=${PORTS[0]} PORTS=("${PORTS[@]:1}")
  for ((number = 1; number <= brokers; number++)); do configure "$number" && format "$number"; done
  for ((number = 1; number <= brokers; number++)); do launch "$number"; done
  for ((number = 1; number <= brokers; number++)); do await "$DIR/pid-$number" "$DIR/log-$number" answers "$number"; done
}

stop_broker() { # NUMBER
  end_process "$DIR/pid-$1" "$DIR/server-$1.properties"
}

stop() { # the controller last: the others ask it for leave
  local number
  for number in 9 8 7 6 5 4 3 2 1; do
    [[ ! -e $DIR/pid-$number ]] || stop_broker "$number"
    rm -f "$DIR/pid-$number"
  done
}

client() {
  local lib
  lib=$(<"$DIR/lib")
  use_logging
  exec "${JAVA[@]}" -Xmx256m -cp "$lib/*" "$HERE/Client.java" "127.0.0.1:$(sed -n 's/^plain 1 //p' "$DIR/ports")"
}

case ${1:-} in
  fetch) fetch "${2:?3 or 4}" ;;
  start) start "${2:?3 or 4}" "${3:?a directory}" "${@:4}" ;;
  stop) DIR=$(realpath -m "${2:?a directory}") && stop ;;
  client) DIR=$(realpath "${2:?a directory}") && client ;;
  stop-broker) DIR=$(realpath -m "${2:?a directory}") && stop_broker "${3:?a number}" ;;
  *) usage ;;
esac
