"""Compares what was restored with what was there, and prints every difference that has no reason.

usage: compare.py DIR      (the restored database as the environment says)

Expected in DIR: kept/ (a copy of the site from before the damage), restored/, proof/ (the set, unpacked), truth/truth.json,
journal.jsonl, times.json and secrets/new.json (what the rewritten files must say).
"""

import hashlib
import json
import sys
from pathlib import Path

import cfg
import judge
import trees
import truth
from database import NAME, Session
from layout import v4, ver003

CHANGES_MIN, PURGES_MIN = 20, 2


def main() -> int:
    top = Path(sys.argv[1])
    problems: list[str] = []
    if NAME == "h2":
        compare_embedded(top, problems)
        compare_trees(top, problems)
    else:
        compare_tables(top, problems)
        compare_trees(top, problems)
        compare_attachments(top, problems)
        count_changes(top, problems)
    return judge.verdict(problems)


def _read(path: Path) -> dict:
    return json.loads(path.read_text())


def compare_tables(top: Path, problems: list[str]) -> None:
    """Row count and checksum of each table, definitions, sequences: restored against the dumped transaction."""
    was = _read(top / "truth/truth.json")
    database = Session()
    now = truth.take(database, database.begin())
    database.close()
    for kind in ("tables", "definitions"):
        for name in sorted(was[kind].keys() | now[kind].keys()):
            if was[kind].get(name) != now[kind].get(name):
                problems.append(f"{kind} {name}: {was[kind].get(name)} was dumped, {now[kind].get(name)} restored")
    for name, value in was["sequences"].items():  # no transaction holds a sequence still, but it never goes back
        if now["sequences"].get(name, -1) < value:
            problems.append(f"sequence {name}: was at {value}, is at {now['sequences'].get(name)}")
    rows = sum(table[0] for table in now["tables"].values())
    print(f"  {len(now['tables'])} tables with {rows} rows: count and checksum as in the dumped transaction")
    print(f"  {len(now['sequences'])} sequences, " + ", ".join(f"{value[0]} {kind}" for kind, value in now["definitions"].items()))


def compare_embedded(top: Path, problems: list[str]) -> None:
    """The files of an embedded database, byte for byte."""
    was, now = ({path.name: path.read_bytes() for path in (top / side / "home/database").glob("*")} for side in ("kept", "restored"))
    if not was or was != now:
        problems.append(f"database: {sorted(was)} were there, {sorted(now)} are, and they are not the same bytes")
    print(f"  database: {', '.join(f'{name} with {len(content)} bytes' for name, content in now.items())}")


def compare_trees(top: Path, problems: list[str]) -> None:
    """Every entry of home and install: kind, content, mode, owner, time."""
    began = _read(top / "times.json")["began"]
    made, gone = _during(top, began)
    values = _read(top / "secrets/new.json")
    for name in ("install", "home"):
        kept, restored = trees.read(top / "kept" / name), trees.read(top / "restored" / name)
        left_out = trees.remove_left_out(name, kept, restored, problems)
        rewritten = cfg.check(top, name, kept, restored, values, problems)
        moving = trees.remove_moving(kept, restored, made, gone) if name == "home" else 0
        trees.compare(name, kept, restored, problems)
        print(f"  {name}: {len(kept)} entries equal in kind, content, mode, owner and time")
        if moving:
            print(f"    {moving} files made or purged since the backup began are on one side only")
        for line in rewritten:
            print(f"    rewritten: {line}")
        print(f"    left out: {', '.join(left_out)}")


def compare_attachments(top: Path, problems: list[str]) -> None:
    """Each attachment row of the dumped transaction has its file, in one of the two layouts, with its size."""
    attachments, met = top / "restored/home/attachments", 0
    journal = {path: digest for line in _journal(top) for path, digest in line["made"].items()}
    for row, original, version, page, space, size in _read(top / "truth/truth.json")["attachments"]:
        names = [v4(original, version), ver003(space, page, original, version)]
        path = next((attachments / name for name in names if (attachments / name).is_file()), None)
        if path is None:
            problems.append(f"attachment row {row}: neither {names[0]} nor {names[1]} is there")
        elif path.stat().st_size != size:
            problems.append(f"attachment row {row}: {path.name} has {path.stat().st_size} bytes, the row says {size}")
        else:
            digest = journal.get(f"attachments/{path.relative_to(attachments)}")
            if digest and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                problems.append(f"attachment row {row}: {path.name} is not what the writer wrote")
            met += 1
    print(f"  {met} attachment rows in the dumped transaction, each with its file")


def count_changes(top: Path, problems: list[str]) -> None:
    """Was the site really being changed between the instant and the seal?"""
    instant = _read(top / "truth/truth.json")["seen"]  # taken in the shared snapshot: no earlier than the instant
    sealed = judge.sealed(judge.record(top))
    during = [line for line in _journal(top) if instant < line["at"] < sealed]
    purges = [line for line in during if line["gone"] and line["did"] == "purge"]
    text = f"{len(during)} changes between instant and seal ({sealed - instant:.1f} s), {len(purges)} of them purges of attachments"
    print(f"  {text}")
    if len(during) < CHANGES_MIN or len(purges) < PURGES_MIN:
        problems.append(f"only {text}: {CHANGES_MIN} and {PURGES_MIN} are asked for")


def _journal(top: Path) -> list[dict]:
    return [json.loads(line) for line in (top / "journal.jsonl").read_text().splitlines()]


def _during(top: Path, began: float) -> tuple[set[str], set[str]]:
    """Paths below home that came, and that went, since the backup began."""
    lines = [line for line in _journal(top) if line["at"] >= began]
    return {path for line in lines for path in line["made"]}, {path for line in lines for path in line["gone"]}


if __name__ == "__main__":
    sys.exit(main())
