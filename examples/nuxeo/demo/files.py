"""Compares the restored trees with the copy from before the damage, and the configuration that a restore rewrites."""

import hashlib
from pathlib import Path

import instance

# What a backup leaves out, and nobody misses.
_LEFT_OUT = ("binaries/tmp", "tmp", "instance.clid")


def holds_blob(data: Path, key: str, size: int) -> bool:
    """Whether the store has the blob, with the size of its row and the MD5 that it is named by."""
    path = instance.blob_path(data, key)
    return path.is_file() and path.stat().st_size == size and hashlib.md5(path.read_bytes()).hexdigest() == key


def compare(top: Path, prefix: str, problems: list[str]) -> None:
    """Each file of the trees, and each line of nuxeo.conf."""
    for tree in ("home", "data"):
        kept, back = (_read(top / side / tree) for side in ("kept", "restored"))
        new = {path for path in kept if path.startswith("binaries/data/")}
        for path in sorted(kept.keys() | back.keys()):
            if any(path == name or path.startswith(f"{name}/") for name in _LEFT_OUT) or (path in new and path not in back):
                continue  # blobs that came later may be there; those that must be are judged by the database
            if kept.get(path) != back.get(path):
                problems.append(f"{tree}: {path!r} {'differs' if path in kept and path in back else 'is there on one side only'}")
        print(f"  {tree}: {len(back)} files as they were")
    _compare_configuration(top, prefix, problems)


def _read(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(top.rglob("*")) if path.is_file()}


def expected_configuration(text: str, values: dict[str, str]) -> list[str]:
    """The lines of nuxeo.conf with other values, inside and outside the generated block."""
    lines = []
    for line in text.splitlines():
        key, sign, _ = line.partition("=")
        lines.append(f"{key}={values[key]}" if sign and key in values else line)
    return lines


def _compare_configuration(top: Path, prefix: str, problems: list[str]) -> None:
    """Only what a restore must rewrite may differ. Values are never shown."""
    password = (top / "secrets/restorer").read_text().rstrip("\n")
    values = {"nuxeo.db.name": "nuxeo_restored", "nuxeo.db.user": "restorer", "nuxeo.db.password": password,
              "nuxeo.data.dir": str(top / "restored/data"), "kafka.topicPrefix": prefix}
    wanted = expected_configuration((top / "kept/etc/nuxeo.conf").read_text(), values)
    found = (top / "restored/etc/nuxeo.conf").read_text().splitlines()
    for was, now in zip(wanted, found):
        if was != now:
            problems.append(f"nuxeo.conf: a line of {now.partition('=')[0]!r} is not what it should be")
    if len(wanted) != len(found):
        problems.append(f"nuxeo.conf: {len(found)} lines, not {len(wanted)}")
    print(f"  nuxeo.conf: only {', '.join(values)} are others, inside the generated block too")
