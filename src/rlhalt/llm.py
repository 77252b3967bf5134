"""The one client for language models behind an OpenAI-compatible address: hosted, or a local vLLM.

    request ─ cache ─► slot ─ budget ─ rate limit ─► attempt ─ read ─► value
                         ▲                              │
                         └──── wait, with jitter ◄── CallFailure

A call gives a value or raises `CallFailure` with its reason: what a server does wrong never looks like an answer. Each
attempt is counted against the budget *before* it is sent, at the most it can cost. Only replies that could be read
whole are kept in the cache. The API key comes from the environment and is never written anywhere.

The `openai` package sends; retries are ours, because budget and rate limit must see every attempt. All work runs on one
event loop in a thread of the client's own, so that it can be used from plain code, from several threads and from any
other loop alike (see `Client.submit`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import email.utils
import functools
import json
import math
import os
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from rlhalt.errors import BudgetExceeded, InputError, VerifierFailure
from rlhalt.records import Json, Message, content_key

if TYPE_CHECKING:
    import httpx2
    import openai

T = TypeVar("T")

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


@dataclasses.dataclass(frozen=True)
class Limits:
    """How a server is treated.

    Attributes:
        concurrency: attempts under way at once, at most.
        timeout: seconds an attempt may take, from its start to the last byte.
        attempts: how often a call is tried.
        requests_per_minute: attempts begun in any 60 s, at most, evenly spaced.
        backoff: seconds before the second attempt, doubled for each further one; a random part of up to a half is
            taken off, so that calls that failed together do not come back together.
        longest_wait: seconds; a server that asks for a longer wait has refused.
        max_bytes: size of a reply above which it is not read on.
    """

    concurrency: int = 16
    timeout: float = 60.0
    attempts: int = 4
    requests_per_minute: float | None = None
    backoff: float = 0.5
    longest_wait: float = 60.0
    max_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None and not value > 0:
                raise InputError(f"expected a number above 0, found {value}", field=name)


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

    def __add__(self, other: Usage) -> Usage:
        return self._with(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._with(other, -1)

    def _with(self, other: Usage, sign: int) -> Usage:
        names = [field.name for field in dataclasses.fields(self)]
        return Usage(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})

    def __str__(self) -> str:
        tokens = f"{self.tokens_in:,} + {self.tokens_out:,} tokens"
        return f"{self.calls:,} calls, {self.cached:,} cached, {tokens}, cost {self.money:.4f}"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a client may spend in its life; None is no limit. Tokens are those read and those written."""

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None


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
        return _usage(server, self._bytes, self.max_tokens)

    def about(self, server: Server) -> Usage:
        """What one attempt will cost, roughly: four bytes a token read, half of the longest reply written."""
        return _usage(server, self._bytes // 4, self.max_tokens // 2)


def _usage(server: Server, tokens_in: int, tokens_out: int) -> Usage:
    per_in, per_out = server.prices or (0.0, 0.0)
    money = (tokens_in * per_in + tokens_out * per_out) / 1e6
    return Usage(calls=1, tokens_in=tokens_in, tokens_out=tokens_out, money=money)


def cache_parts(server: Server, request: Request) -> Json:
    """The named parts a cache key is made of; two calls share a reply only where all are equal."""
    messages = [dict(one) for one in request.messages]
    if request.nonce:
        messages = [{name: text.replace(request.nonce, "NONCE") for name, text in one.items()} for one in messages]
    return {
        "address": server.address.rstrip("/"),
        "model": server.model,
        "parameters": {"temperature": 0, "max_tokens": request.max_tokens, "schema": request.schema},
        "messages": messages,
        "version": request.version,
    }


class Cache:
    """Good replies on disk, in SQLite: several processes may share a file, and a kill loses no more than a reply."""

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made in one thread and used in the client's; never in two at once.
        self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, parts TEXT, reply TEXT)")
        except sqlite3.DatabaseError as error:
            raise InputError(f"expected a cache that rlhalt has made, found {error}", path=path) from None

    def get(self, parts: Json) -> str | None:
        """The reply kept for these parts."""
        row = self._base.execute("SELECT parts, reply FROM replies WHERE key = ?", [content_key(parts)]).fetchone()
        return row[1] if row and json.loads(row[0]) == parts else None

    def put(self, parts: Json, reply: str) -> None:
        """Keep a reply; it survives a kill from here on."""
        values = [content_key(parts), json.dumps(parts, ensure_ascii=False), reply]
        self._base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", values)

    def close(self) -> None:
        """Close the file."""
        self._base.close()


