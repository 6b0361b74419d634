"""What was written, a JSON line each, added when the engine has acknowledged it; and what must be in an index because of it."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Version, routing, and a digest of the source; no document is another one.
State = tuple[int, str | None, str | None] | None


def digest(source: bytes | None) -> str | None:
    """Stands for a source, byte for byte."""
    return None if source is None else hashlib.sha256(source).hexdigest()


class Ledger:
    """A file of lines: index, id, version (none when it was removed), routing, digest of the source, when it was sent and acknowledged."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def wrote(self, index: str, identifier: str, version: int, routing: str | None, source: bytes | None, sent: float) -> None:
        self._add([index, identifier, [version, routing, digest(source)], sent])

    def removed(self, index: str, identifier: str, routing: str | None, sent: float) -> None:
        self._add([index, identifier, None, sent])

    def _add(self, line: list) -> None:
        self._file.write(json.dumps([*line, time.time()]) + "\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Fence:
    """When the instant of an index was fixed: no earlier, no later, in seconds since 1970."""

    began: float
    ended: float


def lines(*paths: Path) -> Iterable[list]:
    """All lines of ledgers, one after the other."""
    for path in paths:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def due(written: Iterable[list], index: str, fence: Fence) -> dict[str, list[State]]:
    """What each document of an index may be as of the fence, oldest first.

    What was acknowledged before the fence began is there or something later is; what was sent after it had ended is not.
    """
    states: dict[str, list[State]] = {}
    for where, identifier, state, sent, acked in written:
        if where != index or sent > fence.ended:
            continue
        state = state and tuple(state)
        if acked < fence.began:
            states[identifier] = [state]
        else:
            states.setdefault(identifier, [None]).append(state)
    return states


def judge(index: str, may_be: dict[str, list[State]], found: dict[str, State], problems: list[str]) -> int:
    """Names each document that is not as it may be, and returns how many there are rightly."""
    right = 0
    for identifier in sorted(may_be.keys() | found.keys()):
        now, allowed = found.get(identifier), may_be.get(identifier, [None])
        if now not in allowed:
            problems.append(f"{index}: {identifier[:60]!r} is {_words(now)}, not {' or '.join(map(_words, allowed))}")
        right += now in allowed and now is not None
    return right


def _words(state: State) -> str:
    if state is None:
        return "gone"
    version, routing, source = state
    return f"version {version}, routed by {routing!r}, with source {source and source[:8]}"
