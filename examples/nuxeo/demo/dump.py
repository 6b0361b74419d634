"""The demo's `dump` tool: writes down what the shared snapshot holds, waits while the instance is in use, then runs pg_dump.

usage: dump.py FILE PG_DUMP-ARGUMENT…
"""

import os
import sys
import time
from pathlib import Path

import truth

IN_USE_SECONDS = 6


def main() -> None:
    path, arguments = Path(sys.argv[1]), sys.argv[2:]
    options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments if "=" in argument)
    os.environ |= {"PGHOST": options["host"], "PGPORT": options["port"], "PGUSER": options["username"], "PGDATABASE": options["dbname"]}
    path.write_text(truth.json.dumps(truth.take(options["snapshot"]), indent=1))
    time.sleep(IN_USE_SECONDS)
    os.execvp("pg_dump", ["pg_dump", *arguments])


if __name__ == "__main__":
    main()
