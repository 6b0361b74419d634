"""Changes the sample site as Confluence does while it is used, until SIGTERM, and writes each change down.

usage: writer.py HOME JOURNAL      (the database as the environment says)

A file exists before its row; a row is gone before its file. Only what was there before this program began is purged.
The journal has one JSON line per change: when it was over, what was done, files made (with their digests) and gone.
"""

import hashlib
import itertools
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from client import literal
from database import Session
from layout import v4, ver003

CHANGES_PER_SECOND = 15
MIGRATIONS_MAX = 8
_ROUND = ("attach", "edit", "version", "trash", "page", "attach", "purge", "version", "trash_page", "edit", "purge_page", "page",
          "version", "attach", "page", "migrate")
_ORIGINALS = """SELECT contentid, version, pageid, spaceid, content_status FROM content
  WHERE contenttype = 'ATTACHMENT' AND prevver IS NULL ORDER BY contentid;"""
_LEAVES = """SELECT contentid, spaceid, content_status FROM content page WHERE contenttype = 'PAGE' AND prevver IS NULL
  AND content_status IN ('current', 'trashed') AND NOT EXISTS (SELECT 1 FROM content WHERE parentid = page.contentid OR pageid = page.contentid)
  AND NOT EXISTS (SELECT 1 FROM content_perm_set WHERE content_id = page.contentid) ORDER BY contentid;"""


