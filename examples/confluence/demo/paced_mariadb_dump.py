"""The demo's `dump` tool on MariaDB: takes a view of its own while nobody may write, as mariadb-dump does, and slows the dump.

usage: paced_mariadb_dump.py TRUTH-DIR MARIADB-DUMP-ARGUMENT… DATABASE

Writes are stopped until the dump's first table is seen; so both views show the same. What the view holds is written down
once writes go on.
"""

import subprocess
import sys
from pathlib import Path

import truth
from database import Session
from paced_dump import CHUNK_BYTES, pace

_CONNECTION = ("--no-defaults", "--protocol=", "--host=", "--port=", "--user=")


def main() -> int:
    directory, arguments = Path(sys.argv[1]), sys.argv[2:]
    database = Session([argument for argument in arguments if argument.startswith(_CONNECTION)] + [arguments[-1]])
    began = database.begin()
    with subprocess.Popen(["mariadb-dump", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as dump:
        sys.stdout.buffer.write(dump.stdout.read(CHUNK_BYTES))
        sys.stdout.buffer.flush()
        seen = truth.take(database, began)
        database.close()
        truth.write(seen, directory / "truth.json")
        pace(dump, seen)
    return dump.returncode


if __name__ == "__main__":
    sys.exit(main())
