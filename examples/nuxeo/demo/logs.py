"""What must be in a restored partition, worked out from the ledger alone, and what is wrong with what is there.

A record must be back when its time is not after the cut and Kafka had acknowledged it before the fence began to be set;
it must not when its time is after the cut, or it was sent after the fence was set. In between it may be either, but then
nothing that lies behind a record which was left out may be back.
"""

from collections import defaultdict
from dataclasses import dataclass

Place = tuple[str, int]


@dataclass(frozen=True)
class Instants:
    """The last millisecond since 1970 that belongs in a restored log, and when the fence was set (in seconds)."""

    cut: int
    fence_began: float
    fence_ended: float


@dataclass(frozen=True)
class Due:
    """A record that was produced at `offset`, and whether it must be back."""

    offset: int
    record: dict
    must: bool


def identity(record: dict) -> tuple:
    """What a restore keeps of a record."""
    return record["ts"], record["key"], record["value"], tuple(map(tuple, record["headers"]))


def due(ledger: list[dict], instants: Instants, deleted: dict[Place, int], fenced: bool) -> dict[Place, list[Due]]:
    """What may be back of each partition, in order. Without a fence (a log that is copied when it is restored) time alone decides."""
    places: dict[Place, list[Due]] = defaultdict(list)
    for line in sorted(ledger, key=lambda line: line["offset"]):
        place = line["topic"], line["partition"]
        late = fenced and line["sent"] > instants.fence_ended
        if line["aborted"] or line["ts"] > instants.cut or late or line["offset"] < deleted.get(place, 0):
            continue
        must = line["acked"] < instants.fence_began
        places[place].append(Due(line["offset"], line, must))
    return places


def compacted(before: list[dict], after: list[dict]) -> dict[Place, list[Due]]:
    """The same for a log that its cleaner may have cleaned meanwhile: what was there before, and must be if it was there after.

    A tombstone may go from the restored log too: that is what its cleaner is for.
    """
    left = {(record["partition"], record["offset"]) for record in after}
    places: dict[Place, list[Due]] = defaultdict(list)
    for record in sorted(before, key=lambda record: record["offset"]):
        places[record["topic"], record["partition"]].append(
            Due(record["offset"], record, (record["partition"], record["offset"]) in left and record["value"] is not None))
    return places


def match(name: str, due: list[Due], restored: list[dict], problems: list[str], cleaned: bool = False) -> list[int]:
    """Source offsets of the restored records of one partition, in their order; every difference is named."""
    offsets, place, left_out, known = [], 0, None, {identity(one.record) for one in due}
    for one in due:
        while place < len(restored) and identity(restored[place]) not in known:
            problems.append(f"{name}: the record at {restored[place]['offset']} should not be back, or not as it is")
            place += 1
        if place < len(restored) and identity(restored[place]) == identity(one.record):
            place += 1
            offsets.append(one.offset)
            if left_out is not None and not cleaned:
                problems.append(f"{name}: offset {one.offset} is back, and {left_out} before it, which came no later, is not")
                left_out = None
        elif one.must:
            problems.append(f"{name}: offset {one.offset} is not back where it should be")
        else:
            left_out = one.offset
    if place < len(restored):
        problems.append(f"{name}: {len(restored) - place} records are back that should not be, or not there, the first at {restored[place]['offset']}")
    return offsets


def translated(source: int, offsets: list[int]) -> int:
    """Where a group stands among restored records that had committed `source`: before the first that it had not read."""
    return sum(1 for offset in offsets if offset < source)


def check_commit(name: str, found: int | None, lowest: int | None, highest: int | None, offsets: list[int], problems: list[str]) -> None:
    """A restored commit is one that the group made while positions were read: no older than `lowest`, no newer than `highest`."""
    if found is None:
        if lowest is not None:
            problems.append(f"{name}: a commit at {lowest} was not restored")
    elif highest is None:
        problems.append(f"{name}: a commit at {found} was invented")
    elif not translated(lowest or 0, offsets) <= found <= translated(highest, offsets):
        problems.append(f"{name}: committed at {found}, and {lowest} to {highest} stand for "
                        f"{translated(lowest or 0, offsets)} to {translated(highest, offsets)}")


def check_work(name: str, got: list[int], begin: int, end: int, problems: list[str]) -> None:
    """A consumer of the restored group got every restored record from `begin` on, once, in order."""
    if got != list(range(begin, end)):
        problems.append(f"{name}: the group got {len(got)} records ({got[:3]}…), {begin} to {end} were asked for")
