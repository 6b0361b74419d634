"""A judge that cannot say no proves nothing: each kind of difference must be named.

usage: python3 -m unittest discover -s examples/confluence/demo
"""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import cfg
import tree
import trees
from layout import v4, ver003

VALUES = {"confluence.home": "/new", "daily.backup.dir": "/new/backups", "hibernate.connection.url": "jdbc:postgresql://h/new?a=1&b=2",
          "hibernate.connection.username": "restorer", "hibernate.connection.password": "r&<secret>"}

TIME = 1_700_000_000


def write(path: Path, text: str) -> None:
    """At one time for all, so that only what a test means to change differs."""
    path.write_text(text)
    os.utime(path, (TIME, TIME))


class Judge(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.top, self.problems = Path(held.name), []
        for side, home, url, password in (("kept", "/old", "jdbc:postgresql://h/old?a=1&b=2", "c&1"),
                                          ("restored", "/new", VALUES["hibernate.connection.url"], "r&<secret>")):
            tree.install(self.top / side / "install", Path(home))
            path = self.top / side / "home"
            tree._odd(path)
            (path / "shared-home").mkdir()
            text = tree._cfg(Path(home), url, password)
            text = text if side == "kept" else text.replace(">confluence<", ">restorer<")
            for copy in (tree.CFG, f"shared-home/{tree.CFG}"):
                (path / copy).write_text(text)
        for name in ("logs", "temp", "work"):
            shutil.rmtree(self.top / "restored/install" / name)
        for path in self.top.rglob("*"):
            if path.is_file():
                os.utime(path, (TIME, TIME))

    def judge(self, name: str = "home", made: set[str] = frozenset(), gone: set[str] = frozenset()) -> list[str]:
        kept, restored = (trees.read(self.top / side / name) for side in ("kept", "restored"))
        trees.remove_left_out(name, kept, restored, self.problems)
        cfg.check(self.top, name, kept, restored, VALUES, self.problems)
        trees.remove_moving(kept, restored, set(made), set(gone))
        trees.compare(name, kept, restored, self.problems)
        return self.problems

    def restored(self, name: str) -> Path:
        return self.top / "restored" / name

    def test_a_site_with_only_its_values_rewritten_has_no_difference(self) -> None:
        self.assertEqual([], self.judge("home"))
        self.assertEqual([], self.judge("install"))

    def test_a_changed_byte_a_mode_a_link_and_a_lost_directory_are_named(self) -> None:
        theme = self.restored("home/my-theme")
        write(theme / "*.css", "other")
        os.utime(theme / "plain.css", (1, 1))
        (theme / "-dash.css").chmod(0o600)
        (theme / "dangling.css").unlink()
        (theme / "dangling.css").symlink_to("elsewhere")
        (theme / "empty").rmdir()
        said = self.judge()
        for wanted in ("*.css': content", "plain.css': modified", "-dash.css': mode", "dangling.css': content", "empty' was not restored"):
            self.assertTrue(any(wanted in problem for problem in said), wanted)
        self.assertEqual(5, len(said), said)

    def test_what_must_be_left_out_and_what_was_never_there_are_named(self) -> None:
        write(self.restored("home/lock"), "")
        write(self.restored("home/extra"), "")
        said = self.judge()
        self.assertEqual(["home: 'lock' should have been left out and was restored",
                          "home: 'extra' was restored and was never there"], said)

    def test_only_what_the_journal_says_may_be_on_one_side(self) -> None:
        for name in ("made", "lost"):
            write(self.top / "kept/home" / name, "")
        for name in ("gone", "back"):
            write(self.restored(f"home/{name}"), "")
        said = self.judge(made={"made", "back"}, gone={"gone", "lost"})
        self.assertEqual(["home: 'lost' was not restored", "home: 'back' was restored and was never there"], said)

    def test_a_cfg_value_left_alone_made_wrong_or_touched_without_need_is_named_and_never_shown(self) -> None:
        one, two = self.restored(f"home/{tree.CFG}"), self.restored(f"home/shared-home/{tree.CFG}")
        write(one, one.read_text().replace("/new?", "/old?").replace(">60<", ">61<"))
        write(two, two.read_text().replace("r&amp;&lt;secret&gt;", "c&amp;9"))
        said = self.judge()
        self.assertEqual([f"{tree.CFG}: hibernate.c3p0.max_size differs and should not",
                          f"home: {tree.CFG}: hibernate.connection.url was not rewritten",
                          f"shared-home/{tree.CFG}: hibernate.connection.password was rewritten, but not to what the target needs"], said)

    def test_the_layouts_are_those_of_the_product(self) -> None:
        self.assertEqual("v4/10/98/12345678/12345678.1", v4(12345678, 1))
        self.assertEqual("ver003/73/131/131073/223/143/393223/786434/2", ver003(131073, 393223, 786434, 2))
        self.assertEqual("ver003/nonspaced/223/143/393223/786435/1", ver003(None, 393223, 786435, 1))


if __name__ == "__main__":
    unittest.main()
