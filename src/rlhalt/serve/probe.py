"""What the upstream can do, asked at start: a few requests of one token."""

from __future__ import annotations

import json
from typing import Any

from rlhalt.errors import InputError
from rlhalt.records import Json
from rlhalt.serve import wire
from rlhalt.serve.settings import EndpointName, Settings
from rlhalt.serve.upstream import Upstream, UpstreamFailure, whole

_ASKED: dict[EndpointName, Json] = {
    "chat": {"messages": [{"role": "user", "content": "Name a country."}]},
    "completions": {"prompt": "A country is"},
}


async def listed(upstream: Upstream, settings: Settings, key: str) -> Json:
    """The upstream's entry for the model.

    Args:
        key: what is sent with the request; empty for none.

    Raises:
        InputError: the upstream cannot be reached, takes no such key, or does not list the model.
    """
    status, body = await _exchange(upstream, settings, "GET", "/models", key)
    if status in (401, 403):
        raise InputError(
            f"expected an API key that the upstream takes, found status {status}; name the environment variable that "
            "holds it with --key, or set OPENAI_API_KEY to have clients send their own keys",
            field="--key",
        )
    rows = wire.at(body, ("data",))
    if status != 200 or not isinstance(rows, list):
        raise InputError(
            f"expected an OpenAI-compatible API there, found status {status} for {settings.upstream}/models; as a "
            "rule the address ends in /v1",
            field="--upstream",
        )
    found = next((one for one in rows if wire.at(one, ("id",)) == settings.model), None)
    if found is None:
        names = ", ".join(str(wire.at(one, ("id",))) for one in rows[:5])
        raise InputError(
            f"expected a model that the upstream serves ({names}), found {settings.model}", field="--model"
        )
    return dict(found)


async def log_probabilities(upstream: Upstream, settings: Settings, key: str) -> dict[EndpointName, str]:
    """How each endpoint says that no log-probabilities were asked for, see `Defaults`; those without any are left out.

    Raises:
        InputError: none gives log-probabilities.
    """
    found: dict[EndpointName, str] = {}
    said = []
    for endpoint, asked in _ASKED.items():
        body = json.dumps({"model": settings.model, **asked, "max_tokens": 1, "temperature": 0})
        status, reply = await _exchange(
            upstream, settings, "POST", wire.PATHS[endpoint], key, wire.asking(body, endpoint)
        )
        if status == 400 and "max_completion_tokens" in json.dumps(reply):
            body = body.replace('"max_tokens"', '"max_completion_tokens"')
            status, reply = await _exchange(
                upstream, settings, "POST", wire.PATHS[endpoint], key, wire.asking(body, endpoint)
            )
        try:
            tokens = wire.tokens(reply, endpoint)
        except wire.Unreadable as error:
            tokens, reply = None, str(error)
        if status == 200 and tokens is not None:
            _, plain = await _exchange(upstream, settings, "POST", wire.PATHS[endpoint], key, body)
            choice = wire.at(plain, wire.CHOICE)
            found[endpoint] = "null" if isinstance(choice, dict) and "logprobs" in choice else ""
        else:
            said.append(f"{wire.PATHS[endpoint]}: status {status}" + (f", {reply}" if isinstance(reply, str) else ""))
    if not found:
        raise InputError(
            f"expected an upstream that gives log-probabilities, which the calibration needs, found none "
            f"({'; '.join(said)}); start it with them, or choose another server",
            field="--upstream",
        )
    return found


async def _exchange(
    upstream: Upstream, settings: Settings, method: str, path: str, key: str, body: str | None = None
) -> tuple[int, Any]:
    headers = [("content-type", "application/json")] if body is not None else []
    if key:
        headers.append(("authorization", f"Bearer {key}"))
    try:
        async with upstream.send(method, path, headers, body.encode() if body is not None else None) as response:
            raw = await whole(response, settings)
            status = response.status
    except UpstreamFailure as failure:
        raise InputError(
            f"expected the upstream at {settings.upstream}, found: {failure.message}; start it first",
            field="--upstream",
        ) from None
    try:
        return status, json.loads(raw)
    except (ValueError, RecursionError):
        return status, None
