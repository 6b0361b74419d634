"""A judge that cannot say no proves nothing: each kind of difference must be named.

usage: python3 -m unittest discover -s examples/search
"""

import json
import unittest

import documents
import engine
import indices
import ledger
from ledger import Fence

FENCE = Fence(10.0, 11.0)


def line(identifier: str, version: int | None, sent: float, index: str = "a", routing: str | None = None, source: str = "s") -> list:
    state = None if version is None else [version, routing, source]
    return [index, identifier, state, sent, sent + 0.01]


def judge(written: list[list], found: dict[str, ledger.State]) -> list[str]:
    problems: list[str] = []
    ledger.judge("a", ledger.due(written, "a", FENCE), found, problems)
    return problems


class Judge(unittest.TestCase):
    def test_what_was_acknowledged_before_the_fence_is_right_and_nothing_from_after_it(self) -> None:
        written = [line("1", 1, 1), line("1", 2, 2), line("2", 1, 3), line("2", None, 4), line("1", 3, 12), line("3", 1, 12), line("9", 1, 1, index="b")]
        self.assertEqual([], judge(written, {"1": (2, None, "s")}))
        for found in ({}, {"1": (1, None, "s")}, {"1": (3, None, "s")}, {"1": (2, None, "s"), "2": (1, None, "s")},
                      {"1": (2, None, "s"), "3": (1, None, "s")}, {"1": (2, None, "s"), "9": (1, None, "s")}):
            self.assertEqual(1, len(judge(written, found)), found)

    def test_while_the_fence_is_set_either_is_right(self) -> None:
        written = [line("1", 1, 1), line("1", 2, 10.2), line("1", 3, 10.4), line("2", 1, 10.6), line("3", 1, 2), line("3", None, 10.8)]
        old, new = (1, None, "s"), (3, None, "s")
        for found in ({"1": old, "3": old}, {"1": (2, None, "s")}, {"1": new, "2": old}):
            self.assertEqual([], judge(written, found))
        self.assertTrue(judge(written, {"2": old}))
        self.assertTrue(judge(written, {"1": (4, None, "s")}))

    def test_another_version_another_routing_another_byte_and_no_source_are_named(self) -> None:
        written = [line("1", 5, 1, routing="r")]
        self.assertEqual([], judge(written, {"1": (5, "r", "s")}))
        for other in ((4, "r", "s"), (5, None, "s"), (5, "", "s"), (5, "r", "S"), (5, "r", None)):
            self.assertTrue(judge(written, {"1": other}), other)

    def test_a_setting_a_mapping_and_an_alias_that_differ_are_named(self) -> None:
        was = {"settings": {"number_of_replicas": "1"}, "mappings": {"properties": {}}, "aliases": {"x": {}}}
        for kind in was:
            problems: list[str] = []
            indices.compare_definition("a", was, was | {kind: {}}, problems)
            self.assertEqual(1, len(problems), kind)

    def test_the_fence_is_between_the_start_of_a_part_and_its_settling(self) -> None:
        order = [{"at": f"1970-01-01T00:00:0{second}.5Z", "part": part, "what": what} for second, part, what in
                 ((0, "", "started"), (1, "audit/index-nuxeo-audit", "started"), (2, "audit/index-nuxeo-uidgen", "started"),
                  (3, "audit/index-nuxeo-audit", "settled"), (4, "audit/index-nuxeo-uidgen", "ended"), (5, "audit/index-nuxeo-audit", "ended"))]
        self.assertEqual(Fence(1.5, 3.5), indices.fence({"order": order}, "nuxeo-audit"))
        self.assertEqual(Fence(2.5, 4.5), indices.fence({"order": order}, "nuxeo-uidgen"))
        names = {"audit/index-nuxeo-audit": "audit/snapshot", "audit/index-nuxeo-uidgen": "audit/snapshot-sequences"}
        snapshots = [one | {"part": names.get(one["part"], "")} for one in order]
        self.assertEqual(Fence(1.5, 3.5), indices.fence({"order": snapshots}, "nuxeo-audit"))
        self.assertEqual(Fence(2.5, 4.5), indices.fence({"order": snapshots}, "nuxeo-uidgen"))
        together = [one | {"part": "audit/indices"} for one in order if one["part"].endswith("uidgen") or one["what"] == "settled"]
        for index in indices.INDICES:
            self.assertEqual(Fence(2.5, 3.5), indices.fence({"order": together}, index))

    def test_a_page_is_read_byte_for_byte(self) -> None:
        sources = ['{"a" : 1.10,"b":"\\"_source\\":"}', '{"n":12345678901234567890}']
        page = ('{"_scroll_id":"x","hits":{"total":{"value":3},"hits":[{"_index":"i","_id":"1","_version":2,"_source":%s},'
                '{"_index":"i","_id":"2","_version":1},{"_index":"i","_id":"3","_version":7,"_routing":"r","_source":%s,"sort":[0]}]}}' % tuple(sources))
        around, found = engine.hits(page)
        self.assertEqual([("1", 2, None, sources[0].encode()), ("2", 1, None, None), ("3", 7, "r", sources[1].encode())],
                         [(one.id, one.version, one.routing, one.source) for one in found])
        self.assertEqual("x", around["_scroll_id"])
        self.assertEqual([], engine.hits('{"hits":{"hits":[]}}')[1])

    def test_entries_are_the_same_each_time_and_json(self) -> None:
        for number in (1, 17, 217, 417, 617, 4242):
            self.assertEqual(number, json.loads(documents.source(number))["id"])
            self.assertEqual(documents.source(number), documents.source(number))
            self.assertNotEqual(documents.source(number), documents.source(number, 1))
            self.assertLessEqual(len(documents.identifier(number).encode()), 512)


if __name__ == "__main__":
    unittest.main()
