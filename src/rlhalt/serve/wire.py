"""Where the bodies of the API hold text and log-probabilities, for chat completions and for completions."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rlhalt.records import Json
from rlhalt.serve.alignment import Token
from rlhalt.serve.json_edit import Path, replaced, without
from rlhalt.serve.settings import EndpointName

CHOICE: Path = ("choices", 0)
LOG_PROBABILITIES: Path = (*CHOICE, "logprobs")
FINISH: Path = (*CHOICE, "finish_reason")
PATHS: dict[EndpointName, str] = {"chat": "/chat/completions", "completions": "/completions"}
# How OpenAI writes a token that is no text, in completions.
_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")


class Unreadable(Exception):
    """A body has another form than the API's; what it says cannot be scored."""


def text_path(endpoint: EndpointName, *, stream: bool) -> Path:
    """Where a body has its text."""
    if endpoint == "completions":
        return (*CHOICE, "text")
    return (*CHOICE, "delta" if stream else "message", "content")


def at(body: Any, path: Path) -> Any:
    """What a body has at a path; None where it has nothing there."""
    for name in path:
        if isinstance(name, int):
            body = body[name] if isinstance(body, list) and len(body) > name else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body


def text(body: Any, endpoint: EndpointName, *, stream: bool) -> str:
    """The text of a body; empty where it has none."""
    found = at(body, text_path(endpoint, stream=stream))
    return found if isinstance(found, str) else ""


def reasoning(body: Any, *, stream: bool) -> str:
    """The reasoning that the upstream keeps apart from the text."""
    message = at(body, (*CHOICE, "delta" if stream else "message"))
    found = at(message, ("reasoning_content",)) or at(message, ("reasoning",))
    return found if isinstance(found, str) else ""


def asks(body: Json, endpoint: EndpointName) -> bool:
    """Whether a request asks for log-probabilities itself."""
    asked = body.get("logprobs")
    return asked is True if endpoint == "chat" else isinstance(asked, int) and not isinstance(asked, bool)


def asking(request: str, endpoint: EndpointName) -> str:
    """A request that asks for the log-probabilities of its tokens."""
    # 1 and not 0: some servers take 0 for none.
    return replaced(request, ("logprobs",), "true" if endpoint == "chat" else "1")


def tokens(body: Any, endpoint: EndpointName) -> list[Token] | None:
    """The tokens of a body with their log-probabilities; None where it has none.

    Raises:
        Unreadable: log-probabilities of another form.
    """
    found = at(body, LOG_PROBABILITIES)
    if endpoint == "chat":
        rows = at(found, ("content",))
        if rows is None:
            return None
        if not isinstance(rows, list):
            raise Unreadable("expected a list in choices[0].logprobs.content")
        return [_token(at(one, ("bytes",)), at(one, ("token",)), at(one, ("logprob",))) for one in rows]
    if found is None:
        return None
    texts, likely = at(found, ("tokens",)), at(found, ("token_logprobs",))
    if not isinstance(texts, list) or not isinstance(likely, list) or len(texts) != len(likely):
        raise Unreadable("expected tokens and token_logprobs of one length in choices[0].logprobs")
    return [_token(None, one, value) for one, value in zip(texts, likely, strict=True)]


def _token(raw: Any, piece: Any, log_probability: Any) -> Token:
    if not isinstance(log_probability, int | float) or isinstance(log_probability, bool):
        raise Unreadable(f"expected a number as the log-probability of a token, found {log_probability!r}")
    if not (-math.inf < log_probability <= 1e-3):
        raise Unreadable(f"expected a finite log-probability of at most 0, found {log_probability!r}")
    if isinstance(raw, list) and all(isinstance(one, int) and 0 <= one < 256 for one in raw):
        return Token(bytes(raw), float(log_probability))
    if not isinstance(piece, str):
        raise Unreadable(f"expected the text of a token, found {piece!r}")
    if escaped := _BYTES.fullmatch(piece):
        return Token(bytes.fromhex(escaped[1].replace("\\x", "")), float(log_probability))
    return Token(piece.encode("utf-8", "surrogatepass"), float(log_probability))


def behind_reasoning(found: Sequence[Token], answer: str) -> list[Token]:
    """The tokens of an answer, among those of the reasoning before it and of the answer's end.

    Where the answer does not begin with a token, all of them: they will not fit, and that is seen.
    """
    whole = b"".join(one.piece for one in found)
    begin, place = whole.rfind(answer.encode("utf-8", "surrogatepass")), 0
    for number, one in enumerate(found):
        if place == begin:
            return list(found[number:])
        place += len(one.piece)
    return list(found)


def stripped(payload: str, body: Any, unasked: str) -> str:
    """A body without the log-probabilities that its client did not ask for, as if nobody had.

    Args:
        unasked: see `rlhalt.serve.settings.Defaults`.
    """
    if at(body, LOG_PROBABILITIES) is None:
        return payload
    return replaced(payload, LOG_PROBABILITIES, unasked) if unasked else without(payload, LOG_PROBABILITIES)


def selected(found: Mapping[str, Any], numbers: Collection[int]) -> Json:
    """The log-probabilities of some tokens, in the form that they have; lists that are one item a token are cut."""
    length = max((len(one) for one in found.values() if isinstance(one, list)), default=0)
    return {
        name: [one for number, one in enumerate(value) if number in numbers]
        if isinstance(value, list) and len(value) == length
        else value
        for name, value in found.items()
    }
