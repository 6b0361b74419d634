"""A psql session that stays open. Server, role and database come from libpq's own environment variables."""

import os
import subprocess

_MARK = "-- end of answer --"


class Session:
    """One connection. A statement that fails ends it, and the next answer is an exception."""

    def __init__(self) -> None:
        environment = os.environ | {"PGCONNECT_TIMEOUT": "10", "PGOPTIONS": "-c statement_timeout=60s", "PGTZ": "UTC"}
        self._psql = subprocess.Popen(
            ["psql", "-XqAtw", "-F", "\t", "-v", "ON_ERROR_STOP=1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def ask(self, statements: str) -> list[list[str]]:
        """Runs the statements; returns when the server has answered (and committed) the last one."""
        try:
            self._psql.stdin.write(f"{statements}\n\\echo {_MARK}\n")
            self._psql.stdin.flush()
        except BrokenPipeError:
            pass
        answer = []
        for line in self._psql.stdout:
            line = line.rstrip("\n")
            if line == _MARK:
                return answer
            answer.append(line.split("\t"))
        raise RuntimeError(f"psql ended with {self._psql.wait(timeout=10)} at: {statements[:200]}")

    def copy(self, table: str, columns: list[str], rows: list[str]) -> None:
        """Loads rows that are in COPY's text format already."""
        names = ", ".join(columns)
        self.ask(f"COPY {table} ({names}) FROM STDIN;\n" + "\n".join(rows) + "\n\\.")

    def close(self) -> None:
        """Waits for psql to end, for ten seconds at most."""
        self._psql.stdin.close()
        self._psql.wait(timeout=10)


def literal(text: str | None) -> str:
    """Text as an SQL literal."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def copied(value: object) -> str:
    """A value as a field of COPY's text format."""
    if value is None:
        return r"\N"
    text = str(value).replace("\\", r"\\")
    return text.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
