"""Makes the indices of a sample instance: an audit log, and the sequencer that numbers its entries.

usage: data.py DIR PORT [--count N]

Leaves in DIR/ledger.jsonl a line for each document that is there in the end, as the engine acknowledged it, and each one that is gone.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import documents
from documents import INDEX, SEQUENCE, SEQUENCES
from engine import Engine
from ledger import Ledger

BATCH = 5000
BIG = 4242
# Sequences that something else numbers by; the last one is more than a double can say.
OTHERS = {"invoice": 4711, "läufe": 1, "huge": 9_007_199_254_740_993}


def actions(numbers: list[int], turn: int) -> list[bytes]:
    """Lines that write these entries."""
    lines = []
    for number in numbers:
        action = {"_id": documents.identifier(number)} | ({"routing": way} if (way := documents.routing(number)) is not None else {})
        lines += [json.dumps({"index": action}).encode(), documents.big_source(number) if number == BIG else documents.source(number, turn)]
    return lines


def write(engine: Engine, ledger: Ledger, numbers: list[int], turn: int = 0) -> None:
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start:start + BATCH]
        lines, sent = actions(batch, turn), time.time()
        for number, item, source in zip(batch, engine.bulk(INDEX, lines), lines[1::2], strict=True):
            ledger.wrote(INDEX, item["_id"], item["_version"], documents.routing(number), source, sent)


def remove(engine: Engine, ledger: Ledger, numbers: list[int]) -> None:
    lines = [json.dumps({"delete": {"_id": documents.identifier(number)} | ({"routing": way} if (way := documents.routing(number)) is not None else {})}).encode()
             for number in numbers]
    sent = time.time()
    for number, item in zip(numbers, engine.bulk(INDEX, lines), strict=True):
        ledger.removed(INDEX, item["_id"], documents.routing(number), sent)


def fill(engine: Engine, ledger: Ledger, count: int) -> int:
    """`count` entries; some have a second and a third version, some were gone and came again, others are gone. Returns the last number."""
    last = count + count // 100
    write(engine, ledger, list(range(1, last + 1)))
    write(engine, ledger, [number for number in range(1, count) if number % 20 == 3], turn=1)
    write(engine, ledger, [number for number in range(1, count) if number % 100 == 3], turn=2)
    again = [number for number in range(1, count) if number % 800 == 9 or number % 800 == 13]
    remove(engine, ledger, again)
    write(engine, ledger, again, turn=3)
    remove(engine, ledger, list(range(count + 1, last + 1)))
    return last


def number_on(engine: Engine, ledger: Ledger, last: int) -> None:
    """The sequencer, as the entries have left it."""
    for name, version in ({SEQUENCE: last} | OTHERS).items():
        action = {"index": {"_id": name, "version": version, "version_type": "external"}}
        sent = time.time()
        engine.bulk(SEQUENCES, [json.dumps(action).encode(), b"{}"])
        ledger.wrote(SEQUENCES, name, version, None, None, sent)


def add(engine: Engine, ledger: Ledger, source: Callable[[int], bytes] = documents.source) -> int:
    """One entry, as Nuxeo adds one: its id is the version that the sequencer's document has then, and it must be new."""
    sent = time.time()
    number = engine.put(SEQUENCES, SEQUENCE, b"{}")
    ledger.wrote(SEQUENCES, SEQUENCE, number, None, None, sent)
    entry, way, sent = source(number), documents.routing(number), time.time()
    version = engine.put(INDEX, str(number), entry, way, create=True)
    ledger.wrote(INDEX, str(number), version, way, entry, sent)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(prog="data.py")
    parser.add_argument("top", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, default=200_000)
    asked = parser.parse_args()
    engine, ledger = Engine(asked.port), Ledger(asked.top / "ledger.jsonl")
    engine.ask("PUT", f"/{INDEX}", documents.AUDIT)
    engine.ask("PUT", f"/{SEQUENCES}", documents.UIDGEN)
    began = time.monotonic()
    number_on(engine, ledger, fill(engine, ledger, asked.count))
    ledger.close()
    for index in (INDEX, SEQUENCES):
        engine.ask("POST", f"/{index}/_refresh")
    there = engine.ask("GET", f"/{INDEX}/_count")["count"]
    print(f"{there} audit entries in {time.monotonic() - began:.0f} s: numbered, routed, changed, removed; one of {documents.BIG_BYTES >> 20} MB; "
          f"{1 + len(OTHERS)} sequences")


if __name__ == "__main__":
    sys.exit(main())
