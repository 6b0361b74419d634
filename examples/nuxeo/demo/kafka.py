"""Kafka's own Java client, kept open: questions go in, answers come out. Nothing of strongroom is in between."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path

_SCRIPT = Path(__file__).parents[3] / "tests/services/kafka/kafka.sh"
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Kafka:
    """One client. What it is asked for is described in tests/services/kafka/Client.java."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where kafka.sh started the broker."""
        self._client = subprocess.Popen(["bash", str(_SCRIPT), "client", str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=(directory / f"client-{os.getpid()}.log").open("ab"), encoding="utf-8")

    def ask(self, do: str, **question: object) -> dict:
        """The answer, or an exception that says what Kafka said."""
        self._client.stdin.write(json.dumps({"do": do, **question}) + "\n")
        self._client.stdin.flush()
        answer = json.loads(self._client.stdout.readline() or '{"error": "the client has ended"}')
        if "error" in answer:
            raise RuntimeError(f"Kafka: {do} {question.get('topic', question.get('group', ''))}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Waits for its end, for twenty seconds at most."""
        self._client.stdin.close()
        self._client.wait(timeout=20)


class Use:
    """Whether the instance is still in use: until the file STOP appears, or the demo that began it is gone."""

    def __init__(self, top: Path) -> None:
        self._stop, self._parent = top / "STOP", os.getppid()

    def goes_on(self) -> bool:
        return not self._stop.exists() and os.getppid() == self._parent


class Ledger:
    """What was produced, a JSON line each, written when Kafka has acknowledged it: where it lies, and when it was sent."""

    def __init__(self, kafka: Kafka, path: Path) -> None:
        self._kafka, self._file, self._count, self._name = kafka, path.open("a", encoding="utf-8"), 0, path.stem

    def record(self, partition: int, ts: int, **other: object) -> dict:
        """A record that is like no other, unless `value` or `key` are given."""
        self._count += 1
        name = f"{self._name}-{self._count}"
        record = {"partition": partition, "ts": ts, "key": text(f"key-{self._count % 17}"), "value": text(f"{name} " + "x" * (self._count * 7 % 600)),
                  "headers": [["id", text(name)], ["id", None], ["empty", text("")]] if self._count % 3 == 0 else []}
        return record | other

    def produce(self, topic: str, records: list[dict], codec: str = "none", transaction: str = "") -> list[dict]:
        """As one batch for each partition."""
        sent = time.time()
        answer = self._kafka.ask("produce", topic=topic, codec=codec, records=records, **({"transaction": transaction} if transaction else {}))
        acked, lines = time.time(), []
        for record, place in zip(records, answer["records"], strict=True):
            lines.append(record | place | {"topic": topic, "sent": sent, "acked": acked, "aborted": transaction == "abort"})
        self._file.write("".join(json.dumps(line) + "\n" for line in lines))
        self._file.flush()
        return lines


def text(value: str) -> str:
    """As the client writes bytes."""
    return base64.b64encode(value.encode()).decode()
