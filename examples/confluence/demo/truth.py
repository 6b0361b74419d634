"""What a database holds, table by table, as seen by one transaction: counted and summed without strongroom."""

import json
from pathlib import Path

from psql import Session, literal

_TABLES = """SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1;"""
_SEQUENCES = _TABLES.replace("'r', 'p'", "'S'")
_DEFINITIONS = {
    "columns": "SELECT attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull AS t"
               " FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relkind = 'r' AND attnum > 0"
               " AND NOT attisdropped AND relnamespace = 'public'::regnamespace",
    "indexes": "SELECT pg_get_indexdef(indexrelid) AS t FROM pg_index JOIN pg_class ON indexrelid = oid"
               " WHERE relnamespace = 'public'::regnamespace",
    "constraints": "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS t FROM pg_constraint"
                   " WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT pg_get_triggerdef(oid) AS t FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT pg_get_functiondef(oid) AS t FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}
_ATTACHMENTS = """SELECT row.contentid, coalesce(row.prevver, row.contentid), row.version, row.pageid,
    coalesce(row.spaceid, newest.spaceid), size.longval
  FROM content row LEFT JOIN content newest ON newest.contentid = row.prevver
  LEFT JOIN contentproperties size ON size.contentid = row.contentid AND size.propertyname = 'FILESIZE'
  WHERE row.contenttype = 'ATTACHMENT' ORDER BY 1;"""


def take(database: Session, snapshot: str | None = None) -> dict:
    """Row count and checksum per table, sequences, definitions and attachment rows; in that snapshot, if one is named."""
    database.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
    if snapshot:
        database.ask(f"SET TRANSACTION SNAPSHOT {literal(snapshot)};")
    truth = {"seen": float(database.ask("SELECT extract(epoch FROM clock_timestamp());")[0][0])}
    tables = [name for (name,) in database.ask(_TABLES)]
    truth["tables"] = {name: _sum(database, f"SELECT t::text FROM {name} t") for name in tables}
    truth["definitions"] = {kind: _sum(database, query) for kind, query in _DEFINITIONS.items()}
    truth["sequences"] = {name: int(database.ask(f"SELECT last_value FROM {name};")[0][0]) for (name,) in database.ask(_SEQUENCES)}
    rows = database.ask(_ATTACHMENTS)
    truth["attachments"] = [[int(value) if value else None for value in row] for row in rows]
    database.ask("COMMIT;")
    return truth


def _sum(database: Session, lines: str) -> list:
    """[count, checksum, bytes] of lines of text, whatever their order."""
    [[count, checksum, size]] = database.ask(
        f"""SELECT count(*), md5(coalesce(string_agg(t, E'\\n' ORDER BY t COLLATE "C"), '')), coalesce(sum(octet_length(t)), 0)
            FROM ({lines}) AS lines (t);""")
    return [int(count), checksum, int(size)]


def write(truth: dict, path: Path) -> None:
    """Under its name only when it is whole."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(truth, indent=1))
    unfinished.rename(path)
