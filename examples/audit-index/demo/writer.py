"""Uses the sample instance as it is used: entries come, numbered by the sequencer; some are changed or removed. Until the file STOP appears.

usage: writer.py DIR PORT

Adds to DIR/ledger-writer.jsonl what the engine has acknowledged.
"""

import itertools
import os
import sys
import time
from pathlib import Path

import data
import documents
from documents import INDEX
from engine import Engine
from ledger import Ledger

ROUNDS_PER_SECOND, REMOVED_MAX = 60, 100


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
        data.add(engine, ledger)
        if turn % 3 == 0:
            change(engine, ledger, 20 + 40 * (turn // 3 % 50), 4 + turn // 150 % 200)
        if turn % 10 == 0 and turn < REMOVED_MAX * 10:
            remove(engine, ledger, 21 + 40 * (turn // 10))
        ledger.flush()
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    top, port = Path(sys.argv[1]), int(sys.argv[2])
    engine, parent, stop = Engine(port), os.getppid(), top / "STOP"
    use(engine, Ledger(top / "ledger-writer.jsonl"), lambda: not stop.exists() and os.getppid() == parent)


if __name__ == "__main__":
    sys.exit(main())
