"""A search engine over HTTP, as its makers describe it: https://opensearch.org/docs/2.19/api-reference/. Nothing of strongroom is in between."""

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_WAIT_SECONDS, _PAGE = 120, 2000
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Document:
    """One hit. `source` is what the engine sent, byte for byte; an index may keep none."""

    id: str
    version: int
    routing: str | None
    source: bytes | None


class Refused(RuntimeError):
    """The engine has answered with an error, or not in full."""

    def __init__(self, what: str, status: int, answer: bytes) -> None:
        super().__init__(f"{what}: {status} {answer[:300].decode(errors='replace')}")
        self.status = status


class Engine:
    """One connection to 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_SECONDS)

    def raw(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """The answer's bytes, or an exception that says what the engine said. One that is full for the moment refuses before it does
        anything (https://opensearch.org/docs/2.19/install-and-configure/configuring-opensearch/circuit-breaker/): it is asked again,
        after longer and longer rests."""
        for rest in (0.5, 1, 2, 4, 8, 16):
            try:
                return self._once(method, path, body, kind)
            except Refused as refused:
                if refused.status != 429:
                    raise
            time.sleep(rest)
        return self._once(method, path, body, kind)

    def _once(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        self._connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise Refused(f"{method} {path}", answer.status, content)
        return content

    def ask(self, method: str, path: str, body: object = None) -> dict:
        """The same for JSON."""
        return json.loads(self.raw(method, path, None if body is None else json.dumps(body).encode()))

    def bulk(self, index: str, lines: list[bytes]) -> list[dict]:
        """What became of each action; one that failed is an exception."""
        answer = json.loads(self.raw("POST", f"/{index}/_bulk", b"\n".join(lines) + b"\n", "application/x-ndjson"))
        items = [next(iter(item.values())) for item in answer["items"]]
        for item in items:
            if item["status"] >= 300:
                raise Refused(f"an action on {item['_id'][:80]}", item["status"], json.dumps(item).encode())
        return items

    def put(self, index: str, identifier: str, source: bytes, routing: str | None = None, create: bool = False) -> int:
        """Writes one document, and returns its version. With `create` it must be new."""
        return json.loads(self.raw("PUT", _path(index, identifier, routing, "op_type=create" if create else ""), source))["_version"]

    def delete(self, index: str, identifier: str, routing: str | None = None) -> None:
        self.raw("DELETE", _path(index, identifier, routing, ""))

    def documents(self, index: str) -> Iterator[Document]:
        """All of an index, in no order."""
        self.ask("POST", f"/{index}/_refresh")
        page = self.raw("POST", f"/{index}/_search?scroll=2m", json.dumps({"size": _PAGE, "sort": ["_doc"], "version": True}).encode())
        while True:
            around, found = hits(page.decode())
            if around["_shards"]["failed"] or around["timed_out"]:
                raise RuntimeError(f"{index} was not read in full: {around['_shards']}")
            if not found:
                break
            yield from found
            page = self.raw("POST", "/_search/scroll", json.dumps({"scroll": "2m", "scroll_id": around["_scroll_id"]}).encode())
        self.raw("DELETE", "/_search/scroll", json.dumps({"scroll_id": [around["_scroll_id"]]}).encode())

    def close(self) -> None:
        self._connection.close()


def _path(index: str, identifier: str, routing: str | None, more: str) -> str:
    asked = "&".join(filter(None, [more, f"routing={quote(routing, safe='')}" if routing is not None else ""]))
    return f"/{index}/_doc/{quote(identifier, safe='')}?{asked}"


def hits(page: str) -> tuple[dict, list[Document]]:
    """A page of results: what is around the hits, and each hit with the bytes of its source."""
    begin = page.index('"hits":[') + len('"hits":[')
    found, at = [], begin
    while page[at] != "]":
        at += page[at] == ","
        document, at = _hit(page, at)
        found.append(document)
    return json.loads(page[:begin] + page[at:]), found


def _hit(page: str, at: int) -> tuple[Document, int]:
    # A quote inside of a text is escaped, so this is the first key of that name; and a hit without it is read as it is.
    whole, source = _member_at(page, at), None
    if whole is None:
        head, end = _DECODER.raw_decode(page, at)
    else:
        _, after = _DECODER.raw_decode(page, whole)
        source = page[whole:after].encode()
        rest, end = _after(page, after)
        head = json.loads(page[at:whole] + "0" + rest)
    return Document(head["_id"], head["_version"], head.get("_routing"), source), end


def _member_at(page: str, at: int) -> int | None:
    """Where the source of the hit that begins at `at` begins."""
    key = '"_source":'
    place, following = page.find(key, at), page.find('{"_index":', at + 1)
    return place + len(key) if place >= 0 and (following < 0 or place < following) else None


def _after(page: str, after: int) -> tuple[str, int]:
    """What follows a source in its hit, and where the hit ends."""
    if page[after] == "}":
        return "}", after + 1
    _, end = _DECODER.raw_decode('{"_":0' + (rest := page[after:after + 2000]))
    return rest[:end - len('{"_":0')], after + end - len('{"_":0')
