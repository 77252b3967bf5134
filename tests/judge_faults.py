"""What a server between us and a model does wrong: 58 kinds, by where they happen.

Every kind can be told from an answer: what it gives is a failure, or the verdicts that the model meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Entries = list[dict[str, Any]]

# Of the connection, see `judge_server`.
CONNECTION = (
    "time-out",
    "reset",
    "closed",
    "half a body",
    "no HTTP",
    "wrong length",
    "endless",
    "drip",
    "endless 500",
    "gzip",
)

# Statuses other than 200: the status, more headers, the body.
STATUSES: dict[str, tuple[int, str, bytes]] = {
    "302": (302, "Location: /elsewhere\r\n", b""),
    "400": (400, "", b'{"error": {"message": "bad request"}}'),
    "401": (401, "", b'{"error": {"message": "no such key"}}'),
    "403": (403, "", b"<html>forbidden</html>"),
    "404": (404, "", b'{"error": {"message": "no such model"}}'),
    "408": (408, "", b""),
    "409": (409, "", b""),
    "413": (413, "", b"too large"),
    "422": (422, "", b'{"detail": "unprocessable"}'),
    "429": (429, "Retry-After: 0.05\r\n", b'{"error": {"message": "slow down"}}'),
    "429 soon": (429, "Retry-After: soon\r\n", b""),
    "429 in an hour": (429, "Retry-After: 3600\r\n", b""),
    "500": (500, "", b"internal error"),
    "500 not UTF-8": (500, "", b"\xff\xfe"),
    "502": (502, "", b"<html>bad gateway</html>"),
    "503": (503, "Retry-After: 0.01\r\n", b"overloaded"),
    "504": (504, "", b""),
    "529": (529, "", b'{"error": {"type": "overloaded_error"}}'),
}


def _choice(message: object, finish: str | None = "stop") -> bytes:
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]}).encode()


# Bodies with status 200 that are no completion.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a page": b"<html>log in</html>",
    "not UTF-8": b'{"choices": "\xff"}',
    "an empty object": b"{}",
    "a list": b"[]",
    "an error with 200": b'{"error": {"message": "overloaded", "code": 503}}',
    "no choices": b'{"choices": []}',
    "no message": b'{"choices": [{"text": "right"}]}',
    "content null": _choice({"content": None}),
    "content a list": _choice({"content": [{"type": "text", "text": "{}"}]}),
    "cut off": _choice({"content": '{"verdicts": [{"id": 1, "evid'}, "length"),
    "content filter": _choice({"content": '{"verdicts": []}'}, "content_filter"),
    "doubled keys": b'{"choices": [], "choices": [{"message": {"content": "{}"}}]}',
    "deep": b"[" * 9_000,
}

# What the model itself gets wrong, from the verdicts that it means.
SAID: dict[str, Callable[[Entries], str]] = {
    "empty reply": lambda found: "",
    "prose": lambda found: f"Here are the verdicts: {json.dumps({'verdicts': found})}",
    "broken JSON": lambda found: json.dumps({"verdicts": found})[:-4],
    "a map": lambda found: json.dumps({"verdicts": {str(one["id"]): one for one in found}}),
    "half a list": lambda found: json.dumps({"verdicts": found[: len(found) // 2]}),
    "another fragment": lambda found: json.dumps({"verdicts": [*found, {**found[0], "id": 999}]}),
    "twice": lambda found: json.dumps({"verdicts": [*found, found[0]]}),
    "ids as text": lambda found: json.dumps({"verdicts": [{**one, "id": str(one["id"])} for one in found]}),
    "an endless id": lambda found: '{"verdicts": [{"id": ' + "1" * 5000 + ', "evidence": "", "label": "correct"}]}',
    "another label": lambda found: json.dumps({"verdicts": [{**one, "label": one["label"].title()} for one in found]}),
    "another field": lambda found: json.dumps({"verdicts": [{**one, "sure": True} for one in found]}),
    "half a character": lambda found: json.dumps({"verdicts": [{**one, "evidence": "\ud83d"} for one in found]}),
    "two objects": lambda found: json.dumps({"verdicts": found}) * 2,
    # These are read.
    "reasoning": lambda found: "<think>\nIt says {}.\n</think>\n\n" + json.dumps({"verdicts": found}),
    "a fence": lambda found: f"```json\n{json.dumps({'verdicts': found}, indent=1)}\n```",
    "a last comma": lambda found: json.dumps({"verdicts": found})[:-2] + ",]}",
}

KINDS = (*CONNECTION, *STATUSES, *BODIES, *SAID)
