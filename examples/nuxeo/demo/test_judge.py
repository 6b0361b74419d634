"""A judge that cannot say no proves nothing: each kind of difference must be named.

usage: PYTHONPATH=examples:examples/search python3 -m unittest discover -s examples/nuxeo/demo
"""

import contextlib
import io
import unittest

import agree
import logs
from ledger import Fence

PLACE = ("dam-a", 0)
INSTANTS = logs.Instants(cut=1000, fence_began=10.0, fence_ended=11.0)


def line(offset: int, ts: int = 500, at: float = 1.0, aborted: bool = False, **other: object) -> dict:
    return {"topic": PLACE[0], "partition": PLACE[1], "offset": offset, "ts": ts, "key": "k", "value": f"v{offset}", "headers": [],
            "sent": at, "acked": at + 0.01, "aborted": aborted} | other


def judge(ledger: list[dict], back: list[int], deleted: int = 0, fenced: bool = True) -> tuple[list[int], list[str]]:
    """Judges a restored partition that holds the records of those offsets, as they were."""
    restored = [dict(next(one for one in ledger if one["offset"] == offset), offset=number) for number, offset in enumerate(back)]
    problems: list[str] = []
    due = logs.due(ledger, INSTANTS, {PLACE: deleted}, fenced)[PLACE]
    return logs.match("a-0", due, restored, problems), problems


FENCES = agree.Fences(rows=Fence(10.0, 10.1), streams=Fence(11.0, 11.5), audit=Fence(11.0, 11.6))


def change(number: int, at: float) -> dict:
    """A document that was committed at that time, and all that belongs to it right behind."""
    return {"doc": f"doc-{number}", "key": f"k{number}", "size": 5, "sent": at - 0.01, "at": at, "ts": int(at * 1000) + 1, "produced": at + 0.02,
            "record": [0, number], "entry": number, "audited": at + 0.03}


def agreed(changes: list[dict], no_rows: tuple = (), no_record: tuple = (), no_entry: tuple = (), more: dict | None = None, blob: bool = True) -> list[str]:
    """What the judge says of a restored instance that lacks this, beside enough documents that are whole."""
    changes = [change(100 + number, 1.0) for number in range(agree.DOCUMENTS_MIN)] + changes
    def numbered(without: tuple) -> list[dict]:
        return [one for one in changes if one["entry"] not in without]
    found = agree.Restored({one["doc"]: one["key"] for one in numbered(no_rows)}, {one["doc"] for one in numbered(no_record)},
                           {one["doc"]: (one["entry"], one["key"], one["record"]) for one in numbered(no_entry)} | (more or {}))
    problems: list[str] = []
    with contextlib.redirect_stdout(io.StringIO()):
        agree.compare(changes, FENCES, found, lambda key, size: blob or key != "k1", problems)
    return problems


class Agreement(unittest.TestCase):
    def test_what_came_before_the_instant_is_there_with_all_that_belongs_to_it(self) -> None:
        self.assertEqual([], agreed([change(1, 9.0)]))
        for missing in ({"no_rows": (1,)}, {"no_record": (1,)}, {"no_entry": (1,)}, {"blob": False}):
            self.assertTrue(agreed([change(1, 9.0)], **missing), missing)

    def test_what_came_behind_the_instant_has_neither_rows_nor_a_record_and_may_have_an_entry(self) -> None:
        late = change(1, 10.5)
        self.assertEqual([], agreed([late], no_rows=(1,), no_record=(1,)))
        self.assertEqual([], agreed([change(1, 12.0)], no_rows=(1,), no_record=(1,), no_entry=(1,)))
        self.assertTrue(agreed([late], no_record=(1,)), "rows from behind the instant")
        self.assertTrue(agreed([late], no_rows=(1,)), "a record without rows")
        self.assertTrue(agreed([late], no_rows=(1,), no_record=(1,), no_entry=(1,)), "an entry from before the fence")

    def test_within_the_width_of_the_instant_either_is_right(self) -> None:
        within = change(1, 10.05)
        for missing in ({}, {"no_rows": (1,)}):
            self.assertEqual([], agreed([within], **missing), missing)

    def test_an_entry_that_names_another_blob_and_one_that_nobody_wrote_are_named(self) -> None:
        self.assertTrue(agreed([change(1, 9.0)], more={"doc-1": (1, "other", [0, 1])}))
        self.assertTrue(agreed([], more={"doc-7": (7, "k7", [0, 7])}))

    def test_too_few_documents_show_nothing(self) -> None:
        problems: list[str] = []
        with contextlib.redirect_stdout(io.StringIO()):
            agree.compare([], FENCES, agree.Restored({}, set(), {}), lambda key, size: True, problems)
        self.assertEqual(1, len(problems))


