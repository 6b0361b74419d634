# The section `streams` of bench.sh: records of a private Kafka through plugins/nuxeo-streams, and through Kafka's own
# performance tools, in turn. Sourced; rows, rounds and directories are bench.sh's.

KAFKA='' PARTITIONS=8
# What the plugin writes to a topic, and what brokers take by default: 1 MiB.
WRITTEN_BATCH=$((512 << 10))

kafka_up() {
  needs java mvn
  KAFKA=$FAST/kafka
  "$ROOT/tests/services/kafka/kafka.sh" start 4 "$KAFKA" >&2
  SERVERS=127.0.0.1:$(sed -n 's/^plain 1 //p' "$KAFKA/ports")
  [[ -n ${STREAMS_WASM:-} ]] || {
    "$STRONGROOM" plugin build "$ROOT/plugins/nuxeo-streams" --out "$DIR/plugins" >&2
    STREAMS_WASM=$DIR/plugins/nuxeo-streams.wasm
  }
}

kafka_down() {
  [[ -z $KAFKA ]] || "$ROOT/tests/services/kafka/kafka.sh" stop "$KAFKA"
  KAFKA=''
}

java_with() { # a class or a file of Kafka's jars, ARGUMENT...
  java -Xmx512m -Dlog4j2.configurationFile="$KAFKA/log4j2.properties" -cp "$(<"$KAFKA/lib")/*" "$@"
}

topics() { java_with org.apache.kafka.tools.TopicCommand --bootstrap-server "$SERVERS" "$@" >/dev/null; }

forget_topic() { # TOPIC: the brokers remove it, and its files a second later
  topics --delete --topic "$1"
  local until=$((SECONDS + 30))
  while compgen -G "$KAFKA/data-1/$1-*" >/dev/null && ((SECONDS < until)); do sleep 0.2; done
}

consumed() { # TOPIC RECORDS: prints fetch.MB.sec of Kafka's own tool
  java_with org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$SERVERS" --topic "$1" --num-records "$2" \
    --hide-header | awk -F ', *' 'END { print $9 }'
}

produced() { # TOPIC RECORDS: prints MB/s of Kafka's own tool
  topics --create --topic "$1" --partitions "$PARTITIONS" --replication-factor 1
  java_with org.apache.kafka.tools.ProducerPerformance --bootstrap-server "$SERVERS" --topic "$1" --num-records "$2" \
    --throughput -1 --payload-file "$DIR/payloads" --command-property acks=all batch.size=$WRITTEN_BATCH linger.ms=10 |
    tail -n 1 | sed -n 's/.*(\([0-9.]*\) MB\/sec).*/\1/p'
  forget_topic "$1"
}

stream_pipeline() { # NAME CONFIG: one that saves or restores topics, as they are
  pipeline_of "$1" "$OUT" <<TOML
compression = "off"
[step.streams]
plugin = "$STREAMS_WASM"
config = { $2 }
grant.tcp.kafka = { endpoints = ["$SERVERS"] }
TOML
}

moved() { # PIPELINE BYTES VERB: prints MB/s, between the records parts' start and their end, and the peak in KiB
  part_seconds /records- "$1" "${@:3}" | awk -v bytes="$2" '{ printf "%.1f %s\n", bytes / 1048576 / $1, $2 }'
}

streams_of() { # WHAT PREFIX BYTES RECORD-BYTES BATCH-BYTES: fills a topic, and measures both ways
  local prefix=$2 topic=$2bench-records bytes=$3 records=$(($3 / $4)) round
  headline "$((bytes / MIB)) MiB of $1 in $PARTITIONS partitions ($FEW rounds in turn)"
  java_with "$ROOT/tests/bench/Fill.java" "$SERVERS" "$topic" "$PARTITIONS" "$records" "$4" "$5"
  # 4096 values as long.
  head -c $((3072 * $4)) /dev/urandom | base64 -w "$4" >"$DIR/payloads"
  stream_pipeline "$prefix" "prefix = \"$prefix\""
  for ((round = 0; round < FEW; round++)); do
    fresh
    moved "$prefix" "$bytes" backup | tee -a "$DIR/$prefix-backup"
    consumed "$topic" "$records" | tee -a "$DIR/$prefix-consumer"
    stream_pipeline "$prefix$round" "target-prefix = \"r$round-\", read-back = false"
    moved "$prefix$round" "$bytes" restore | tee -a "$DIR/$prefix-restore"
    forget_topic "r$round-${topic#"$prefix"}"
    produced "p$round-$topic" "$records" | tee -a "$DIR/$prefix-producer"
  done
  stream_rows "$1" "$prefix"
  fresh
  forget_topic "$topic"
}

stream_rows() { # WHAT PREFIX
  local ours theirs verb tool wanted
  while read -r verb tool wanted; do
    ours=$(first <"$DIR/$2-$verb" | median) theirs=$(median <"$DIR/$2-$tool")
    row "$verb of $1, rate against Kafka's own $tool" "$(quotient "$ours" "$theirs")" '' '>=' "$wanted" \
      "$ours MB/s ($(first <"$DIR/$2-$verb" | range)), $tool $theirs ($(range <"$DIR/$2-$tool"))"
    row "$verb of $1, peak memory" "$(cut -d' ' -f2 <"$DIR/$2-$verb" | sort -n | tail -n 1 | awk '{ print int($1 / 1024) }')" \
      ' MiB' '<=' 300 'the plugin within its limit of 64 MiB'
  done <<<$'backup consumer 0.8\nrestore producer 0.6'
}

kafka_streams() {
  headline 'starting a private Kafka'
  kafka_up
  streams_of 'a topic' big- "$BYTES" 1024 16384
  streams_of 'a topic of small batches' small- $((BYTES / 20)) 1024 0
  # Their headers are too little to be worth deflating.
  streams_of 'a topic of small batches of 4 KiB' stored- $((BYTES / 10)) 4096 0
  kafka_down
}
