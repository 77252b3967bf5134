"""What a server says, read strictly: whatever is not exactly a reply is a `CallFailure` with its reason."""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from rlhalt.llm.calls import CallFailure
from rlhalt.records import Json


def read_json(text: str) -> Any:
    """A text that is one JSON value and nothing else, read strictly: no repeated keys, no NaN.

    Raises:
        CallFailure: broken JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> Json:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return found

    def never(name: str) -> float:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError) as error:
        raise CallFailure("broken JSON", f"{type(error).__name__} {error}") from None


def read_completion(body: bytes) -> tuple[str | CallFailure, tuple[int, int] | None]:
    """The text of a chat completion, or why there is none, and the tokens read and written where the server says so."""
    try:
        data = read_json(body.decode())
    except UnicodeDecodeError as error:
        return CallFailure("broken JSON", f"no UTF-8 at byte {error.start}"), None
    except CallFailure as failure:
        return failure, None
    tokens = _tokens(data)
    try:
        choice = data["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (TypeError, KeyError, IndexError, AttributeError):
        return CallFailure("wrong schema", "expected a chat completion with choices[0].message.content"), tokens
    if finish == "length":
        return CallFailure("cut off", "the reply reached its token limit", again=False), tokens
    if finish == "content_filter":
        return CallFailure("refused", "the server's content filter", again=False), tokens
    if text is not None and not isinstance(text, str):
        return CallFailure("wrong schema", f"expected text as content, found {type(text).__name__}"), tokens
    if not text or not text.strip():
        return CallFailure("empty reply", "expected text, found none"), tokens
    return text, tokens


def _tokens(data: Any) -> tuple[int, int] | None:
    used = data.get("usage") if isinstance(data, dict) else None
    if not isinstance(used, dict):
        return None
    read, written = used.get("prompt_tokens"), used.get("completion_tokens")
    # A boolean is an int, and a negative count would give money back.
    return (read, written) if type(read) is int and type(written) is int and min(read, written) >= 0 else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110 section 10.2.3), else None."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