class Judge(unittest.TestCase):
    def test_what_is_within_the_cut_and_before_the_fence_is_right(self) -> None:
        ledger = [line(0), line(1, ts=1001), line(2, ts=400), line(3, at=12.0), line(4, aborted=True), line(5, ts=1000)]
        self.assertEqual(([0, 2, 5], []), judge(ledger, [0, 2, 5]))

    def test_a_lost_record_one_from_after_the_cut_one_from_after_the_fence_and_an_aborted_one_are_named(self) -> None:
        for extra in (line(1, ts=1001), line(1, at=12.0), line(1, aborted=True)):
            self.assertTrue(judge([line(0), extra], [0, 1])[1], extra)
        self.assertTrue(judge([line(0), line(1)], [0])[1])
        self.assertTrue(judge([line(0), line(1)], [1], deleted=0)[1])

    def test_a_head_that_was_deleted_is_not_missed_and_must_not_be_back(self) -> None:
        self.assertEqual(([1], []), judge([line(0), line(1)], [1], deleted=1))
        self.assertTrue(judge([line(0), line(1)], [0, 1], deleted=1)[1])

    def test_another_order_another_time_another_header_and_no_value_are_named(self) -> None:
        ledger = [line(0), line(1)]
        self.assertTrue(judge(ledger, [1, 0])[1])
        due = logs.due(ledger, INSTANTS, {}, True)[PLACE]
        for other in ({"ts": 501}, {"headers": [["a", None]]}, {"value": None}, {"key": None}):
            problems: list[str] = []
            logs.match("a-0", due, [ledger[0] | other, ledger[1]], problems)
            self.assertTrue(problems, other)

    def test_while_the_fence_is_set_either_is_right_but_only_once(self) -> None:
        ledger = [line(0), line(1, at=10.5), line(2, at=10.6), line(3, ts=3000, at=10.7)]
        for back in ([0], [0, 1], [0, 1, 2]):
            self.assertEqual([], judge(ledger, back)[1])
        self.assertTrue(judge(ledger, [0, 2])[1])

    def test_without_a_fence_time_alone_decides(self) -> None:
        ledger = [line(0), line(1, at=12.0), line(2, ts=2000, at=12.0)]
        self.assertEqual(([0, 1], []), judge(ledger, [0, 1], fenced=False))
        self.assertTrue(judge(ledger, [0, 1, 2], fenced=False)[1])

    def test_what_a_cleaner_left_must_be_back_and_what_it_took_meanwhile_may(self) -> None:
        records = [line(0), line(4), line(7)]
        due = logs.compacted(records, [records[0], records[2]])[PLACE]
        for back in ([0, 2], [0, 1, 2]):
            problems: list[str] = []
            logs.match("a-0", due, [records[number] for number in back], problems, cleaned=True)
            self.assertEqual([], problems)
        logs.match("a-0", due, records[:2], problems := [], cleaned=True)
        self.assertTrue(problems)
        tombstone = [line(9, value=None)]
        logs.match("a-0", logs.compacted(tombstone, tombstone)[PLACE], [], problems := [], cleaned=True)
        self.assertEqual([], problems)

    def test_commits_are_translated_and_none_is_lost_invented_or_newer_than_the_group_was(self) -> None:
        offsets = [2, 5, 9]
        self.assertEqual([0, 0, 1, 2, 3], [logs.translated(source, offsets) for source in (0, 2, 3, 9, 10)])
        for found, lowest, highest, right in ((1, 3, 3, True), (1, 3, 6, True), (2, 3, 6, True), (3, 3, 6, False), (0, 3, 6, False),
                                              (None, None, None, True), (None, 3, 3, False), (0, None, None, False), (None, None, 3, True)):
            problems: list[str] = []
            logs.check_commit("g", found, lowest, highest, offsets, problems)
            self.assertEqual(right, not problems, (found, lowest, highest))

    def test_work_that_is_lost_done_twice_or_in_another_order_is_named(self) -> None:
        for got, right in (([1, 2], True), ([1], False), ([1, 1, 2], False), ([2, 1], False), ([0, 1, 2], False), ([1, 2, 3], False)):
            problems: list[str] = []
            logs.check_work("g", got, 1, 3, problems)
            self.assertEqual(right, not problems, got)


if __name__ == "__main__":
    unittest.main()
