"""What a server says, read strictly: whatever is not exactly a reply is a `CallFailure` with its reason."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from rlhalt.fragments import thinking
from rlhalt.llm.calls import CallFailure
from rlhalt.records import Json

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE)
# A comma that ends a list or object; strings, and commas with nothing before them, stay as they are.
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*"|[\[{,]\s*,)|,(?=\s*[\]}])')
# JSON for half of a character, a lone one perhaps.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class Said(NamedTuple):
    """What a model said.

    Attributes:
        text: without its reasoning where the server keeps the two apart; may be empty.
        reasoning: what the server keeps apart; else empty.
        finish: why it ended, in the server's word: `stop`, `length` at the token limit; empty where it says nothing.
        model: the name that the server gives it; empty where it gives none.
    """

    text: str
    reasoning: str
    finish: str
    model: str

    def answer(self) -> str:
        """The text, where it is a whole one.

        Raises:
            CallFailure: it is cut off or empty.
        """
        if self.finish == "length":
            raise CallFailure("cut off", "the reply reached its token limit", again=False)
        if not self.text.strip():
            raise CallFailure("empty reply", "expected text, found none", worded=True)
        return self.text


def read_answer(text: str) -> Any:
    """The JSON value that a model answers with, read strictly but for three habits of models.

    Reasoning may stand before it (see `rlhalt.fragments.thinking`), a code fence around it, and a list or an object
    may end in one comma.

    >>> read_answer("<think>Easy.</think>\\n```json\\n[1, 2,]\\n```")
    [1, 2]

    Raises:
        CallFailure: broken JSON.
    """
    try:
        return read_json(text)
    except CallFailure:
        answer = thinking.answer(text)
        fenced = _FENCED.fullmatch(answer)
        return read_json(_LAST_COMMA.sub(lambda one: one[1] or "", fenced[1] if fenced else answer))


def read_json(text: str) -> Any:
    """A text that is one JSON value and nothing else, read strictly: no repeated keys, no NaN, no half characters.

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
        value = json.loads(text, object_pairs_hook=once, parse_constant=never)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        # Not the server's fault: the model would say it again.
        raise CallFailure("broken JSON", f"half of a character, {error.object[error.start]!a}", worded=True) from None
    except (ValueError, RecursionError) as error:
        raise CallFailure("broken JSON", f"{type(error).__name__} {error}") from None


def read_completion(body: bytes) -> tuple[Said | CallFailure, tuple[int, int] | None]:
    """What a chat completion says, or why it is none, and the tokens read and written where the server says so."""
    try:
        data = read_json(body.decode())
    except UnicodeDecodeError as error:
        return CallFailure("broken JSON", f"no UTF-8 at byte {error.start}"), None
    except CallFailure as failure:
        return failure, None
    tokens = _tokens(data)
    try:
        choice = data["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text = message["content"]
        reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    except (TypeError, KeyError, IndexError, AttributeError):
        return CallFailure("wrong schema", "expected a chat completion with choices[0].message.content"), tokens
    if finish == "content_filter":
        return CallFailure("refused", "the server's content filter", again=False), tokens
    for part in (text, reasoning):
        if part is not None and not isinstance(part, str):
            return CallFailure("wrong schema", f"expected text as content, found {type(part).__name__}"), tokens
    model = data.get("model")
    finish, model = (one if isinstance(one, str) else "" for one in (finish, data.get("model")))
    return Said(text or "", reasoning, finish, model), tokens


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
