"""What is asked, of whom, what it costs, and how it fails."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Literal
from urllib.parse import urlsplit

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.records import Json, Message

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
    """

    def __init__(self, reason: Reason, detail: str, *, again: bool = True, wait: float | None = None) -> None:
        self.reason, self.detail, self.again, self.wait = reason, detail, again, wait
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
    """

    address: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    prices: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
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

    def clean(self, text: str) -> str:
        """This server's words as one short line without the key, for reasons that are written into rows."""
        text = " ".join(text.split())
        text = text.replace(self.key, "[key]") if self.key else text
        return text if len(text) <= 160 else text[:157] + "..."


@dataclasses.dataclass(frozen=True)
class Request:
    """A question to a model, always at temperature 0.

    Attributes:
        messages: chat messages.
        version: of the prompt, part of the cache key.
        max_tokens: how long the reply may be.
        schema: the JSON schema of the reply.
        nonce: a random text inside the messages that the answer cannot depend on; the cache key leaves it out.
    """

    messages: tuple[Message, ...]
    version: str
    max_tokens: int
    schema: Json
    nonce: str = ""

    @property
    def _bytes(self) -> int:
        # Templates put a few tokens around each message, and servers may show the schema to the model.
        texts = [text for one in self.messages for text in one.values()]
        return sum(len(text.encode()) + 16 for text in [*texts, json.dumps(self.schema)])

    def most(self, server: Server) -> Usage:
        """What one attempt can cost at most: no tokenizer makes more tokens than there are bytes."""
        return server.cost(self._bytes, self.max_tokens)

    def about(self, server: Server) -> Usage:
        """What one attempt will cost, roughly: four bytes a token read, half of the longest reply written."""
        return server.cost(self._bytes // 4, self.max_tokens // 2)
