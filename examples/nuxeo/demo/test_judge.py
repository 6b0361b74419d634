"""A judge that cannot say no proves nothing: each kind of difference must be named.

usage: python3 -m unittest discover -s examples/nuxeo/demo
"""

import unittest

import logs

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
