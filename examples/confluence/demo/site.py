"""Makes the sample site: rows in the database, an installation and a home on disk.

usage: site.py INSTALL HOME JDBC-URL PASSWORD-FILE      (the database as the environment says)
"""

import os
import random
import shutil
import sys
from pathlib import Path

import rows
import tree
from database import NAME, Session
from layout import v4, ver003

# Nothing here can write H2's format: a small database of a real make, of the same build.
_H2 = Path(__file__).parents[3] / "plugins/database/fixtures/embedded/h2-2/h2db.mv.db"


def load(made: rows.Site, home: Path) -> str:
    """Fills the database; what there is to say of it."""
    if NAME == "h2":
        (home / "database").mkdir()
        shutil.copyfile(_H2, home / "database/h2db.mv.db")
        return "a small database"
    database = Session()
    database.load(made.tables)
    database.close()
    return f"{made.count()} rows in {len(made.tables)} tables"


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
    tree.install(Path(install), Path(home))
    tree.home(Path(home), url, Path(password_file).read_text().rstrip("\n"))
    loaded = load(made, Path(home))
    store(made, Path(home, "attachments"))
    if os.geteuid() == 0:
        _own(Path(home), 2002)
    print(f"{loaded}, {len(made.attachments)} attachment files "
          f"({rows.IN_V4} attachments in layout v4, {rows.IN_VER003} still in ver003)")


def _own(top: Path, number: int) -> None:
    """The owner that the vendor's container image uses: a number without a name here."""
    for directory, _, files in os.walk(top):
        for path in [directory, *(os.path.join(directory, name) for name in files)]:
            shutil.chown(path, number, number) if not os.path.islink(path) else os.lchown(path, number, number)


if __name__ == "__main__":
    main()
