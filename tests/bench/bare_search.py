"""What an engine gives and takes when nothing is done with it: pages that are thrown away, requests whose answers are.

usage: bare_search.py read PORT INDEX SIZE LANES       pages of so many documents, so many scrolls at a time, each of a slice; prints the seconds
       bare_search.py write PORT INDEX LANES FILE...   a bulk request for each file, so many at a time, then a refresh; prints the seconds
       bare_search.py make PORT INDEX LIKE             an empty index like another one, without replicas and refreshes
       bare_search.py count | remove PORT INDEX
"""

import http.client
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

BUSY = 429
TRIES = 8


def ask(port: str, method: str, path: str, body: bytes | None = None, connection: http.client.HTTPConnection | None = None) -> bytes:
    """The answer's bytes; asks again where the engine has too much to do. An error ends the program."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", int(port), timeout=300)
    kind = "application/x-ndjson" if "_bulk" in path else "application/json"
    for attempt in range(TRIES):
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != BUSY:
            break
        time.sleep(0.25 * 2**attempt)
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {content[:300]!r}")
    return content


def _page_through(port: str, index: str, size: str, lane: int, lanes: int) -> int:
    connection, count = http.client.HTTPConnection("127.0.0.1", int(port), timeout=300), 0
    begin = {"size": int(size), "sort": ["_doc"], "version": True}
    if lanes > 1:
        begin["slice"] = {"id": lane, "max": lanes}
    page = ask(port, "POST", f"/{index}/_search?scroll=5m", json.dumps(begin).encode(), connection)
    while found := page.count(b'{"_index":"'):
        count += found
        scroll = re.match(rb'\{"_scroll_id":"([^"]+)"', page)[1].decode()
        page = ask(port, "POST", "/_search/scroll", json.dumps({"scroll": "5m", "scroll_id": scroll}).encode(), connection)
    return count


def read(port: str, index: str, size: str, lanes: str) -> None:
    began, count = time.monotonic(), int(lanes)
    with ThreadPoolExecutor(count) as pool:
        found = sum(pool.map(lambda lane: _page_through(port, index, size, lane, count), range(count)))
    took = time.monotonic() - began
    there = _count(port, index)
    if found != there:
        sys.exit(f"{found} of {there} documents came")
    print(f"{took:.2f}")


def write(port: str, index: str, lanes: str, *files: str) -> None:
    began, count = time.monotonic(), int(lanes)

    def push(lane: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=300)
        for file in files[lane::count]:
            with open(file, "rb") as content:
                ask(port, "POST", f"/{index}/_bulk", content.read(), connection)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(push, range(count)))
    ask(port, "POST", f"/{index}/_refresh")
    print(f"{time.monotonic() - began:.2f}")


def make(port: str, index: str, like: str) -> None:
    found = json.loads(ask(port, "GET", f"/{like}"))[like]
    shards = found["settings"]["index"]["number_of_shards"]
    settings = {"number_of_shards": shards, "number_of_replicas": 0, "refresh_interval": "-1"}
    if "analysis" in found["settings"]["index"]:
        settings["analysis"] = found["settings"]["index"]["analysis"]
    ask(port, "PUT", f"/{index}", json.dumps({"settings": {"index": settings}, "mappings": found["mappings"]}).encode())


def _count(port: str, index: str) -> int:
    ask(port, "POST", f"/{index}/_refresh")
    return json.loads(ask(port, "GET", f"/{index}/_count"))["count"]


def count(port: str, index: str) -> None:
    print(_count(port, index))


def remove(port: str, index: str) -> None:
    ask(port, "DELETE", f"/{index}")


if __name__ == "__main__":
    {"read": read, "write": write, "make": make, "count": count, "remove": remove}[sys.argv[1]](*sys.argv[2:])
