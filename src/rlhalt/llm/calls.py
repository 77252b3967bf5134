"""What is asked, of whom, what it costs, and how it fails."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Literal
from urllib.parse import urlsplit

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.key_variable import check_variable
from rlhalt.records import Json, Message

# Fields of a request's body that settings do not change.
_OURS = frozenset({"model", "messages", "max_tokens", "max_completion_tokens", "seed", "n", "stream"})
# Characters that a key has at least, where it is one.
_SECRET = 8

Reason = Literal[
    "time-out",
    "rate limit",
    "server error",
    "refused",
    "connection",
    "oversized",
    "empty reply",
    "cut off",
    "broken JSON",
    "wrong schema",
]


class CallFailure(VerifierFailure):
    """A call that gave no answer.

    Attributes:
        reason: of what kind the failure is.
        detail: what was expected and found.
        again: whether another attempt may end better.
        wait: seconds that the server asks to wait before it, where it says so.
        sent: whether the request has reached the server.
        dead: whether a server that answers every request like this will not recover by itself.
        worded: whether the server did its part and the words of the model are no answer.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        again: bool = True,
        wait: float | None = None,
        sent: bool = True,
        dead: bool = False,
        worded: bool = False,
    ) -> None:
        self.reason, self.detail, self.again, self.wait = reason, detail, again, wait
        self.sent, self.dead, self.worded = sent, dead, worded
        super().__init__(f"{reason}: {detail}")


@dataclasses.dataclass(frozen=True)
class Usage:
    """What calls have cost, or may cost.

    Attributes:
        calls: attempts sent.
        cached: calls answered from the cache.
        tokens_in, tokens_out: read and written by the model.
        money: in the unit of the server's prices; 0 where it has none.
    """

    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Those read and those written."""
        return self.tokens_in + self.tokens_out

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.cached + other.cached,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.money + other.money,
        )

    def __neg__(self) -> Usage:
        return Usage(-self.calls, -self.cached, -self.tokens_in, -self.tokens_out, -self.money)

    def __sub__(self, other: Usage) -> Usage:
        return self + -other

    def __str__(self) -> str:
        tokens = f"{self.tokens_in:,} + {self.tokens_out:,} tokens"
        return f"{self.calls:,} calls, {self.cached:,} cached, {tokens}, cost {self.money:.4f}"


@dataclasses.dataclass(frozen=True)
class Server:
    """A model at an address.

    Attributes:
        address: the base of the API, `http://127.0.0.1:8000/v1`.
        model: the name the server knows it by.
        key_variable: the environment variable that holds the API key; local servers need none.
        prices: money per million tokens read and per million tokens written, where it costs any.
        max_tokens: the longest reply in tokens, reasoning included; what each request asks for where None.
        body: more fields of the request's body, `{"reasoning_effort": "low"}` say; None leaves a field out.
    """

    address: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    prices: tuple[float, float] | None = None
    max_tokens: int | None = None
    body: Json = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_variable(self.key_variable, "key_variable")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(f"expected at least 1, found {self.max_tokens}", field="max_tokens")
        if ours := sorted(_OURS & self.body.keys()):
            raise InputError(f"expected other fields than {', '.join(ours)}, which rlhalt sets itself", field="body")
        try:
            parts = urlsplit(self.address)
            _ = parts.port
        except ValueError as error:
            raise InputError(
                f"expected http://… or https://…, found {self.address!r}: {error}", field="address"
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"expected http://… or https://…, found {self.address!r}", field="address")
        if parts.username or parts.query:
            # The address is part of every cache key, where no secret may stand.
            raise InputError("expected an address without a user or a query; keys come from the environment")

    @property
    def key(self) -> str:
        """The API key, empty where there is none."""
        return os.environ.get(self.key_variable, "")

    def cost(self, tokens_in: int, tokens_out: int) -> Usage:
        """One attempt that reads and writes so many tokens."""
        per_in, per_out = self.prices or (0.0, 0.0)
        money = (tokens_in * per_in + tokens_out * per_out) / 1e6
        return Usage(calls=1, tokens_in=tokens_in, tokens_out=tokens_out, money=money)

    def without_key(self, text: str) -> str:
        """A text with `[key]` where the key stands in it.

        Local servers are given words as keys, `none` or `EMPTY`, which are no secrets and may well stand in a reply.
        """
        return text.replace(self.key, "[key]") if len(self.key) >= _SECRET else text

    def clean(self, text: str) -> str:
        """This server's words as one short line without the key, for reasons that are written into rows."""
        text = self.without_key(" ".join(text.split()))
        return text if len(text) <= 160 else text[:157] + "..."


@dataclasses.dataclass(frozen=True)
class Request:
    """A question to a model.

    Attributes:
        messages: chat messages.
        version: of the prompt, part of the cache key.
        max_tokens: how long the reply may be, where the server's settings do not say so.
        schema: the JSON schema of the reply; None for free text.
        nonce: a random text inside the messages that the answer cannot depend on; the cache key leaves it out.
        temperature: 0 for the most likely reply.
        seed: of the random numbers, where the server draws any.
    """

    messages: tuple[Message, ...]
    version: str
    max_tokens: int
    schema: Json | None = None
    nonce: str = ""
    temperature: float = 0
    seed: int | None = None

    def explained(self, failure: CallFailure) -> Request:
        """The question again, with a line that says why the last reply could not be read."""
        last = self.messages[-1]
        # The reason is one of ours: nothing that a model wrote becomes an instruction.
        line = f"{last['content']}\nThe last reply could not be read ({failure.reason}). Reply in the form asked for."
        return dataclasses.replace(self, messages=(*self.messages[:-1], {**last, "content": line}))

    def longest(self, server: Server) -> int:
        """The longest reply that this server may write, in tokens."""
        return server.max_tokens or self.max_tokens

    @property
    def _bytes(self) -> int:
        # Templates put a few tokens around each message, and servers may show the schema to the model.
        texts = [text for one in self.messages for text in one.values()]
        return sum(len(text.encode()) + 16 for text in [*texts, json.dumps(self.schema)])

    def most(self, server: Server) -> Usage:
        """What one attempt can cost at most: no tokenizer makes more tokens than there are bytes."""
        return server.cost(self._bytes, self.longest(server))

    def about(self, server: Server) -> Usage:
        """What one attempt will cost, roughly: four bytes a token read, half of the longest reply written."""
        return server.cost(self._bytes // 4, min(self.max_tokens, self.longest(server)) // 2)
