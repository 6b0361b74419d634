"""Reads directory trees and compares them, entry by entry."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

_LEFT_OUT = {
    "install": ["logs", "temp", "work"],
    "home": ["backups", "bundled-plugins", "confluence.cfg.xmlbackup-2025-01-01", "index", "journal", "lock", "logs", "plugins-cache",
             "plugins-osgi-cache", "restore", "shared-home/dcl-thumbnail", "synchrony-args.properties", "synchrony-standalone.jar",
             "temp", "thumbnails", "viewfile", "webresource-temp"],
}


@dataclass(frozen=True)
class Entry:
    """What must be equal. Directories and links have no time here: making their entries changes it."""

    kind: str
    content: str
    mode: int
    owner: tuple[int, int]
    modified: int | None


def read(top: Path) -> dict[str, Entry]:
    """All entries below a directory, by their relative path; names that are not UTF-8 stay what they are."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, top)] = _entry(path)
    return found


def _entry(path: str) -> Entry:
    status = os.lstat(path)
    owner = (status.st_uid, status.st_gid)
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", os.readlink(path), 0, owner, None)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Entry("directory", "", mode, owner, None)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Entry("file", digest, mode, owner, int(status.st_mtime))


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(top + "/")


def remove_left_out(tree: str, kept: dict[str, Entry], restored: dict[str, Entry], problems: list[str]) -> list[str]:
    """Takes the entries out of `kept` that no backup should hold. At most an empty directory of that name is restored."""
    for name in _LEFT_OUT[tree]:
        for path in [path for path in kept if _below(path, name)]:
            del kept[path]
        for path in [path for path in restored if _below(path, name)]:
            if restored.pop(path).kind != "directory":
                problems.append(f"{tree}: {path!r} should have been left out and was restored")
    return _LEFT_OUT[tree]


def remove_moving(kept: dict[str, Entry], restored: dict[str, Entry], made: set[str], gone: set[str]) -> int:
    """Takes out what may be on one side only: files made or gone since the backup began, and their directories."""
    lone = [path for path in kept.keys() - restored.keys() if path in made]
    lone += [path for path in restored.keys() - kept.keys() if path in gone]
    parents = {str(parent) for path in made | gone for parent in Path(path).parents}
    for path in lone + [path for path in kept.keys() ^ restored.keys() if path in parents]:
        kept.pop(path, None)
        restored.pop(path, None)
    return len(lone)


def compare(tree: str, kept: dict[str, Entry], restored: dict[str, Entry], problems: list[str]) -> None:
    """Names each entry that is on one side only, and each that differs and how."""
    problems += [f"{tree}: {path!r} was not restored" for path in sorted(kept.keys() - restored.keys())]
    problems += [f"{tree}: {path!r} was restored and was never there" for path in sorted(restored.keys() - kept.keys())]
    for path in sorted(kept.keys() & restored.keys()):
        for aspect in ("kind", "content", "mode", "owner", "modified"):
            was, now = getattr(kept[path], aspect), getattr(restored[path], aspect)
            if was != now:
                problems.append(f"{tree}: {path!r}: {aspect} was {was}, is {now}")
