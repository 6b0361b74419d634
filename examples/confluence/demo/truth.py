"""What a database holds, table by table, as seen by one transaction: counted and summed without strongroom."""

import json
from pathlib import Path

from database import Session

_ATTACHMENTS = """SELECT held.contentid, coalesce(held.prevver, held.contentid), held.version, held.pageid,
    coalesce(held.spaceid, newest.spaceid), size.longval
  FROM content held LEFT JOIN content newest ON newest.contentid = held.prevver
  LEFT JOIN contentproperties size ON size.contentid = held.contentid AND size.propertyname = 'FILESIZE'
  WHERE held.contenttype = 'ATTACHMENT' ORDER BY 1;"""


def take(database: Session, seen: float) -> dict:
    """Row count and checksum per table, definitions, sequences and attachment rows of the view that `begin` gave at `seen`."""
    truth = {"seen": seen, "tables": database.tables(), "definitions": database.definitions(), "sequences": database.sequences()}
    rows = database.ask(_ATTACHMENTS)
    truth["attachments"] = [[int(value) if value else None for value in row] for row in rows]
    database.ask("COMMIT;")
    return truth


def write(truth: dict, path: Path) -> None:
    """Under its name only when it is whole."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(truth, indent=1))
    unfinished.rename(path)
