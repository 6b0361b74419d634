"""Judges the demo without strongroom: what was restored against what the engine had acknowledged before the fence.

usage: compare.py before DIR PORT            notes how the indices are defined
       compare.py use DIR                    were they really in use while they were saved?
       compare.py restored DIR PORT [PREFIX] every document, setting, mapping and alias; PREFIX begins the restored names
       compare.py untouched DIR PORT         the indices that were there are what they were, to the last that was written
       compare.py goes-on DIR PORT           new entries have higher ids than all that were restored
"""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import judge
import ledger
from documents import INDEX, SEQUENCES
from engine import Engine
from ledger import Fence

INDICES = (INDEX, SEQUENCES)
CHANGES_MIN, NEW_ENTRIES = {INDEX: 5, SEQUENCES: 1}, 20
# What an engine says of an index as such, not of what somebody wanted.
_ITS_OWN = ("uuid", "creation_date", "provided_name", "version", "resize", "routing", "replication", "verified_before_close", "history")


def main() -> int:
    what, top, *rest = sys.argv[1:]
    problems: list[str] = []
    {"before": before, "use": use, "restored": restored, "untouched": untouched, "goes-on": goes_on}[what](Path(top), *rest, problems=problems)
    return judge.verdict(problems)


def definition(engine: Engine, index: str) -> dict:
    """Settings, mapping and aliases that somebody chose."""
    (found,) = engine.ask("GET", f"/{index}").values()
    settings = {key: value for key, value in found["settings"]["index"].items() if key not in _ITS_OWN and not _is_default(key, value)}
    return {"settings": settings, "mappings": found["mappings"], "aliases": found["aliases"]}


def _is_default(key: str, value: object) -> bool:
    """What is null is the default, and a clone has one default written out."""
    if isinstance(value, dict):
        return all(_is_default("", inner) for inner in value.values())
    return value is None or (key, value) == ("routing_partition_size", "1")


def uuid(engine: Engine, index: str) -> str:
    (found,) = engine.ask("GET", f"/{index}/_settings").values()
    return found["settings"]["index"]["uuid"]


def before(top: Path, port: str, problems: list[str]) -> None:
    engine = Engine(int(port))
    noted = {index: definition(engine, index) | {"uuid": uuid(engine, index)} for index in INDICES}
    (top / "before.json").write_text(json.dumps(noted))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


_SNAPSHOT = {INDEX: "/snapshot", SEQUENCES: "/snapshot-sequences"}


def fence(record: dict, index: str) -> Fence:
    """When the moment of an index was fixed, as the set's record states it: between the start of its part and when that had settled.

    An engine's own snapshot is one part for all indices but the sequences.
    """
    (part,) = {one["part"] for one in record["order"] if one["part"].endswith((index, _SNAPSHOT[index]))}
    at = {one["what"]: _seconds(one["at"]) for one in record["order"] if one["part"] == part}
    return Fence(at["started"], at["settled" if "settled" in at else "ended"])


def _written(top: Path) -> list:
    return ledger.lines(top / "ledger.jsonl", top / "ledger-writer.jsonl")


def use(top: Path, problems: list[str]) -> None:
    record = judge.record(top)
    sealed = judge.sealed(record)
    for index in INDICES:
        began = fence(record, index).began
        count = sum(1 for line in ledger.lines(top / "ledger-writer.jsonl") if line[0] == index and began < line[-1] < sealed)
        print(f"  {index}: {count} changes came between its instant and the seal ({sealed - began:.1f} s)")
        if count < CHANGES_MIN[index]:
            problems.append(f"only {count} changes of {index} came meanwhile: {CHANGES_MIN[index]} are asked for")


def _found(engine: Engine, index: str) -> dict[str, ledger.State]:
    return {one.id: (one.version, one.routing, ledger.digest(one.source)) for one in engine.documents(index)}


def compare_leftovers(engine: Engine, problems: list[str]) -> None:
    """What a run made for itself is gone: indices with names of their own, snapshots, repositories."""
    left = [name for name in engine.ask("GET", "/_settings") if name.startswith("strongroom")] + list(engine.ask("GET", "/_snapshot"))
    problems += [f"{name} was left on the engine" for name in left]


def restored(top: Path, port: str, prefix: str = "", *, problems: list[str]) -> None:
    """The restored indices, as the engine shows them to anybody."""
    engine, record, noted = Engine(int(port)), judge.record(top), json.loads((top / "before.json").read_text())
    for index in INDICES:
        window = fence(record, index)
        due = ledger.due(_written(top), index, window)
        right = ledger.judge(prefix + index, due, _found(engine, prefix + index), problems)
        print(f"  {prefix}{index}: {right} documents as of its instant ({window.ended - window.began:.3f} s wide), with their ids, versions, routing and sources")
        # An alias that another index has is left to it.
        was = noted[index] | ({"aliases": {}} if prefix else {})
        compare_definition(prefix + index, was, definition(engine, prefix + index), problems)
    compare_leftovers(engine, problems)
    print(f"  settings and mappings as they were, and aliases {'left to the indices that have them' if prefix else 'too'}")


def compare_definition(index: str, was: dict, now: dict, problems: list[str]) -> None:
    """Names each kind that differs."""
    for kind in ("settings", "mappings", "aliases"):
        if was[kind] != now[kind]:
            problems.append(f"{index}: its {kind} were {json.dumps(was[kind], sort_keys=True)}, and are {json.dumps(now[kind], sort_keys=True)}")


def untouched(top: Path, port: str, problems: list[str]) -> None:
    engine, noted, last = Engine(int(port)), json.loads((top / "before.json").read_text()), Fence(float("inf"), float("inf"))
    for index in INDICES:
        right = ledger.judge(index, ledger.due(_written(top), index, last), _found(engine, index), problems)
        compare_definition(index, noted[index], definition(engine, index), problems)
        if uuid(engine, index) != noted[index]["uuid"]:
            problems.append(f"{index} is another index than it was")
        print(f"  {index}: {right} documents, to the last that was written")


def goes_on(top: Path, port: str, problems: list[str]) -> None:
    """The same writer, at what was restored: the sequencer must be at least where the entries are."""
    engine = Engine(int(port))
    highest = max(json.loads(one.source)["id"] for one in engine.documents(INDEX))
    writer = [sys.executable, str(Path(__file__).with_name("writer.py")), str(top), port, "--count", str(NEW_ENTRIES)]
    done = subprocess.run(writer, capture_output=True, text=True)
    if done.returncode:
        problems.append(f"no entries could be added to what was restored: {done.stderr.strip().splitlines()[-1]}")
        return
    given = list(map(int, done.stdout.split()))
    if len(given) != NEW_ENTRIES or min(given) <= highest:
        problems.append(f"the highest entry that was restored is {highest}, and new ones got {given}")
    print(f"  {len(given)} new entries are numbered from {min(given)} on; the highest that was restored is {highest}")


if __name__ == "__main__":
    sys.exit(main())