class _Ledger:
    """What is spent, and what attempts under way may yet spend."""

    def __init__(self, budget: Budget) -> None:
        self.spent = Usage()
        self._budget = budget
        self._reserved = Usage()
        self._settled = asyncio.Event()

    def _over(self, usage: Usage) -> str | None:
        limits = {"calls": self._budget.calls, "tokens": self._budget.tokens, "money": self._budget.money}
        found = {"calls": usage.calls, "tokens": usage.tokens_in + usage.tokens_out, "money": usage.money}
        for name, limit in limits.items():
            if limit is not None and found[name] > limit:
                return f"{found[name]:,.10g} of {limit:,.10g} {name}"
        return None

    async def reserve(self, most: Usage) -> None:
        """Put aside what an attempt can cost; waits for others under way where the rest may suffice after them."""
        while over := self._over(self.spent + self._reserved + most):
            if not self._reserved.calls:
                raise BudgetExceeded(f"the next call could take the budget to {over}; spent so far: {self.spent}")
            self._settled.clear()
            await self._settled.wait()
        self._reserved += most

    def settle(self, reserved: Usage, spent: Usage) -> None:
        self._reserved -= reserved
        self.spent += spent
        self._settled.set()


class _Pacer:
    """Spaces the starts of attempts, and keeps quiet while the server wants it."""

    def __init__(self, per_minute: float | None) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._next = self._quiet = 0.0
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        async with self._line:
            while (wait := max(self._next, self._quiet) - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._next = time.monotonic() + self._interval

    def pause(self, seconds: float) -> None:
        self._quiet = max(self._quiet, time.monotonic() + seconds)


class Client:
    """Asks one server, within limits and a budget. A context: leaving it ends what is under way.

    Args:
        server: where to ask.
        limits: how it is treated.
        budget: what may be spent.
        cache: the file that keeps good replies.

    Raises:
        InputError: a budget in money for a server without prices.
    """

    def __init__(
        self,
        server: Server,
        limits: Limits | None = None,
        budget: Budget | None = None,
        cache: str | Path | None = None,
    ) -> None:
        self.server = server
        self.limits = limits or Limits()
        if budget and budget.money is not None and server.prices is None:
            raise InputError("expected the server's prices with a budget in money, found none", field="prices")
        self._cache = Cache(cache) if cache is not None else None
        self._ledger = _Ledger(budget or Budget())
        self._pacer = _Pacer(self.limits.requests_per_minute)
        self._slots = asyncio.Semaphore(self.limits.concurrency)
        self._takes_schema = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rlhalt.llm", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def usage(self) -> Usage:
        """What has been spent so far."""
        return self._ledger.spent

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start work on the client's own loop; `.result()` waits for it, on another loop `asyncio.wrap_future` does."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End what is under way and close connections and cache."""
        if self._loop.is_closed():
            return
        self.submit(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._cache:
            self._cache.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if "_openai" in self.__dict__:
            await self._openai.close()

    def estimate(self, requests: Iterable[Request]) -> Usage:
        """What these requests would cost, without sending any: equal ones once, those in the cache not at all."""

        async def look() -> Usage:
            total, seen = Usage(), set()
            for request in requests:
                parts = cache_parts(self.server, request)
                if (key := content_key(parts)) in seen or (self._cache and self._cache.get(parts) is not None):
                    total += Usage(cached=1)
                else:
                    total += request.about(self.server)
                seen.add(key)
            return total

        return self.submit(look()).result()

    async def ask(self, request: Request, read: Callable[[str], tuple[T, bool]]) -> T:
        """The value of the model's reply. Runs on the client's loop: start it through `submit`.

        Args:
            request: the question.
            read: the reply's text to its value and whether it is whole; only whole replies are kept. It raises
                `CallFailure` for a reply that is no answer, which is then asked for again.

        Raises:
            CallFailure: no answer after all attempts.
            BudgetExceeded: before the attempt that could pass the budget.
            InputError: the server does not take the key, or does not know the address or the model.
        """
        parts = cache_parts(self.server, request)
        kept = self._cache.get(parts) if self._cache else None
        if kept is not None:
            self._ledger.spent += Usage(cached=1)
            return read(kept)[0]
        for attempt in range(1, self.limits.attempts + 1):
            try:
                async with self._slots:
                    reply = await self._attempt(request)
                value, whole = read(reply)
            except CallFailure as failure:
                if not failure.again or attempt == self.limits.attempts:
                    detail = f"{failure.detail} ({attempt} attempt{'s' * (attempt > 1)})"
                    raise CallFailure(failure.reason, detail, again=False) from None
                longest = min(self.limits.backoff * 2 ** (attempt - 1), self.limits.longest_wait)
                await asyncio.sleep(random.uniform(longest / 2, longest) + (failure.wait or 0))
            else:
                if whole and self._cache:
                    self._cache.put(parts, reply)
                return value
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, request: Request) -> str:
        takes_schema = self._takes_schema
        try:
            return await self._send(request, takes_schema)
        except _FormatRefused:
            reply = await self._send(request, False)
            # Only now it is known that the format was what the server minded.
            self._takes_schema = False
            return reply

    async def _send(self, request: Request, with_schema: bool) -> str:
        most = request.most(self.server)
        await self._ledger.reserve(most)
        # An attempt that breaks off may have been billed in full.
        spent = most
        try:
            await self._pacer.turn()
            status, headers, body = await self._exchange(request, with_schema)
            if status != 200:
                spent = Usage(calls=1)
                raise self._refusal(status, headers, body, with_schema)
            reply, used = read_completion(body)
            if used:
                spent = _usage(self.server, *used)
            if isinstance(reply, CallFailure):
                raise reply
            return reply
        finally:
            self._ledger.settle(most, spent)

    async def _exchange(self, request: Request, with_schema: bool) -> tuple[int, Mapping[str, str], bytes]:
        """One request over the wire: status, headers, body. The only place that catches broadly."""
        import httpx2
        import openai

        asked: dict[str, Any] = {
            "model": self.server.model,
            "messages": request.messages,
            "temperature": 0,
            "max_tokens": request.max_tokens,
        }
        if with_schema:
            schema = {"name": "reply", "strict": True, "schema": request.schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            async with asyncio.timeout(self.limits.timeout):
                # The raw response: `chat.completions.create` takes a third longer and reads replies less strictly.
                raw = await self._openai.post("/chat/completions", cast_to=httpx2.Response, body=asked)
            return raw.status_code, raw.headers, raw.content
        except openai.APIStatusError as error:
            return error.status_code, error.response.headers, error.response.content
        except TimeoutError:
            raise CallFailure("time-out", f"expected a reply within {self.limits.timeout:g} s, found none") from None
        except Exception as error:  # noqa: BLE001 - the client boundary: whatever breaks here is a failed call
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, _Oversized):
                    raise CallFailure("oversized", str(cause)) from None
                cause = cause.__cause__ or cause.__context__
            told = error.__cause__ or error
            raise CallFailure("connection", self._clean(f"{type(told).__name__} {told}")) from None

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes, with_schema: bool) -> Exception:
        """What a status other than 200 means."""
        said = self._clean(body.decode(errors="replace"))
        if status == 401:
            return InputError(f"expected an API key that the server takes in {self.server.key_variable}, found 401")
        if status == 404:
            return InputError(f"expected the model {self.server.model!r} at {self.server.address}, found 404: {said}")
        if status in (400, 422) and with_schema:
            return _FormatRefused()
        wait = retry_after(headers)
        if wait is not None and wait > self.limits.longest_wait:
            return CallFailure("rate limit", f"{status}, the server asks to wait {wait:.0f} s", again=False)
        if status == 429:
            self._pacer.pause(wait or 0)
            return CallFailure("rate limit", f"429 {said}", wait=wait)
        if status in (408, 409) or status >= 500:
            return CallFailure("server error", f"{status} {said}", wait=wait)
        return CallFailure("refused", f"{status} {said}", again=False)

    @property
    def _key(self) -> str:
        return os.environ.get(self.server.key_variable, "")

    def _clean(self, text: str) -> str:
        """A server's words as one short line without the key, for reasons that are written into rows."""
        text = " ".join(text.split())
        text = text.replace(self._key, "[key]") if self._key else text
        return text if len(text) <= 160 else text[:157] + "..."

    @functools.cached_property
    def _openai(self) -> openai.AsyncOpenAI:
        import openai

        return openai.AsyncOpenAI(
            base_url=self.server.address,
            api_key=self._key or "none",
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=self.limits.timeout,
                # A small compressed body may be a huge one.
                headers={"Accept-Encoding": "identity"},
                event_hooks={"response": [functools.partial(_limit_body, self.limits.max_bytes)]},
            ),
        )


class _FormatRefused(Exception):
    """A 400 to a request with a schema: the server may not know `response_format`."""


class _Oversized(Exception):
    """A reply was longer than allowed."""


def _limited(stream: httpx2.AsyncByteStream, limit: int) -> httpx2.AsyncByteStream:
    from httpx2 import AsyncByteStream

    class Limited(AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    raise _Oversized(f"expected at most {limit:,} bytes, found more")
                yield chunk

        async def aclose(self) -> None:
            await stream.aclose()

    return Limited()


async def _limit_body(limit: int, response: httpx2.Response) -> None:
    """Make a response stop being read above `limit` bytes, whatever its status."""
    from httpx2 import AsyncByteStream

    if response.headers.get("content-encoding", "identity") != "identity":
        raise _Oversized("expected a plain body, found a compressed one that may unpack to any size")
    stream = response.stream
    assert isinstance(stream, AsyncByteStream)
    response.stream = _limited(stream, limit)


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
