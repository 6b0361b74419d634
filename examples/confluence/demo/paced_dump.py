"""The demo's `dump` tool: writes down what the shared snapshot holds, then runs pg_dump and slows its output.

usage: paced_dump.py TRUTH-DIR PG_DUMP-ARGUMENT…

The truth is what the demo compares the restored database with. The pace leaves time in which the site changes
while the dump still streams.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import truth
from database import Session

DUMP_SECONDS = 9
CHUNK_BYTES = 64 << 10


def main() -> int:
    directory, arguments = Path(sys.argv[1]), sys.argv[2:]
    for name in ("host", "port", "username", "dbname"):
        os.environ[{"host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "dbname": "PGDATABASE"}[name]] = _value(arguments, name)
    database = Session()
    seen = truth.take(database, database.begin(_value(arguments, "snapshot")))
    database.close()
    truth.write(seen, directory / "truth.json")
    with subprocess.Popen(["pg_dump", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as dump:
        pace(dump, seen)
    return dump.returncode


def pace(dump: subprocess.Popen, seen: dict) -> None:
    """Hands the output on at a rate that makes it last."""
    bytes_per_second = sum(table[2] for table in seen["tables"].values()) / DUMP_SECONDS
    began, written = time.monotonic(), 0
    while chunk := dump.stdout.read(CHUNK_BYTES):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        written += len(chunk)
        time.sleep(max(0.0, began + written / bytes_per_second - time.monotonic()))


def _value(arguments: list[str], option: str) -> str:
    start = f"--{option}="
    return next(argument.removeprefix(start) for argument in arguments if argument.startswith(start))


if __name__ == "__main__":
    sys.exit(main())
