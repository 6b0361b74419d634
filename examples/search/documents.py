"""What an audit index holds, made up: entries as Nuxeo writes them, and all that makes one hard to copy. The same for each number, each time."""

import json
import random

INDEX, SEQUENCES = "nuxeo-audit", "nuxeo-uidgen"
# The entries of a sequencer are nothing but a version: the last number that it gave.
SEQUENCE = "audit"
BIG_BYTES = 5 << 20

AUDIT = {
    "settings": {"index": {
        "number_of_shards": "2", "number_of_replicas": "1", "refresh_interval": "30s", "max_result_window": "20000",
        "analysis": {"analyzer": {"words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "short"]}},
                     "filter": {"short": {"type": "stop", "stopwords": ["der", "die", "das"]}}}}},
    "mappings": {
        "dynamic_templates": [{"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1000}}}],
        "properties": {
            "id": {"type": "long"}, "category": {"type": "keyword"}, "comment": {"type": "text", "analyzer": "words"},
            "docPath": {"type": "keyword", "fields": {"words": {"type": "text"}}}, "docUUID": {"type": "keyword"},
            "eventDate": {"type": "date"}, "logDate": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
            "changes": {"type": "nested", "properties": {"field": {"type": "keyword"}, "old": {"type": "keyword"}, "new": {"type": "keyword"}}},
            "extended": {"type": "object", "enabled": False}}},
    "aliases": {
        "audit-log": {},
        "audit-errors": {"filter": {"term": {"category": "error"}}, "index_routing": "errors", "search_routing": "errors,other"}},
}
UIDGEN = {
    "settings": {"index": {"number_of_shards": "1", "number_of_replicas": "0"}},
    "mappings": {"_source": {"enabled": False}, "enabled": False},
    "aliases": {},
}

_EVENTS = ("documentCreated", "documentModified", "documentRemoved", "download", "loginSuccess", "lifecycle_transition_event")
_WORDS = ("prüfung", "Ελλάδα", "документ", "監査", "🗄️", "e\u0301te\u0301", "\u202eright to left", "tab\there", 'a "quote"', "back\\slash", "zero\u0000byte",
          "line\nbreak", "\u2028", "plain", "audit")
# Texts of numbers that a reader which computes with them would change.
_NUMBERS = ("1.0", "1.10", "1e3", "12345678901234567890", "0.1000000000000000055511151231257827", "-0.0", "9007199254740993")


def identifier(number: int) -> str:
    """Entries are numbered; some have ids of other makes."""
    match number % 1000:
        case 17:
            return f"{number}/päth with blanks?&=#%25+"
        case 217:
            return f'{number} "quoted" \\ \u2028 🗄️'
        case 417:
            return f"{number}-" + "x" * (512 - len(str(number)) - 1)
        case 617:
            return f"_{number}"
    return str(number)


def routing(number: int) -> str | None:
    """One entry in ten lies where its document's do."""
    return f"döc {number % 97}" if number % 10 == 3 else None


def source(number: int, turn: int = 0) -> bytes:
    """The entry with that number, as it is written for the so-manieth time."""
    dice = random.Random(number << 8 | turn)
    event = dice.choice(_EVENTS)
    entry = {
        "entity-type": "logEntry", "id": number, "category": "error" if number % 50 == 0 else "eventDocumentCategory",
        "comment": " ".join(dice.choices(_WORDS, k=5)), "docLifeCycle": "project", "docPath": f"/default-domain/workspaces/ws-{number % 300}/doc-{number}",
        "docType": "File", "docUUID": f"{dice.getrandbits(128):032x}", "eventDate": f"2026-01-{1 + number % 28:02}T{number % 24:02}:30:00.{number % 1000:03}Z",
        "eventId": event, "principalName": f"user-{number % 41}", "repositoryId": "default", "logDate": 1_767_000_000_000 + number,
        "changes": [{"field": f"dc:{place}", "old": None, "new": dice.choice(_WORDS)} for place in range(number % 3)],
        "extended": {"turn": turn, "reason": dice.choice(_WORDS), "empty": {}, "list": [[], [1, [None, True]]]},
    }
    # Written by hand, in an order and with blanks of its own.
    return json.dumps(entry, ensure_ascii=number % 2 == 0)[:-1].encode() + b', "exact" : {"extended.n":%s}, "extra":""}' % dice.choice(_NUMBERS).encode()


def big_source(number: int) -> bytes:
    """An entry of 5 MB."""
    dice, entry = random.Random(number), json.loads(source(number))
    entry["extended"]["stack"] = dice.randbytes(BIG_BYTES // 2).hex()
    return json.dumps(entry).encode()
