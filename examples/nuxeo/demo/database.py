"""The instance's database, by psql. Server, role and database come from libpq's own environment variables."""

import os
import subprocess


def ask(statements: str) -> list[list[str]]:
    """Runs the statements, all or none, and returns the rows that they print."""
    environment = os.environ | {"PGCONNECT_TIMEOUT": "10", "PGOPTIONS": "-c statement_timeout=60s -c client_min_messages=warning", "PGTZ": "UTC"}
    done = subprocess.run(["psql", "-XqAt1", "-F", "\t", "-v", "ON_ERROR_STOP=1"], input=statements, env=environment, encoding="utf-8",
                          capture_output=True, timeout=90)
    if done.returncode:
        raise RuntimeError(f"psql ended with {done.returncode} at {statements[:200]!r}: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def literal(text: str | None) -> str:
    """Text as an SQL literal."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
