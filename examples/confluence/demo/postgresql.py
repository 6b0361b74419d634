"""A session with PostgreSQL by psql. Server, role and database come from libpq's own environment variables."""

import os
from pathlib import Path

from client import MARK, Client, literal

_SQL = Path(__file__).parent / "postgresql"
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


class Session(Client):
    """One connection."""

    NEXT_ENTRY = "nextval('seq_journal_entry_id')"

    def __init__(self) -> None:
        environment = os.environ | {"PGCONNECT_TIMEOUT": "10", "PGOPTIONS": "-c statement_timeout=60s", "PGTZ": "UTC"}
        super().__init__(["psql", "-XqAtw", "-F", "\t", "-v", "ON_ERROR_STOP=1"], f"\\echo {MARK}", environment)

    def load(self, made: dict[str, list[dict]]) -> None:
        """Makes the tables, their rows, then keys."""
        self.ask("SET client_min_messages = error; BEGIN;")
        self.ask((_SQL / "schema.sql").read_text())
        for table, lines in made.items():
            columns = list(dict.fromkeys(column for line in lines for column in line))
            fields = ["\t".join(_copied(line.get(column)) for column in columns) for line in lines]
            names = ", ".join(_quoted(column) for column in columns)
            self.ask(f"COPY {_quoted(table)} ({names}) FROM STDIN;\n" + "\n".join(fields) + "\n\\.")
        for table in (name for name in made if name.startswith("AO_") and name != "AO_21F425_MESSAGE_AO"):
            self.ask(f"""SELECT setval('"{table}_ID_seq"', (SELECT max("ID") FROM "{table}"));""")
        self.ask((_SQL / "keys.sql").read_text())
        self.ask("COMMIT; ANALYZE;")

    def begin(self, snapshot: str | None = None) -> float:
        """A view of the database, that snapshot if one is named; the server's time once it is there."""
        self.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        if snapshot:
            self.ask(f"SET TRANSACTION SNAPSHOT {literal(snapshot)};")
        return float(self.ask("SELECT extract(epoch FROM clock_timestamp());")[0][0])

    def tables(self) -> dict[str, list]:
        """[rows, checksum, bytes] of each table."""
        return {name: self._sum(f"SELECT t::text FROM {name} t") for (name,) in self.ask(_TABLES)}

    def definitions(self) -> dict[str, list]:
        """[count, checksum, bytes] of each kind of definition."""
        return {kind: self._sum(query) for kind, query in _DEFINITIONS.items()}

    def sequences(self) -> dict[str, int]:
        """How far each has come."""
        return {name: int(self.ask(f"SELECT last_value FROM {name};")[0][0]) for (name,) in self.ask(_SEQUENCES)}

    def _sum(self, lines: str) -> list:
        """[count, checksum, bytes] of lines of text, whatever their order."""
        [[count, checksum, size]] = self.ask(
            f"""SELECT count(*), md5(coalesce(string_agg(t, E'\\n' ORDER BY t COLLATE "C"), '')), coalesce(sum(octet_length(t)), 0)
                FROM ({lines}) AS lines (t);""")
        return [int(count), checksum, int(size)]


def _quoted(name: str) -> str:
    return name if name.islower() else f'"{name}"'


def _copied(value: object) -> str:
    """A value as a field of COPY's text format."""
    if value is None:
        return r"\N"
    text = str(value).replace("\\", r"\\")
    return text.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
