"""The database of the sample site: which one it is, and a session with it."""

import os

NAME = os.environ.get("DEMO_DATABASE", "postgresql")

if NAME == "mariadb":
    from mariadb import Session
else:
    from postgresql import Session

__all__ = ["NAME", "Session"]
