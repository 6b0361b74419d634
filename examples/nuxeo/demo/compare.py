"""Judges the demo without strongroom: what was restored against what was written down while it was there.

usage: compare.py before DIR
       compare.py after DIR MODE                 (the source's indices are deleted then, with the mode `backup` its topics too)
       compare.py restored DIR MODE PREFIX       (the restored database as the environment says)
"""

import json
import sys
from pathlib import Path

import agree
import files
import indices
import judge
import ledger
import streams
import truth
import work
from engine import Engine
from kafka import Kafka
from streams import FOREIGN, PASSING, PREFIX, TOPICS

# So many documents, records and commits must come between the instant and the seal, or the instance was not in use.
CHANGES_MIN = {"changes": 10, "ledger-writer": 20, "commits": 1}


def main() -> int:
    what, top, *rest = sys.argv[1:]
    return {"before": before, "after": after, "restored": restored}[what](Path(top), *rest)


def _foreign(kafka: Kafka) -> dict:
    """What must stay as it is: other applications' topics and groups."""
    return {"topics": {topic: kafka.ask("read", topic=topic) for topic in FOREIGN},
            "committed": kafka.ask("committed", group="dam-2-audit-writer")}


def before(top: Path) -> int:
    """Notes what the cleaner has left of the compacted topic, and what each topic and each index is like."""
    kafka = Kafka(top / "kafka")
    noted = {"compacted": kafka.ask("read", topic=PREFIX + streams.COMPACTED)["records"], "foreign": _foreign(kafka),
             "topics": {name: kafka.ask("describe", topic=PREFIX + name) for name in TOPICS}, "indices": indices.noted(Engine(agree.port(top)))}
    (top / "before.json").write_text(json.dumps(noted))
    kafka.close()
    return 0


def after(top: Path, mode: str) -> int:
    """Notes what is left of the compacted topic, and lets topics and indices go."""
    kafka = Kafka(top / "kafka")
    (top / "after.json").write_text(json.dumps(kafka.ask("read", topic=PREFIX + streams.COMPACTED)["records"]))
    if mode == "backup":
        kafka.ask("delete", topics=[PREFIX + name for name in TOPICS | PASSING])
    kafka.close()
    engine = Engine(agree.port(top))
    for index in indices.INDICES:
        engine.ask("DELETE", f"/{index}")
    return 0


def restored(top: Path, mode: str, prefix: str) -> int:
    problems: list[str] = []
    compare_database(top, problems)
    files.compare(top, prefix, problems)
    kafka = Kafka(top / "kafka")
    work.compare(kafka, top, mode, prefix, problems)
    noted = json.loads((top / "before.json").read_text())
    if _foreign(kafka) != noted["foreign"]:
        problems.append("topics or groups of another application are not as they were")
    engine, record = Engine(agree.port(top)), judge.record(top)
    written = ledger.lines(top / "audit/ledger.jsonl", top / "audit/ledger-writer.jsonl")
    indices.compare(engine, record, noted["indices"], written, problems)
    compare_all(top, agree.restored(kafka, engine, prefix), record, problems)
    kafka.close()
    indices.goes_on(engine, problems)
    count_changes(top, problems)
    return judge.verdict(problems)


def compare_database(top: Path, problems: list[str]) -> None:
    """Row count and checksum of each table, and a blob for each key: restored against the dumped transaction."""
    was, now = json.loads((top / "truth.json").read_text()), truth.take()
    for name in sorted(was["tables"].keys() | now["tables"].keys()):
        if was["tables"].get(name) != now["tables"].get(name):
            problems.append(f"table {name}: {was['tables'].get(name)} was dumped, {now['tables'].get(name)} restored")
    print(f"  {len(now['tables'])} tables with {sum(rows for rows, _ in now['tables'].values())} rows: as in the dumped transaction")
    missing = [key for key, size in was["blobs"].items() if not files.holds_blob(top / "restored/data", key, size)]
    problems += [f"blob {key} of the dumped transaction is not back, or not as its name says" for key in missing]
    print(f"  {len(was['blobs'])} blobs that the dumped transaction names, each with the MD5 that it is named by")


def compare_all(top: Path, found: agree.Restored, record: dict, problems: list[str]) -> None:
    """Do database, blobs, streams and audit say the same of each document?"""
    fences = agree.Fences(work.rows(record), work.fence(record), indices.fence(record, indices.INDEX))
    changes = list(map(json.loads, (top / "changes.jsonl").read_text().splitlines()))
    agree.compare(changes, fences, found, lambda key, size: files.holds_blob(top / "restored/data", key, size), problems)


def count_changes(top: Path, problems: list[str]) -> None:
    """Was the instance really in use between the instant and the seal?"""
    record = judge.record(top)
    instant, sealed = work.instant(record).cut / 1000, judge.sealed(record)
    count = {}
    for name, at in (("changes", "at"), ("ledger-writer", "acked"), ("commits", "acked")):
        lines = map(json.loads, (top / f"{name}.jsonl").read_text().splitlines())
        count[name] = sum(1 for line in lines if instant < line[at] < sealed)
    text = f"{count['changes']} documents, {count['ledger-writer']} records and {count['commits']} commits came between instant and seal"
    print(f"  {text} ({sealed - instant:.1f} s)")
    if any(count[name] < least for name, least in CHANGES_MIN.items()):
        problems.append(f"only {text}: {', '.join(map(str, CHANGES_MIN.values()))} are asked for")


if __name__ == "__main__":
    sys.exit(main())
