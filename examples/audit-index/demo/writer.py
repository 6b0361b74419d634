"""Uses the sample instance as it is used: entries come, numbered by the sequencer; some are changed or removed. Until the file STOP appears.

usage: writer.py DIR PORT [--count N]

Adds to DIR/ledger-writer.jsonl what the engine has acknowledged. With --count it ends by itself, and prints the ids that it was given.
"""

import argparse
import itertools
import os
import sys
import time
from pathlib import Path

import documents
from documents import INDEX, SEQUENCE, SEQUENCES
from engine import Engine
from ledger import Ledger

ROUNDS_PER_SECOND, REMOVED_MAX = 60, 100


def add(engine: Engine, ledger: Ledger) -> int:
    """One entry, as Nuxeo adds one: its id is the version that the sequencer's document has then, and it must be new."""
    sent = time.time()
    number = engine.put(SEQUENCES, SEQUENCE, b"{}")
    ledger.wrote(SEQUENCES, SEQUENCE, number, None, None, sent)
    source, way, sent = documents.source(number), documents.routing(number), time.time()
    version = engine.put(INDEX, str(number), source, way, create=True)
    ledger.wrote(INDEX, str(number), version, way, source, sent)
    return number


def change(engine: Engine, ledger: Ledger, number: int, turn: int) -> None:
    """One more version of an entry."""
    name, source, way, sent = documents.identifier(number), documents.source(number, turn), documents.routing(number), time.time()
    ledger.wrote(INDEX, name, engine.put(INDEX, name, source, way), way, source, sent)


def remove(engine: Engine, ledger: Ledger, number: int) -> None:
    name, way, sent = documents.identifier(number), documents.routing(number), time.time()
    engine.delete(INDEX, name, way)
    ledger.removed(INDEX, name, way, sent)


def use(engine: Engine, ledger: Ledger, goes_on) -> None:
    """Rounds at an even pace. What is changed and removed are entries that were there before."""
    for turn in itertools.count():
        if not goes_on():
            return
        due = time.monotonic() + 1 / ROUNDS_PER_SECOND
        add(engine, ledger)
        if turn % 3 == 0:
            change(engine, ledger, 20 + 40 * (turn // 3 % 50), 4 + turn // 150 % 200)
        if turn % 10 == 0 and turn < REMOVED_MAX * 10:
            remove(engine, ledger, 21 + 40 * (turn // 10))
        ledger.flush()
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="writer.py")
    parser.add_argument("top", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int)
    asked = parser.parse_args()
    engine, parent, stop = Engine(asked.port), os.getppid(), asked.top / "STOP"
    if asked.count is not None:
        ledger = Ledger(Path(os.devnull))
        print(*(add(engine, ledger) for _ in range(asked.count)))
    else:
        use(engine, Ledger(asked.top / "ledger-writer.jsonl"), lambda: not stop.exists() and os.getppid() == parent)


if __name__ == "__main__":
    sys.exit(main())
