"""What a request asks for: its τ, whether its response can be scored, and what the upstream is asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from rlhalt.records import Json, Message
from rlhalt.serve import wire
from rlhalt.serve.json_edit import replaced, without
from rlhalt.serve.settings import Defaults, EndpointName

FIELD = "rlhalt"
_KEYS = ("threshold", "fragments")
# Decoding that does not follow the model's own probabilities.
_GUIDED = ("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar",
           "json_schema")  # fmt: skip


class BadRequest(Exception):
    """A request that the client can correct.

    Attributes:
        message: what was expected and found.
        field: the field of the body.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        self.message, self.field = message, field
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        endpoint: where it was sent.
        sent: the body that the upstream is sent.
        prompt: the messages of the client, without examples, each with its text; empty for completions.
        passes: why the response passes through untouched; empty where it is scored.
        threshold: τ.
        temperature: at which the response is sampled.
        fragments: whether the body of the response lists the fragments.
        stream: whether the response comes as events.
        log_probabilities: whether the client asked for them itself.
        usage: whether a stream ends with the tokens it took.
        unasked: see `rlhalt.serve.settings.Defaults`.
    """

    endpoint: EndpointName
    sent: bytes
    prompt: Sequence[Message]
    passes: str
    threshold: float
    temperature: float
    fragments: bool
    stream: bool
    log_probabilities: bool
    usage: bool
    unasked: str


def read(raw: bytes, endpoint: EndpointName, defaults: Defaults) -> Asked:
    """Read a request.

    Raises:
        BadRequest: no JSON object, or a field `rlhalt` that is not what it must be.
    """
    try:
        text = raw.decode()
        body = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"expected a body of JSON, found {error}") from None
    if not isinstance(body, dict):
        raise BadRequest(f"expected a JSON object, found {type(body).__name__}")
    ours = _ours(body.get(FIELD, {}))
    if FIELD in body:
        text = without(text, (FIELD,))
        del body[FIELD]
    reason = next(_reasons(body, endpoint, defaults), "")
    if not reason:
        text = _as_calibrated(text, body, endpoint, defaults)
    log_probabilities = wire.asks(body, endpoint)
    if not reason and defaults.log_probabilities and not log_probabilities:
        text = wire.asking(text, endpoint)
    return Asked(
        endpoint,
        text.encode(),
        [] if reason or endpoint != "chat" else [_message(one) for one in body["messages"]],
        reason,
        ours.get("threshold", defaults.threshold),
        _given(body, "temperature", defaults.temperature),
        ours.get("fragments", False),
        body.get("stream") is True,
        log_probabilities,
        wire.at(body, ("stream_options", "include_usage")) is True,
        defaults.unasked.get(endpoint, ""),
    )


def _each_once(pairs: list[tuple[str, Any]]) -> Json:
    """An object; which of two fields of one name counts is read differently by different servers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field that is there twice")
    return found


def _ours(given: Any) -> Json:
    if not isinstance(given, dict):
        raise BadRequest(f"expected an object, as {{'threshold': 0.8}}, found {_short(given)}", FIELD)
    for name in given:
        if name not in _KEYS:
            raise BadRequest(f"expected {' or '.join(_KEYS)}, found {_short(name)}", f"{FIELD}.{name}"[:80])
    found = dict(given)
    threshold = found.get("threshold", 0.5)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < 1:
        raise BadRequest(f"expected a threshold above 0 and below 1, found {_short(threshold)}", f"{FIELD}.threshold")
    if not isinstance(found.get("fragments", False), bool):
        raise BadRequest(f"expected true or false, found {_short(found['fragments'])}", f"{FIELD}.fragments")
    return found


def _given(body: Json, name: str, default: Any) -> Any:
    value = body.get(name)
    return default if value is None else value


def _short(value: Any) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _reasons(body: Json, endpoint: EndpointName, defaults: Defaults) -> Iterator[str]:
    """Why a response cannot be scored, or is no text to be cut."""
    if _given(body, "model", defaults.model) != defaults.model:
        yield "another model"
    if defaults.log_probabilities and endpoint not in defaults.unasked:
        yield "the upstream gives no log-probabilities here"
    if not defaults.log_probabilities and endpoint != "chat":
        # It was trained and calibrated on chats; here the client has rendered one in a way that cannot be known.
        yield "the reward model reads messages, not a prompt"
    if body.get("tools") or body.get("functions"):
        yield "tools"
    if body.get("n") not in (None, 1) or body.get("best_of") not in (None, 1):
        yield "several choices"
    if wire.at(body, ("response_format", "type")) not in (None, "text"):
        yield "JSON mode"
    if any(body.get(one) is not None for one in _GUIDED):
        yield "guided decoding"
    if endpoint == "chat":
        yield from _of_messages(body)
    elif not _is_one_prompt(body.get("prompt")):
        yield "several prompts"
    if body.get("echo") or body.get("suffix"):
        yield "text of the client in the response"
    temperature = _given(body, "temperature", defaults.temperature)
    if temperature not in defaults.temperatures or isinstance(temperature, bool):
        known = ", ".join(f"{one:g}" for one in defaults.temperatures)
        yield f"temperature {_short(temperature)} is not calibrated ({known})"
    if _given(body, "chat_template_kwargs", defaults.template_args) != defaults.template_args:
        yield "another chat template"


def _of_messages(body: Json) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        yield "no messages"
        return
    parts = [part for one in messages if isinstance(one.get("content"), list) for part in one["content"]]
    if any(wire.at(part, ("type",)) != "text" for part in parts) or body.get("modalities", ["text"]) != ["text"]:
        yield "images or sound"
    if body.get("continue_final_message"):
        yield "a response that the client began"


def _message(one: Json) -> Message:
    """A message as a chat template takes it, with its text in one piece."""
    content = one.get("content")
    parts = [part.get("text") for part in content] if isinstance(content, list) else [content]
    # vLLM joins parts in this way too.
    return {"role": str(one.get("role")), "content": "\n".join(part for part in parts if isinstance(part, str))}


def _is_one_prompt(prompt: Any) -> bool:
    return isinstance(prompt, str) or (isinstance(prompt, list) and all(isinstance(one, int) for one in prompt))


def _as_calibrated(text: str, body: Json, endpoint: EndpointName, defaults: Defaults) -> str:
    """The request, asked as the prompts of the calibration were where it says nothing else."""
    if body.get("temperature") is None:
        text = replaced(text, ("temperature",), json.dumps(defaults.temperature))
    if endpoint != "chat":
        return text
    if defaults.template_args and body.get("chat_template_kwargs") is None:
        text = replaced(text, ("chat_template_kwargs",), json.dumps(defaults.template_args))
    if defaults.few_shot:
        messages = body["messages"]
        first = next((n for n, one in enumerate(messages) if one.get("role") not in ("system", "developer")), 0)
        shown = [*messages[:first], *defaults.few_shot, *messages[first:]]
        text = replaced(text, ("messages",), json.dumps(shown, ensure_ascii=False))
    return text
