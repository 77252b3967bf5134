"""The fields of a request's body that some servers refuse: tried once, and left out from then on.

Reasoning models behind OpenAI's address take `max_completion_tokens` in place of `max_tokens` and no temperature; older
servers know no `response_format`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from rlhalt.llm.calls import Request, Server
from rlhalt.records import Json

# What a refusal says about the format of the reply.
_FORMAT = ("response_format", "json_schema", "schema", "structured", "guided", "grammar")
# Keywords of a JSON schema that some servers do not take in a strict one.
_SIZES = ("minItems", "maxItems")
_OPTIONAL = ("temperature", "top_p", "seed")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Which fields a request's body has.

    Attributes:
        limit: the name of the field that says how long the reply may be.
        left_out: fields that the server does not take.
        sizes: whether the schema of a reply says how long its lists are.
    """

    limit: str = "max_tokens"
    left_out: frozenset[str] = frozenset()
    sizes: bool = True

    def body(self, server: Server, request: Request) -> Json:
        """The body of a request."""
        body: Json = {
            "model": server.model,
            "messages": request.messages,
            self.limit: request.longest(server),
            "temperature": request.temperature,
            "seed": request.seed,
        }
        if request.temperature > 0:
            # Servers take what a model's generation_config.json says if nothing is said.
            body["top_p"] = 1
        if request.schema is not None:
            of_reply = request.schema if self.sizes else _without_sizes(request.schema)
            schema = {"name": "reply", "strict": True, "schema": of_reply}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        ours = {name: value for name, value in body.items() if name not in self.left_out}
        return {name: value for name, value in {**ours, **server.body}.items() if value is not None}

    def greedy(self, server: Server, request: Request) -> bool:
        """Whether the same request has the same reply."""
        return self.body(server, request).get("temperature") == 0

    def without(self, refusal: str, server: Server, request: Request) -> Shape | None:
        """The shape to try after a refusal: without what it names, else without the format of the reply.

        None where there is nothing left to leave out. What the user's settings say is never left out.
        """
        said = refusal.casefold()
        left = self.body(server, request).keys() - server.body.keys()
        named = [name for name in _OPTIONAL if re.search(rf"\b{name}\b", said)]
        for name in named:
            if name in left:
                return self._less(name)
        if "response_format" in left and self.sizes and any(one.casefold() in said for one in _SIZES):
            return dataclasses.replace(self, sizes=False)
        if self.limit == "max_tokens" and "max_completion_tokens" in said:
            return dataclasses.replace(self, limit="max_completion_tokens")
        of_format = any(one in said for one in _FORMAT)
        if "response_format" in left and (of_format or not (named or "max_tokens" in said)):
            return self._less("response_format")
        return None

    def _less(self, name: str) -> Shape:
        return dataclasses.replace(self, left_out=self.left_out | {name})


def _without_sizes(schema: Any) -> Any:
    """A JSON schema whose lists may have any length."""
    if isinstance(schema, dict):
        # A property of that name is a schema, and stays.
        kept = {name: one for name, one in schema.items() if name not in _SIZES or isinstance(one, dict)}
        return {name: _without_sizes(one) for name, one in kept.items()}
    return [_without_sizes(one) for one in schema] if isinstance(schema, list) else schema
