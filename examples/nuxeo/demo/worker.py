"""Works off the queue `work-default` as Nuxeo does, a little behind, and commits as it goes, until the file STOP appears.

usage: worker.py DIR

Adds to DIR/commits.jsonl each commit: when it was sent, when Kafka had acknowledged it, and the offsets.
"""

import json
import sys
import time
from pathlib import Path

from kafka import Kafka, Use
from streams import PREFIX

QUEUE, RECORDS_MAX = "work-default", 8


def main() -> None:
    top = Path(sys.argv[1])
    use, kafka = Use(top), Kafka(top / "kafka")
    kafka.ask("join", group=PREFIX + QUEUE, topics=[PREFIX + QUEUE], max=RECORDS_MAX)
    with (top / "commits.jsonl").open("a", encoding="utf-8") as commits:
        while use.goes_on():
            if kafka.ask("poll")["records"]:
                sent = time.time()
                offsets = kafka.ask("commit-polled")["offsets"]
                commits.write(json.dumps({"sent": sent, "acked": time.time(), "offsets": offsets}) + "\n")
                commits.flush()
            time.sleep(0.2)
    kafka.ask("leave")
    kafka.close()


if __name__ == "__main__":
    main()
