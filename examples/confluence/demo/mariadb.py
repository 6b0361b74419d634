"""A session with MariaDB by its own client. Server, role and database come from the option file that MARIADB_DEFAULTS names."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from client import MARK, Client

_SQL = Path(__file__).parent / "mariadb"
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE';"
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = '{}' ORDER BY ordinal_position;"
_TRIGGERS = """SELECT trigger_name, action_timing, event_manipulation, event_object_table, action_statement, sql_mode, definer
  FROM information_schema.triggers WHERE trigger_schema = database();"""
_COUNTERS = "SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema = database() AND auto_increment IS NOT NULL;"

# Hibernate names its tables in capitals, those of the user directory and of newer features are in small letters.
_SMALL = re.compile(r"cwd_|user_mapping|journalentry|hibernate_unique_key|scheduler_run|backup_restore")
_NAMED = re.compile(r"\b(FROM|JOIN|INTO|UPDATE) ([a-z_]+)")
ROWS_PER_INSERT = 500


class Session(Client):
    """One connection. Statements may name tables in small letters."""

    NEXT_ENTRY = "NULL"  # AUTO_INCREMENT gives the number

    def __init__(self, connection: list[str] | None = None) -> None:
        connection = connection or [f"--defaults-file={os.environ['MARIADB_DEFAULTS']}"]
        options = ["--batch", "--skip-column-names", "--unbuffered", "--connect-timeout=10", "--default-character-set=utf8mb4"]
        super().__init__(["mariadb", *connection, *options], f"SELECT '{MARK}';", dict(os.environ))
        self.ask("SET SESSION max_statement_time = 60, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES';")

    def ask(self, statements: str) -> list[list[str]]:
        """As any client; NULL is empty text."""
        named = _NAMED.sub(lambda found: f"{found[1]} {_spelled(found[2])}", statements)
        return [["" if field == "NULL" else field for field in row] for row in super().ask(named)]

    def load(self, made: dict[str, list[dict]]) -> None:
        """Makes the tables, their rows, then keys."""
        self.ask((_SQL / "schema.sql").read_text())
        for table, lines in made.items():
            columns = list(dict.fromkeys(column for line in lines for column in line))
            names = ", ".join(f"`{column}`" for column in columns)
            for start in range(0, len(lines), ROWS_PER_INSERT):
                rows = ["(" + ", ".join(_value(line.get(column)) for column in columns) + ")" for line in lines[start:start + ROWS_PER_INSERT]]
                self.ask(f"INSERT INTO `{_spelled(table)}` ({names}) VALUES\n" + ",\n".join(rows) + ";")
        self.ask((_SQL / "keys.sql").read_text())

    def begin(self) -> float:
        """A view of the database; the server's time once it is there."""
        self.ask("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;")
        return float(self.ask("SELECT unix_timestamp(now(6));")[0][0])

    def tables(self) -> dict[str, list]:
        """[rows, checksum, bytes] of each table."""
        return {name: self._rows(name) for (name,) in self.ask(_TABLES)}

    def _rows(self, table: str) -> list:
        columns = [name for (name,) in self.ask(_COLUMNS.format(table))]
        fields = ", ".join(f"coalesce(hex(cast(`{name}` AS binary)), '-')" for name in columns)
        return _sum(" ".join(row) for row in self.ask(f"SELECT {fields} FROM `{table}`;"))

    def definitions(self) -> dict[str, list]:
        """[count, checksum, bytes] of tables, with all that belongs to them, and of triggers."""
        tables = [self.ask(f"SHOW CREATE TABLE `{name}`;")[0] for (name,) in self.ask(_TABLES)]
        plain = [re.sub(r" AUTO_INCREMENT=\d+", "", definition) for _, definition in tables]
        return {"definitions of tables": _sum(plain), "triggers": _sum(" ".join(row) for row in self.ask(_TRIGGERS))}

    def sequences(self) -> dict[str, int]:
        """How far the numbers of each table have come."""
        return {name: int(value) for name, value in self.ask(_COUNTERS)}


def _spelled(table: str) -> str:
    return table if _SMALL.match(table) else table.upper()


def _value(value: object) -> str:
    """A value as a literal: text as its bytes, which nothing in it can break."""
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    text = str(value)
    if text in ("t", "f"):
        return "1" if text == "t" else "0"
    return "x'" + (text.removeprefix("\\x") if text.startswith("\\x") else text.encode().hex()) + "'"


def _sum(lines: Iterable[str]) -> list:
    """[count, checksum, bytes] of lines of text, whatever their order."""
    ordered = sorted(lines)
    text = "\n".join(ordered).encode()
    return [len(ordered), hashlib.md5(text).hexdigest(), len(text) // 2]
