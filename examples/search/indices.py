"""Judges the indices of a sample without strongroom: each document by what the engine had acknowledged, and how each index is defined."""

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import data
import ledger
from documents import INDEX, SEQUENCES
from engine import Engine, Refused
from ledger import Fence, Ledger

INDICES = (INDEX, SEQUENCES)
NEW_ENTRIES = 20
# The only repository that is not strongroom's: snapshots may stay in it.
OWN = "own"
# What an engine says of an index as such, not of what somebody wanted.
_ITS_OWN = ("uuid", "creation_date", "provided_name", "version", "resize", "routing", "replication", "verified_before_close", "history")


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


def noted(engine: Engine) -> dict[str, dict]:
    """How the indices are defined, and which ones of their names they are."""
    return {index: definition(engine, index) | {"uuid": uuid(engine, index)} for index in INDICES}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


_SNAPSHOT = {INDEX: "/snapshot", SEQUENCES: "/snapshot-sequences"}


def fence(record: dict, index: str) -> Fence:
    """When the moment of an index was fixed, as the set's record states it: between the start of its part and when that had settled.

    An engine's own snapshot is one part for all indices but the sequences; an export of what Nuxeo's step names is one for all.
    """
    (part,) = {one["part"] for one in record["order"] if one["part"].endswith((f"/index-{index}", _SNAPSHOT[index], "/indices"))}
    at = {one["what"]: _seconds(one["at"]) for one in record["order"] if one["part"] == part}
    return Fence(at["started"], at["settled" if "settled" in at else "ended"])


def found(engine: Engine, index: str) -> dict[str, ledger.State]:
    """Every document of an index."""
    return {one.id: (one.version, one.routing, ledger.digest(one.source)) for one in engine.documents(index)}


def compare_leftovers(engine: Engine, problems: list[str]) -> None:
    """What a run made for itself is gone: indices with names of their own, snapshots, repositories."""
    left = [name for name in engine.ask("GET", "/_settings") if name.startswith("strongroom")]
    left += [name for name in engine.ask("GET", "/_snapshot") if name != OWN]
    problems += [f"{name} was left on the engine" for name in left]


def compare(engine: Engine, record: dict, was: dict[str, dict], written: Iterable[list], problems: list[str], prefix: str = "") -> None:
    """The restored indices, as the engine shows them to anybody; `prefix` begins their names, where they lie beside the old ones."""
    written = list(written)
    for index in INDICES:
        window = fence(record, index)
        right = ledger.judge(prefix + index, ledger.due(written, index, window), found(engine, prefix + index), problems)
        print(f"  {prefix}{index}: {right} documents as of its instant ({window.ended - window.began:.3f} s wide), with their ids, versions, routing and sources")
        # An alias that another index has is left to it.
        wanted = was[index] | ({"aliases": {}} if prefix else {})
        compare_definition(prefix + index, wanted, definition(engine, prefix + index), problems)
    compare_leftovers(engine, problems)
    print(f"  settings and mappings as they were, and aliases {'left to the indices that have them' if prefix else 'too'}")


def compare_definition(index: str, was: dict, now: dict, problems: list[str]) -> None:
    """Names each kind that differs."""
    for kind in ("settings", "mappings", "aliases"):
        if was[kind] != now[kind]:
            problems.append(f"{index}: its {kind} were {json.dumps(was[kind], sort_keys=True)}, and are {json.dumps(now[kind], sort_keys=True)}")


def goes_on(engine: Engine, problems: list[str]) -> None:
    """Adds entries as Nuxeo does to what was restored: the sequencer must be at least where the entries are."""
    highest = max(json.loads(one.source)["id"] for one in engine.documents(INDEX))
    aside = Ledger(Path(os.devnull))
    try:
        given = [data.add(engine, aside) for _ in range(NEW_ENTRIES)]
    except Refused as refused:
        problems.append(f"no entries could be added to what was restored: {refused}")
        return
    if min(given) <= highest:
        problems.append(f"the highest entry that was restored is {highest}, and new ones got {given}")
    print(f"  {len(given)} new entries are numbered from {min(given)} on; the highest that was restored is {highest}")
