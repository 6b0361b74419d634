"""Judges the demo without strongroom: what was restored against what the engine had acknowledged before the fence.

usage: compare.py before DIR PORT            notes how the indices are defined
       compare.py use DIR                    were they really in use while they were saved?
       compare.py restored DIR PORT [PREFIX] every document, setting, mapping and alias; PREFIX begins the restored names
       compare.py untouched DIR PORT         the indices that were there are what they were, to the last that was written
       compare.py goes-on DIR PORT           new entries have higher ids than all that were restored
"""

import json
import sys
from pathlib import Path

import indices
import judge
import ledger
from documents import INDEX, SEQUENCES
from engine import Engine
from indices import INDICES
from ledger import Fence

CHANGES_MIN = {INDEX: 5, SEQUENCES: 1}


def main() -> int:
    what, top, *rest = sys.argv[1:]
    problems: list[str] = []
    {"before": before, "use": use, "restored": restored, "untouched": untouched, "goes-on": goes_on}[what](Path(top), *rest, problems=problems)
    return judge.verdict(problems)


def before(top: Path, port: str, problems: list[str]) -> None:
    (top / "before.json").write_text(json.dumps(indices.noted(Engine(int(port)))))


def _before(top: Path) -> dict[str, dict]:
    return json.loads((top / "before.json").read_text())


def _written(top: Path) -> list:
    return ledger.lines(top / "ledger.jsonl", top / "ledger-writer.jsonl")


def use(top: Path, problems: list[str]) -> None:
    record = judge.record(top)
    sealed = judge.sealed(record)
    for index in INDICES:
        began = indices.fence(record, index).began
        count = sum(1 for line in ledger.lines(top / "ledger-writer.jsonl") if line[0] == index and began < line[-1] < sealed)
        print(f"  {index}: {count} changes came between its instant and the seal ({sealed - began:.1f} s)")
        if count < CHANGES_MIN[index]:
            problems.append(f"only {count} changes of {index} came meanwhile: {CHANGES_MIN[index]} are asked for")


def restored(top: Path, port: str, prefix: str = "", *, problems: list[str]) -> None:
    indices.compare(Engine(int(port)), judge.record(top), _before(top), _written(top), problems, prefix)


def untouched(top: Path, port: str, problems: list[str]) -> None:
    engine, noted, last = Engine(int(port)), _before(top), Fence(float("inf"), float("inf"))
    for index in INDICES:
        right = ledger.judge(index, ledger.due(_written(top), index, last), indices.found(engine, index), problems)
        indices.compare_definition(index, noted[index], indices.definition(engine, index), problems)
        if indices.uuid(engine, index) != noted[index]["uuid"]:
            problems.append(f"{index} is another index than it was")
        print(f"  {index}: {right} documents, to the last that was written")


def goes_on(top: Path, port: str, problems: list[str]) -> None:
    indices.goes_on(Engine(int(port)), problems)


if __name__ == "__main__":
    sys.exit(main())
