"""Makes the sample instance's topics and groups: every kind of log that a backup has to understand.

usage: streams.py DIR

Leaves ledger-before.jsonl (what was produced), groups.json (what was committed) and deleted.json (heads that are gone).
"""

import json
import sys
import time
from pathlib import Path

from kafka import CODECS, Kafka, Ledger, text

PREFIX = "dam-"
COMPACTED = "bulk-status"
_COMPACT = {"cleanup.policy": "compact", "segment.ms": "300", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
            "max.compaction.lag.ms": "1000"}
# Names as a Nuxeo of 2021 gives them, partitions, and configs of their own.
TOPICS = {
    "audit-audit": (3, {}),
    "bulk-command": (4, {"retention.ms": "604800000"}),
    COMPACTED: (3, _COMPACT),
    "bulk-done": (3, {}),
    "work-default": (8, {"max.message.bytes": "2000000"}),
    "work-dlq": (3, {}),
    "source-document": (5, {"compression.type": "producer"}),
    "source-blob": (3, {"message.timestamp.type": "LogAppendTime"}),
    "retention-retentionExpired": (3, {}),
}
# What Nuxeo makes anew and no backup restores.
PASSING = {"pubsub-pubsub": (1, {"retention.ms": "7200000"}), "internal-metrics": (1, {}), "input-null": (1, {})}
# Other applications', whose names only look alike.
FOREIGN = ("dam-2-audit-audit", "dam2-audit-audit")
EMPTY = ("work-default", 7)
BATCH, LATE_MS, EARLY_MS = 12, 3_600_000, 600_000


def fill(ledger: Ledger, topic: str, partitions: int, batches: int = 10) -> None:
    """Batches of every codec in turn; one record in each is an hour late, one comes from a clock that is ahead."""
    start = int(time.time() * 1000) - batches * 60_000
    for batch in range(batches):
        times = [start + batch * 60_000 + number * 10 for number in range(BATCH)]
        times[3], times[7] = times[3] - LATE_MS, int(time.time() * 1000) + (EARLY_MS if batch % 2 else 0)
        places = [partition for partition in range(partitions) if (topic.removeprefix(PREFIX), partition) != EMPTY]
        ledger.produce(topic, [ledger.record(place, ts) for place in places for ts in times], CODECS[batch % len(CODECS)])


def compact(kafka: Kafka, ledger: Ledger) -> None:
    """Rounds of the same keys, a tombstone, and what the log's cleaner leaves of them: offsets with holes."""
    topic = PREFIX + COMPACTED
    for turn in range(5):
        keys = [f"command-{number}" for number in range(0, 20, turn + 1)]
        now = int(time.time() * 1000)
        records = [ledger.record(partition, now, key=text(key)) for partition in range(3) for key in keys]
        records += [ledger.record(partition, now, key=text("command-0"), value=None) for partition in range(3)]
        ledger.produce(topic, records, CODECS[turn])
        time.sleep(0.5)
    for last in ("last", "very last"):  # a new record lets the segment before it be cleaned
        ledger.produce(topic, [ledger.record(partition, int(time.time() * 1000), key=text(last)) for partition in range(3)])
        time.sleep(0.5)
    wait_until_cleaned(kafka, topic)


def wait_until_cleaned(kafka: Kafka, topic: str) -> None:
    """Until each key is there once, or half a minute is over."""
    until = time.monotonic() + 30
    while True:
        records = kafka.ask("read", topic=topic)["records"]
        if len({(record["partition"], record["key"]) for record in records}) == len(records):
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{topic}: the log's cleaner did nothing for 30 s")
        time.sleep(0.5)


def special(kafka: Kafka, ledger: Ledger) -> dict:
    """Transactions, heads that were deleted, a partition that has a history and no records. What was deleted: [topic, partition, before]."""
    done, now = PREFIX + "bulk-done", int(time.time() * 1000)
    for transaction in ("commit", "abort", "commit", "abort"):
        ledger.produce(done, [ledger.record(number % 3, now) for number in range(9)], "lz4", transaction)
    fill(ledger, done, 3, 2)
    expired = PREFIX + "retention-retentionExpired"
    ledger.produce(expired, [ledger.record(0, now) for _ in range(5)])
    deleted = [[PREFIX + "work-dlq", 0, 40], [PREFIX + "work-dlq", 2, 7], [expired, 0, 5]]
    for topic, partition, before in deleted:
        kafka.ask("delete-records", topic=topic, partition=partition, before=before)
    return {"deleted": deleted}


def commit(kafka: Kafka) -> dict[str, list]:
    """Two groups that nobody is a member of: in the middle, at the end, below the log's start, and nowhere."""
    ends = {topic: kafka.ask("read", topic=PREFIX + topic)["end"] for topic in ("audit-audit", "bulk-command", "work-dlq")}
    groups = {
        "audit-writer": [[PREFIX + "audit-audit", 0, 31], [PREFIX + "audit-audit", 1, ends["audit-audit"]["1"]]],
        "bulk-scroller": [[PREFIX + "bulk-command", 0, 0], [PREFIX + "bulk-command", 1, 77], [PREFIX + "bulk-command", 2, 119],
                          [PREFIX + "work-dlq", 0, 12], [PREFIX + "work-dlq", 1, ends["work-dlq"]["1"]]],
    }
    for group, offsets in groups.items():
        kafka.ask("commit", group=PREFIX + group, offsets=offsets)
    kafka.ask("commit", group="dam-2-audit-writer", offsets=[["dam-2-audit-audit", 0, 4]])
    return groups


def main() -> None:
    top = Path(sys.argv[1])
    kafka = Kafka(top / "kafka")
    ledger = Ledger(kafka, top / "ledger-before.jsonl")
    for name, (partitions, configs) in (TOPICS | PASSING).items():
        kafka.ask("create", topic=PREFIX + name, partitions=partitions, configs=configs)
        if name not in (COMPACTED, "bulk-done", "retention-retentionExpired"):
            fill(ledger, PREFIX + name, partitions)
    for topic in FOREIGN:
        kafka.ask("create", topic=topic, partitions=1)
        fill(ledger, topic, 1, 1)
    compact(kafka, ledger)
    deleted = special(kafka, ledger)
    groups = commit(kafka)
    (top / "deleted.json").write_text(json.dumps(deleted))
    (top / "groups.json").write_text(json.dumps(groups))
    kafka.close()
    print(f"{len(TOPICS)} topics to restore with {sum(count for count, _ in TOPICS.values())} partitions and every codec, "
          f"{len(PASSING)} that Nuxeo makes anew, {len(FOREIGN)} of others")


if __name__ == "__main__":
    main()
