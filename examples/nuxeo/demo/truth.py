"""What a database holds, table by table, and where its blobs are said to be: counted and summed without strongroom.

usage: truth.py FILE [SNAPSHOT]      (the database as the environment says; with SNAPSHOT, as that exported snapshot sees it)
"""

import json
import sys
from pathlib import Path

from database import ask, literal

_TABLES = """SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1;"""


def take(snapshot: str | None = None) -> dict:
    """[rows, checksum] of each table, and the keys of all blobs."""
    view = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; {f'SET TRANSACTION SNAPSHOT {literal(snapshot)};' if snapshot else ''}"
    tables = [name for (name,) in ask(view + _TABLES)]
    sums = "".join(f"""SELECT 'table', {literal(name)}, count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), '')) FROM {name} t;"""
                   for name in tables)
    rows = ask(view + sums + "SELECT 'blob', data, length FROM content WHERE data IS NOT NULL ORDER BY 2;")
    return {"tables": {row[1]: [int(row[2]), row[3]] for row in rows if row[0] == "table"},
            "blobs": {row[1]: int(row[2]) for row in rows if row[0] == "blob"}}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(take(*sys.argv[2:3]), indent=1))
