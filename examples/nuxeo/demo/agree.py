"""Whether database, blobs, streams and audit of the restored instance agree as of one instant, document by document.

Nuxeo writes a document in this order: blob, rows, record in the stream, audit entry. A backup looks in the order rows,
then stream and audit, then blobs. So of what was restored

- whatever rows name is there: each blob, and each record and entry that was acknowledged before the fence;
- no record comes without its rows: a record that is newer than the rows' instant is left out;
- an audit entry without rows tells of a document that came between the instant and the audit's fence, and of no other.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import database
from documents import INDEX
from engine import Engine
from kafka import Kafka
from ledger import Fence

TOPIC = "audit-audit"
# So many documents must agree, or the demo has shown nothing.
DOCUMENTS_MIN = 10
_ROWS = """SELECT d.id, c.data FROM hierarchy d JOIN hierarchy b ON b.parentid = d.id JOIN content c ON c.id = b.id
  WHERE d.id LIKE 'doc-new-%' ORDER BY 1;"""


@dataclass(frozen=True)
class Fences:
    """In seconds since 1970: the rows' instant (no earlier, no later), and when the fences of streams and audit were set."""

    rows: Fence
    streams: Fence
    audit: Fence


@dataclass
class Restored:
    """By document: the key of its blob, whether it has a record, and its entry's number, blob and record."""

    rows: dict[str, str]
    records: set[str]
    entries: dict[str, tuple[int, str, list]]


def port(top: Path) -> int:
    """Where the engine of the demo listens."""
    return int((top / "engine/port").read_text())


def restored(kafka: Kafka, engine: Engine, prefix: str) -> Restored:
    """What is back of the documents that came while the instance was in use. The database as the environment says."""
    records, entries = set(), {}
    for record in kafka.ask("read", topic=prefix + TOPIC)["records"]:
        text = base64.b64decode(record["value"]).decode()
        if text.startswith("{"):
            records.add(json.loads(text)["doc"])
    for document in engine.documents(INDEX):
        entry = json.loads(document.source)
        if entry["docUUID"].startswith("doc-new-"):
            entries[entry["docUUID"]] = entry["id"], entry["extended"]["blob"], entry["extended"]["record"]
    return Restored(dict(map(tuple, database.ask(_ROWS))), records, entries)


def compare(changes: list[dict], fences: Fences, found: Restored, has_blob: Callable[[str, int], bool], problems: list[str]) -> None:
    """Every document that was written, and nothing but those."""
    whole, behind = 0, 0
    for change in changes:
        doc, said = change["doc"], len(problems)
        _rows(change, fences, found, has_blob, problems)
        _record(change, fences, found, problems)
        _entry(change, fences, found, problems)
        whole += len(problems) == said and doc in found.rows and doc in found.records and doc in found.entries
        behind += doc in found.entries and doc not in found.rows
    known = {change["doc"] for change in changes}
    for kind, docs in (("rows", found.rows), ("record", found.records), ("audit entry", found.entries)):
        problems += [f"{doc}: it has {kind}, and nobody wrote it" for doc in sorted(set(docs) - known)]
    if whole < DOCUMENTS_MIN:
        problems.append(f"only {whole} documents were there with all that belongs to them: {DOCUMENTS_MIN} are asked for")
    print(f"  {whole} documents that came meanwhile: rows, blob, record and audit entry are there and name each other; "
          f"{behind} audit entries tell of documents that came behind the instant")


def _rows(change: dict, fences: Fences, found: Restored, has_blob: Callable[[str, int], bool], problems: list[str]) -> None:
    doc, key = change["doc"], found.rows.get(change["doc"])
    if key is None:
        if change["at"] < fences.rows.began:
            problems.append(f"{doc}: it was committed before the instant, and has no rows")
        return
    if change["sent"] > fences.rows.ended:
        problems.append(f"{doc}: it was written behind the instant, and has rows")
    if key != change["key"]:
        problems.append(f"{doc}: its rows name another blob")
    if not has_blob(key, change["size"]):
        problems.append(f"{doc}: it has rows, and its blob is not back")


def _record(change: dict, fences: Fences, found: Restored, problems: list[str]) -> None:
    doc, within = change["doc"], change["ts"] <= fences.rows.ended * 1000
    if doc in found.records:
        # Both may be within the width of the instant.
        if doc not in found.rows and (change["at"] < fences.rows.began or not within):
            problems.append(f"{doc}: it has a record in the stream, and no rows")
    elif within and change["produced"] < fences.streams.began:
        problems.append(f"{doc}: its record was there before the fence and no newer than the instant, and is not back")


def _entry(change: dict, fences: Fences, found: Restored, problems: list[str]) -> None:
    doc, entry = change["doc"], found.entries.get(change["doc"])
    if entry is None:
        if change["audited"] < fences.audit.began:
            problems.append(f"{doc}: its audit entry was there before the fence, and is not back")
        return
    if tuple(entry) != (change["entry"], change["key"], change["record"]):
        problems.append(f"{doc}: its audit entry names {entry}, which is not what was written")
    if doc not in found.rows and change["at"] < fences.rows.began:
        problems.append(f"{doc}: it has an audit entry from before the instant, and no rows")
