"""Uses the sample instance as it is used: documents and blobs come and are audited, work is queued, until the file STOP appears.

usage: writer.py DIR      (the database as the environment says)

Adds to DIR/ledger-writer.jsonl what Kafka has acknowledged, to DIR/audit/ledger-writer.jsonl what the engine has, and to
DIR/changes.jsonl each document: where its blob, its record and its audit entry are, and when each was there.
"""

import itertools
import json
import os
import random
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import agree
import data
import documents
import instance
import ledger as audit
from database import ask
from engine import Engine
from kafka import CODECS, Kafka, Ledger, Use, text
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


def entry(number: int, change: dict) -> bytes:
    """The audit entry of a document, which names its blob and its record."""
    told = {"docUUID": change["doc"], "eventId": "documentCreated", "eventDate": datetime.fromtimestamp(change["sent"], timezone.utc).isoformat("T", "milliseconds"),
            "extended": {"blob": change["key"], "record": change["record"]}}
    return json.dumps(json.loads(documents.source(number)) | told).encode()


def add(top: Path, ledger: Ledger, engine: Engine, entries: audit.Ledger, name: str, content: bytes) -> dict:
    """One document, in Nuxeo's order: the blob, the rows, and when they are committed the record, which the audit's entry comes from."""
    change = {"doc": f"doc-{name}", "key": instance.store(top / "instance/data", content), "size": len(content), "sent": time.time()}
    ask(instance.document(name, change["key"], len(content)))
    change["at"] = time.time()
    record = ledger.record(len(content) % TOPICS[agree.TOPIC][0], int(time.time() * 1000), value=text(json.dumps({"doc": change["doc"]})))
    (there,) = ledger.produce(PREFIX + agree.TOPIC, [record])
    change |= {"record": [there["partition"], there["offset"]], "ts": there["ts"], "produced": there["acked"]}
    change["entry"] = data.add(engine, entries, lambda number: entry(number, change))
    entries.flush()
    return change | {"audited": time.time()}


def main() -> None:
    top, dice = Path(sys.argv[1]), random.Random()
    use, kafka, engine = Use(top), Kafka(top / "kafka"), Engine(agree.port(top))
    ledger, changes = Ledger(kafka, top / "ledger-writer.jsonl"), (top / "changes.jsonl").open("a", encoding="utf-8")
    entries = audit.Ledger(top / "audit/ledger-writer.jsonl")
    for turn in itertools.count():
        if not use.goes_on():
            break
        due = time.monotonic() + 1 / ROUNDS_PER_SECOND
        topic = _BUSY[turn % len(_BUSY)]
        ledger.produce(PREFIX + topic, records(ledger, topic, turn), CODECS[turn % len(CODECS)])
        if turn % 2 == 0:
            change = add(top, ledger, engine, entries, f"new-{os.getpid()}-{turn}", dice.randbytes(dice.randint(1, 30_000)))
            changes.write(json.dumps(change) + "\n")
            changes.flush()
        time.sleep(max(0.0, due - time.monotonic()))
    kafka.close()


if __name__ == "__main__":
    main()