class Writer:
    """The site as it was found, and what may still be done to it."""

    def __init__(self, home: Path, journal: Path) -> None:
        self.home, self.attachments = home, home / "attachments"
        self.owner = home.stat()
        self.journal = journal.open("a", encoding="utf-8")
        self.log = (home / "logs/atlassian-confluence.log").open("a", encoding="utf-8")
        self.database = Session()
        self.dice = random.Random()
        newest = int(self.database.ask("SELECT max(contentid) FROM content;")[0][0])
        self.ids = itertools.count((newest // 32768 + 1) * 32768 + 1)
        self.database.ask("UPDATE hibernate_unique_key SET next_hi = next_hi + 1;")
        self._attachments()
        self._pages()

    def _attachments(self) -> None:
        found = [(*map(int, row[:4]), row[4]) for row in self.database.ask(_ORIGINALS)]
        in_v4 = [row for row in found if (self.attachments / v4(row[0], row[1])).exists()]
        self.old_layout = [row for row in found if row not in in_v4]
        self.trashed = [row for row in in_v4 if row[4] == "trashed"]
        current = [row for row in in_v4 if row[4] == "current"]
        self.kept = current[0::4]  # to be re-versioned; the others last for two minutes of purges
        self.disposable = [row for row in current if row not in self.kept]
        self.migrations = MIGRATIONS_MAX

    def _pages(self) -> None:
        found = [(int(row[0]), row[1], row[2]) for row in self.database.ask(_LEAVES)]
        self.trashed_pages = [row for row in found if row[2] == "trashed"]
        current = [row for row in found if row[2] == "current"]
        self.kept_pages, self.disposable_pages = current[0::2], current[1::2]

    def note(self, did: str, row: int, made: dict[str, str] | None = None, gone: list[str] | None = None) -> None:
        line = {"at": time.time(), "did": did, "row": row, "made": made or {}, "gone": gone or []}
        self.journal.write(json.dumps(line) + "\n")
        self.journal.flush()
        print(f"{did} {row}", file=self.log, flush=True)

    def commit(self, statements: str) -> None:
        """One transaction, with the entry for the search index that each change leaves."""
        self.database.ask(f"""BEGIN; {statements}
            INSERT INTO journalentry (entry_id, journal_name, creationdate, type, message)
              VALUES ({self.database.NEXT_ENTRY}, 'main_index', now(), 'UPDATE_DOCUMENT', 'change'); COMMIT;""")

    def place(self, name: str, content: bytes) -> dict[str, str]:
        """Writes a file beside the attachments and moves it to its name when it is whole."""
        path, upload = self.attachments / name, self.home / "temp/upload"
        upload.write_bytes(content)
        missing = [parent for parent in path.parents if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        for made in [upload, *missing]:
            os.chown(made, self.owner.st_uid, self.owner.st_gid)
        upload.rename(path)
        return {f"attachments/{name}": hashlib.sha256(content).hexdigest()}

    def remove(self, directory: Path) -> list[str]:
        """All files of one attachment, and their directory."""
        files = sorted(directory.iterdir())
        for path in files:
            path.unlink()
        directory.rmdir()
        return [str(path.relative_to(self.home)) for path in files]

    def properties(self, row: int, size: int) -> str:
        ids = [next(self.ids) for _ in range(3)]
        return f"""INSERT INTO contentproperties (propertyid, propertyname, longval, stringval, contentid) VALUES
            ({ids[0]}, 'FILESIZE', {size}, NULL, {row}), ({ids[1]}, 'MEDIA_TYPE', NULL, 'text/plain', {row}),
            ({ids[2]}, 'MINOR_EDIT', 0, NULL, {row});"""

    def attach(self) -> None:
        page, space, _ = self.dice.choice(self.kept_pages)
        row, content = next(self.ids), self.dice.randbytes(self.dice.randint(100, 20_000))
        made = self.place(v4(row, 1), content)
        self.commit(f"""INSERT INTO content (contentid, contenttype, title, lowertitle, version, creationdate, content_status, pageid, spaceid)
            VALUES ({row}, 'ATTACHMENT', 'New {row}.txt', 'new {row}.txt', 1, now(), 'current', {page}, {space});
            {self.properties(row, len(content))}""")
        self.note("attach", row, made)

    def version(self) -> None:
        """The newest row keeps its id; a historical row with a new id takes its old state."""
        place = self.dice.randrange(len(self.kept))
        row, version, page, space, status = self.kept[place]
        old, content = next(self.ids), self.dice.randbytes(self.dice.randint(100, 20_000))
        made = self.place(v4(row, version + 1), content)
        self.commit(f"""INSERT INTO content (contentid, contenttype, title, lowertitle, version, creationdate, content_status, pageid, prevver)
            SELECT {old}, contenttype, title, lowertitle, version, creationdate, content_status, pageid, contentid FROM content WHERE contentid = {row};
            UPDATE contentproperties SET contentid = {old} WHERE contentid = {row};
            UPDATE content SET version = {version + 1}, lastmoddate = now() WHERE contentid = {row};
            {self.properties(row, len(content))}""")
        self.kept[place] = (row, version + 1, page, space, status)
        self.note("version", row, made)

    def trash(self) -> None:
        if not self.disposable:
            return self.edit()
        found = self.disposable.pop()
        self.commit(f"UPDATE content SET content_status = 'trashed' WHERE contentid = {found[0]};")
        self.trashed.append(found)
        self.note("trash", found[0])

    def purge(self) -> None:
        if not self.trashed:
            return self.trash()
        row, version, *_ = self.trashed.pop(0)
        rows = f"(SELECT contentid FROM content WHERE {row} IN (contentid, prevver) OR (contenttype = 'COMMENT' AND pageid = {row}))"
        self.commit(f"""DELETE FROM bodycontent WHERE contentid IN {rows}; DELETE FROM imagedetails WHERE attachmentid IN {rows};
            DELETE FROM contentproperties WHERE contentid IN {rows};
            DELETE FROM content WHERE prevver = {row} OR (contenttype = 'COMMENT' AND pageid = {row}); DELETE FROM content WHERE contentid = {row};""")
        self.note("purge", row, gone=self.remove((self.attachments / v4(row, version)).parent))

    def page(self) -> None:
        parent, space, _ = self.dice.choice(self.kept_pages)
        row = next(self.ids)
        self.commit(f"""INSERT INTO content (contentid, contenttype, title, lowertitle, version, creationdate, content_status, spaceid, parentid)
            VALUES ({row}, 'PAGE', 'Fresh {row}', 'fresh {row}', 1, now(), 'current', {space}, {parent});
            INSERT INTO bodycontent (bodycontentid, body, contentid, bodytypeid) VALUES ({next(self.ids)}, '<p>fresh</p>', {row}, 2);
            INSERT INTO confancestors (descendentid, ancestorposition, ancestorid) VALUES ({row}, 0, {parent});""")
        self.note("page", row)

    def edit(self) -> None:
        page = self.dice.choice(self.kept_pages)[0]
        old, text = next(self.ids), literal(f"<p>edited {time.time()}</p>")
        self.commit(f"""INSERT INTO content (contentid, contenttype, title, lowertitle, version, creationdate, content_status, prevver)
            SELECT {old}, contenttype, title, lowertitle, version, creationdate, content_status, contentid FROM content WHERE contentid = {page};
            UPDATE bodycontent SET contentid = {old} WHERE contentid = {page};
            INSERT INTO bodycontent (bodycontentid, body, contentid, bodytypeid) VALUES ({next(self.ids)}, {text}, {page}, 2);
            UPDATE content SET version = version + 1, lastmoddate = now() WHERE contentid = {page};""")
        self.note("edit", page)

    def trash_page(self) -> None:
        if not self.disposable_pages:
            return self.edit()
        found = self.disposable_pages.pop()
        self.commit(f"UPDATE content SET content_status = 'trashed' WHERE contentid = {found[0]};")
        self.trashed_pages.append(found)
        self.note("trash_page", found[0])

    def purge_page(self) -> None:
        if not self.trashed_pages:
            return self.trash_page()
        page = self.trashed_pages.pop(0)[0]
        rows = f"(SELECT contentid FROM content WHERE {page} IN (contentid, prevver))"
        self.commit(f"""DELETE FROM bodycontent WHERE contentid IN {rows}; DELETE FROM contentproperties WHERE contentid IN {rows};
            DELETE FROM content_label WHERE contentid IN {rows}; DELETE FROM confancestors WHERE descendentid IN {rows};
            DELETE FROM content WHERE prevver = {page}; DELETE FROM content WHERE contentid = {page};""")
        self.note("purge_page", page)

    def migrate(self) -> None:
        """Moves one attachment to the newer layout: all its files are there twice before the old ones go."""
        if not self.migrations:
            return self.edit()
        self.migrations -= 1
        row, version, page, space, _ = self.old_layout.pop()
        old, made = (self.attachments / ver003(space, page, row, version)).parent, {}
        for path in old.iterdir():
            number, *rest = path.name.split(".", 1)
            made |= self.place(".".join([v4(row, int(number)), *rest]), path.read_bytes())
        self.note("migrate", row, made, self.remove(old))


def main() -> None:
    home, journal = map(Path, sys.argv[1:])
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writer = Writer(home, journal)
    due = time.monotonic()
    for change in itertools.cycle(_ROUND):
        if stop:
            break
        getattr(writer, change)()
        due = max(due + 1 / CHANGES_PER_SECOND, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
    writer.database.close()


if __name__ == "__main__":
    main()
