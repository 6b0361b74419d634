"""Makes the sample site: rows in the database, an installation and a home on disk.

usage: site.py INSTALL HOME JDBC-URL PASSWORD-FILE      (the database as libpq's environment variables say)
"""

import os
import random
import shutil
import sys
from pathlib import Path

import rows
import tree
from layout import v4, ver003
from psql import Session, copied

_HERE = Path(__file__).parent


def load(made: rows.Site) -> None:
    """Tables, rows, then keys."""
    database = Session()
    database.ask("SET client_min_messages = error; BEGIN;")
    database.ask((_HERE / "schema.sql").read_text())
    for table, lines in made.tables.items():
        columns = list(dict.fromkeys(column for line in lines for column in line))
        fields = ["\t".join(copied(line.get(column)) for column in columns) for line in lines]
        database.copy(_quoted(table), [_quoted(column) for column in columns], fields)
    for table in (name for name in made.tables if name.startswith("AO_") and name != "AO_21F425_MESSAGE_AO"):
        database.ask(f"""SELECT setval('"{table}_ID_seq"', (SELECT max("ID") FROM "{table}"));""")
    database.ask((_HERE / "keys.sql").read_text())
    database.ask("COMMIT; ANALYZE;")
    database.close()


def _quoted(name: str) -> str:
    return name if name.islower() else f'"{name}"'


def store(made: rows.Site, attachments: Path) -> None:
    """A file for each attachment row, in the layout that it has; some have their extracted text beside them."""
    dice = random.Random(5)
    for one in made.attachments:
        name = v4(one.original, one.version) if one.moved else ver003(one.space, one.page, one.original, one.version)
        path = attachments / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(dice, one.size))
        if one.size and one.original % 3 == 0:
            path.with_name(path.name + ".extracted_text").write_text(f"text of {one.original}\n")


def content(dice: random.Random, size: int) -> bytes:
    """Half of the files compress, half do not."""
    return dice.randbytes(size) if size % 2 else (f"line {size}\n".encode() * (size // 8 + 1))[:size]


def main() -> None:
    install, home, url, password_file = sys.argv[1:]
    made = rows.site()
    load(made)
    tree.install(Path(install), Path(home))
    tree.home(Path(home), url, Path(password_file).read_text().rstrip("\n"))
    store(made, Path(home, "attachments"))
    if os.geteuid() == 0:
        _own(Path(home), 2002)
    print(f"{made.count()} rows in {len(made.tables)} tables, {len(made.attachments)} attachment files "
          f"({rows.IN_V4} attachments in layout v4, {rows.IN_VER003} still in ver003)")


def _own(top: Path, number: int) -> None:
    """The owner that the vendor's container image uses: a number without a name here."""
    for directory, _, files in os.walk(top):
        for path in [directory, *(os.path.join(directory, name) for name in files)]:
            shutil.chown(path, number, number) if not os.path.islink(path) else os.lchown(path, number, number)


if __name__ == "__main__":
    main()
