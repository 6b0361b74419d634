"""Checks the files that a restore rewrites: only the named values may differ, and each must say what the target needs."""

from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import unescape

import tree
from trees import Entry

_COPIES = {"home": [tree.CFG, f"shared-home/{tree.CFG}"], "install": [tree.INIT]}


def check(top: Path, name: str, kept: dict[str, Entry], restored: dict[str, Entry], values: dict[str, str], problems: list[str]) -> list[str]:
    """Compares the rewritten files of a tree line by line, and then takes content and time out of the general comparison."""
    said = []
    for path in _COPIES[name]:
        if path not in restored:
            continue
        was, now = ((top / side / name / path).read_text().split("\n") for side in ("kept", "restored"))
        differing = [pair for pair in zip(was, now) if pair[0] != pair[1]]
        if len(was) != len(now):
            problems.append(f"{name}: {path} had {len(was)} lines, has {len(now)}")
        keys = [_check_line(path, old, new, values, problems) for old, new in differing]
        missing = [key for key in values if (key == "confluence.home") == (path == tree.INIT) and key not in keys]
        problems += [f"{name}: {path}: {key} was not rewritten" for key in missing]
        said.append(f"{path}: {', '.join(keys)}")
        for side in (kept, restored):
            side[path] = replace(side[path], content="rewritten", modified=None)
    return said


def _check_line(path: str, old: str, new: str, values: dict[str, str], problems: list[str]) -> str:
    """One line that differs: the same property before and after, with the value that the target needs. Values are never shown."""
    (old_key, _), (key, value) = _parse(old), _parse(new)
    if old_key != key or key not in values:
        problems.append(f"{path}: {key} differs and should not")
    elif value != values[key]:
        problems.append(f"{path}: {key} was rewritten, but not to what the target needs")
    return key


def _parse(line: str) -> tuple[str, str]:
    """Key and value of a line of the init properties or of the cfg."""
    if "<property" not in line:
        key, _, value = line.partition("=")
        return key.strip(), value.strip()
    start, _, rest = line.partition('">')
    return start.split('"')[-1], unescape(rest.removesuffix("</property>"), {"&quot;": '"', "&apos;": "'"})
