"""What the judges of the demos have in common: when the set was sealed, and the verdict."""

import json
from datetime import datetime
from pathlib import Path


def record(top: Path) -> dict:
    """What the unpacked set says of itself."""
    return json.loads((top / "proof/.strongroom/record.json").read_text())


def sealed(record: dict) -> float:
    """When the set was sealed, in seconds since 1970: whole ones, so no later than it was."""
    return datetime.fromisoformat(record["ended"][:19] + "+00:00").timestamp()


def verdict(problems: list[str]) -> int:
    """Prints every difference that has no reason, and returns what the judge shall exit with."""
    for problem in problems[:40]:
        print(f"  DIFFERENT: {problem}")
    if problems:
        print(f"  {len(problems)} differences without a reason")
        return 1
    print("  nothing else differs")
    return 0
