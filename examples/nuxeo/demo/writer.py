"""Uses the sample instance as it is used: documents and blobs come, work is queued, until the file STOP appears.

usage: writer.py DIR      (the database as the environment says)

Adds to DIR/ledger-writer.jsonl what it produced, and to DIR/changes.jsonl when each document was committed.
"""

import itertools
import json
import os
import random
import sys
import time
from pathlib import Path

import instance
from database import ask
from kafka import CODECS, Kafka, Ledger, Use
from streams import EARLY_MS, EMPTY, LATE_MS, PREFIX, TOPICS

ROUNDS_PER_SECOND = 10
_BUSY = ("audit-audit", "bulk-command", "work-default", "source-document", "source-blob", "work-dlq")


def records(ledger: Ledger, topic: str, turn: int) -> list[dict]:
    """A few of now; sometimes one that is late, or one from a clock that is ahead."""
    now = int(time.time() * 1000)
    places = [place for place in range(TOPICS[topic][0]) if (topic, place) != EMPTY]
    made = [ledger.record(places[(turn + number) % len(places)], now + number) for number in range(3)]
    if turn % 5 == 0:
        made[1]["ts"] = now - LATE_MS
    if turn % 7 == 0:
        made[0]["ts"] = now + EARLY_MS
    return made


def main() -> None:
    top, dice = Path(sys.argv[1]), random.Random()
    use, kafka = Use(top), Kafka(top / "kafka")
    ledger, changes = Ledger(kafka, top / "ledger-writer.jsonl"), (top / "changes.jsonl").open("a", encoding="utf-8")
    for turn in itertools.count():
        if not use.goes_on():
            break
        due = time.monotonic() + 1 / ROUNDS_PER_SECOND
        topic = _BUSY[turn % len(_BUSY)]
        ledger.produce(PREFIX + topic, records(ledger, topic, turn), CODECS[turn % len(CODECS)])
        if turn % 2 == 0:
            content = dice.randbytes(dice.randint(1, 30_000))
            key = instance.store(top / "instance/data", content)
            ask(instance.document(f"new-{os.getpid()}-{turn}", key, len(content)))
            changes.write(json.dumps({"at": time.time(), "key": key}) + "\n")
            changes.flush()
        time.sleep(max(0.0, due - time.monotonic()))
    kafka.close()


if __name__ == "__main__":
    main()
