"""Compares the restored topics and groups with the ledger, as Kafka's own client reads them: what is back, and what is still to do."""

import json
from datetime import datetime
from pathlib import Path

import judge
import logs
import streams
from kafka import Kafka
from ledger import Fence
from streams import PASSING, PREFIX, TOPICS

POLLS_MAX, IDLE_POLLS = 200, 8


def _part(record: dict, step: str, stage: str) -> dict:
    return next(part for one in record["steps"] if one["name"] == step for part in one["parts"] if part["part"]["stage"] == stage)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _bounds(record: dict, stage: str) -> tuple[float, float]:
    part = _part(record, "streams", stage)
    return _seconds(part["started"]), _seconds(part["ended"])


def rows(record: dict) -> Fence:
    """The database's instant as the set's record states it."""
    at = _part(record, "dam", "database")["instant"]
    return Fence(*(seconds + nanoseconds / 1e9 for seconds, nanoseconds in (at["not_before"], at["not_after"])))


def fence(record: dict) -> Fence:
    """When the fence of the streams was set."""
    return Fence(*_bounds(record, "fence"))


def instant(record: dict) -> logs.Instants:
    """The database's instant as the set's record states it, and when the fence was set."""
    seconds, nanoseconds = _part(record, "dam", "database")["instant"]["not_after"]
    return logs.Instants(seconds * 1000 + nanoseconds // 1_000_000, *_bounds(record, "fence"))


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def compare(kafka: Kafka, top: Path, mode: str, prefix: str, problems: list[str]) -> None:
    """Topics, records, groups: every partition by itself."""
    record = judge.record(top)
    due = _due(top, instant(record), mode)
    _compare_names(kafka, top, prefix, problems)
    offsets: dict[logs.Place, list[int]] = {}
    for name, (partitions, _) in TOPICS.items():
        back = kafka.ask("read", topic=prefix + name)["records"]
        for partition in range(partitions):
            place = PREFIX + name, partition
            restored = sorted((one for one in back if one["partition"] == partition), key=lambda one: one["offset"])
            offsets[place] = logs.match(f"{name}-{partition}", due.get(place, []), restored, problems, name == streams.COMPACTED)
    print(f"  {len(offsets)} partitions with {sum(map(len, offsets.values()))} records up to the instant: "
          "in order, with their times, keys, values and headers")
    _compare_groups(kafka, top, record, prefix, offsets, problems)


def _due(top: Path, instants: logs.Instants, mode: str) -> dict[logs.Place, list[logs.Due]]:
    ledger = _lines(top / "ledger-before.jsonl") + _lines(top / "ledger-writer.jsonl")
    ledger = [line for line in ledger if line["topic"] != PREFIX + streams.COMPACTED]
    deleted = {(topic, partition): offset for topic, partition, offset in json.loads((top / "deleted.json").read_text())["deleted"]}
    due = logs.due(ledger, instants, deleted, mode == "backup")
    noted = json.loads((top / "before.json").read_text())
    return due | logs.compacted(noted["compacted"], json.loads((top / "after.json").read_text()))


def _compare_names(kafka: Kafka, top: Path, prefix: str, problems: list[str]) -> None:
    """The topics that there are, their partitions, their configs: no others, and none that Nuxeo makes anew."""
    was = json.loads((top / "before.json").read_text())["topics"]
    found = {name.removeprefix(prefix) for name in kafka.ask("topics")["topics"] if name.startswith(prefix)}
    if found != TOPICS.keys():
        problems.append(f"topics: {sorted(found)} are there, {sorted(TOPICS)} should be")
    for name in sorted(found & TOPICS.keys()):
        now = kafka.ask("describe", topic=prefix + name)
        wanted = {key: value for key, value in was[name]["configs"].items() if key != "message.timestamp.type"}
        kept = {key: value for key, value in now["configs"].items() if key != "message.timestamp.type"}
        if now["partitions"] != was[name]["partitions"] or kept != wanted:
            problems.append(f"topic {name}: {now['partitions']} partitions with {kept}, was {was[name]['partitions']} with {wanted}")
    print(f"  {len(found)} topics with the partitions and configs that they had; "
          f"{', '.join(PASSING)} left to Nuxeo")


def _commits(top: Path, record: dict) -> dict[str, dict[logs.Place, tuple[int | None, int | None]]]:
    """For each group and partition the oldest and the newest commit that positions may hold."""
    began, ended = _bounds(record, "positions")
    groups = {group: {(topic, partition): (offset, offset) for topic, partition, offset in offsets}
              for group, offsets in json.loads((top / "groups.json").read_text()).items()}
    moving: dict[logs.Place, tuple[int | None, int | None]] = {}
    for commit in _lines(top / "commits.jsonl"):
        for topic, partition, offset in commit["offsets"]:
            low, high = moving.get((topic, partition), (None, None))
            moving[topic, partition] = (offset if commit["acked"] < began else low, offset if commit["sent"] < ended else high)
    return groups | {"work-default": moving}


def _compare_groups(kafka: Kafka, top: Path, record: dict, prefix: str, offsets: dict[logs.Place, list[int]], problems: list[str]) -> None:
    """Where each group stands, and what its next consumer gets."""
    found = {group.removeprefix(prefix) for group in kafka.ask("groups")["groups"] if group.startswith(prefix)}
    commits = _commits(top, record)
    if found != commits.keys():
        problems.append(f"groups: {sorted(found)} are there, {sorted(commits)} should be")
    for group, bounds in commits.items():
        back = {(PREFIX + topic.removeprefix(prefix), partition): offset
                for topic, partition, offset in kafka.ask("committed", group=prefix + group)["offsets"]}
        for place in sorted(bounds.keys() | back.keys()):
            name = f"group {group} on {place[0]}-{place[1]}"
            logs.check_commit(name, back.get(place), *bounds.get(place, (None, None)), offsets.get(place, []), problems)
        _compare_work(kafka, group, prefix, {topic for topic, _ in bounds}, back, offsets, problems)


def _compare_work(kafka: Kafka, group: str, prefix: str, topics: set[str], back: dict[logs.Place, int], offsets: dict[logs.Place, list[int]],
                  problems: list[str]) -> None:
    """Joins the restored group as Nuxeo would: it gets what was not committed yet, once, and nothing else."""
    due = {place: (back.get(place, 0), len(kept)) for place, kept in offsets.items() if place[0] in topics}
    wanted, got, idle = sum(end - begin for begin, end in due.values()), {place: [] for place in due}, 0
    kafka.ask("join", group=prefix + group, topics=[prefix + topic.removeprefix(PREFIX) for topic in sorted(topics)])
    for _ in range(POLLS_MAX):
        records = kafka.ask("poll")["records"]
        for one in records:
            got[PREFIX + one["topic"].removeprefix(prefix), one["partition"]].append(one["offset"])
        idle = 0 if records else idle + 1
        if sum(map(len, got.values())) >= wanted and idle >= IDLE_POLLS:
            break
    kafka.ask("leave")
    for place, (begin, end) in due.items():
        logs.check_work(f"group {group} on {place[0]}-{place[1]}", got[place], begin, end, problems)
    print(f"  group {group}: its next consumer got {sum(map(len, got.values()))} records that were not committed, each once")
