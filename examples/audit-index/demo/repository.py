"""A repository of the engine's own, in which its snapshots stay.

usage: repository.py make DIR PORT     registers it
       repository.py lend DIR PORT     another engine may read what is in it now
"""

import shutil
import sys
from pathlib import Path

from engine import Engine
from indices import OWN


def register(port: str, location: Path, readonly: bool) -> None:
    Engine(int(port)).ask("PUT", f"/_snapshot/{OWN}", {"type": "fs", "settings": {"location": str(location), "readonly": readonly}})


def main() -> None:
    what, top, port = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    own = top / "engine/repositories" / OWN
    if what == "lend":
        # Each engine here has a path.repo of its own; in a cluster it would be one bucket, or one shared directory.
        lent = top / "empty/repositories" / OWN
        shutil.copytree(own, lent)
        register(port, lent, readonly=True)
    else:
        register(port, own, readonly=False)


if __name__ == "__main__":
    main()
