"""The client: cache, slots, budget, rate limit, attempts and waits around one request over the wire."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import weakref
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rlhalt.errors import InputError
from rlhalt.llm.budget import Budget, Ledger
from rlhalt.llm.cache import Cache, cache_parts
from rlhalt.llm.calls import CallFailure, Request, Server, Usage
from rlhalt.llm.health import Health
from rlhalt.llm.limits import Limits, Pacer
from rlhalt.llm.loop import BackgroundLoop
from rlhalt.llm.replies import Said, read_completion, retry_after
from rlhalt.llm.shapes import Shape
from rlhalt.records import content_key, user

if TYPE_CHECKING:
    from rlhalt.llm.wire import Reply, Wire

T = TypeVar("T")


class Client:
    """Asks one server, within limits and a budget. A context: leaving it ends what is under way.

    All work runs on one event loop in a thread of the client's own, so that it can be used from plain code, from
    several threads and from any other loop alike (see `submit`).

    Args:
        server: where to ask.
        limits: how it is treated.
        budget: what may be spent.
        cache: the file that keeps good replies.
        waits: whether a server that has not answered yet is waited for, see `rlhalt.llm.health`.

    Raises:
        InputError: a budget in money for a server without prices.
    """

    def __init__(
        self,
        server: Server,
        limits: Limits | None = None,
        budget: Budget | None = None,
        cache: str | Path | None = None,
        *,
        waits: bool = True,
    ) -> None:
        self.server = server
        self.limits = limits or Limits()
        self.budget = budget or Budget()
        if budget and budget.money is not None and server.prices is None:
            raise InputError("expected the server's prices with a budget in money, found none", field="prices")
        self._cache = Cache(cache) if cache is not None else None
        self._ledger = Ledger(self.budget)
        self._pacer = Pacer(self.limits.requests_per_minute)
        self._slots = asyncio.Semaphore(self.limits.concurrency)
        self._shape = Shape()
        self._health = Health(server, waits=waits)
        self._asked: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._loop = BackgroundLoop("rlhalt.llm")

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

    def add(self, usage: Usage) -> None:
        """Count what another process has spent for this one."""
        self._ledger.spent += usage

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start work on the client's own loop; `.result()` waits for it, on another loop `asyncio.wrap_future` does."""
        return self._loop.submit(work)

    def check(self) -> None:
        """See that the server is there and knows key and model, before long work whose result it is to judge.

        Asks a short question, unless the server has answered this client before. What may pass, a busy server say, is
        left to the calls that follow.

        Raises:
            InputError, BudgetExceeded: see `ask`.
        """
        if self._health.answered:
            return
        question = Request(tuple(user("Reply with the word yes.")), "check", 1)
        with contextlib.suppress(CallFailure):
            self.submit(self._attempt(question)).result()

    def close(self) -> None:
        """End what is under way and close connections and cache."""
        self._loop.close(last=self._end())

    async def _end(self) -> None:
        if "_wire" in self.__dict__:
            await self._wire.close()
        if self._cache:
            self._cache.close()

    def estimate(self, requests: Iterable[Request]) -> Usage:
        """What these requests would cost, without sending any: with a cache, equal ones once, kept ones not at all."""

        async def look() -> Usage:
            total, seen = Usage(), set()
            for request in requests:
                parts = cache_parts(self.server, request)
                key = content_key(parts)
                if self._cache and (key in seen or self._cache.get(key, parts) is not None):
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
                `CallFailure` for a reply that is no answer.

        Raises:
            CallFailure: no answer after all attempts.
            BudgetExceeded: before the attempt that could pass the budget.
            InputError: the server is dead, does not take the key, or does not know the address or the model (see
                `rlhalt.llm.health`); or `openai` is not installed.
        """
        if self._cache is None:
            return (await self._answer(request, read))[0]
        parts = cache_parts(self.server, request)
        key = content_key(parts)
        # Equal questions under way together wait for the first: it is paid for once.
        async with self._asked.setdefault(key, asyncio.Lock()):
            kept = self._cache.get(key, parts)
            # What an earlier version kept, or something else wrote, may not be readable: it is asked for again.
            with contextlib.suppress(CallFailure):
                if kept is not None:
                    value, whole = read(kept)
                    if whole:
                        self._ledger.spent += Usage(cached=1)
                        return value
            value, kept = await self._answer(request, read)
            if kept is not None:
                self._cache.put(key, parts, kept)
            return value

    async def complete(self, request: Request, read: Callable[[Said, int | None], T]) -> T:
        """The value of what the model says, which may be cut off or empty; nothing is kept. Runs as `ask` does.

        Args:
            request: the question.
            read: what the model says, and the tokens that it took where the server tells, to a value. It raises
                `CallFailure` for what is no answer.

        Raises:
            CallFailure, BudgetExceeded, InputError: see `ask`.
        """
        return await self._tried(request, read, explain=False)

    async def _answer(self, request: Request, read: Callable[[str], tuple[T, bool]]) -> tuple[T, str | None]:
        """The value of the reply, and the reply if it is whole."""
        (value, whole), reply = await self._tried(
            request, lambda said, _: (read(text := said.answer()), text), explain=True
        )
        return value, reply if whole else None

    async def _tried(self, request: Request, read: Callable[[Said, int | None], T], *, explain: bool) -> T:
        """What `read` makes of the first reply that it can read; with `explain` an unread one is told so."""
        explained = False
        for attempt in range(1, self.limits.attempts + 1):
            try:
                async with self._slots:
                    said, written = await self._attempt(request)
                return _read(read, said, written)
            except CallFailure as failure:
                # At temperature 0 the model would say the same again: one more question, which says what was wrong.
                same = explain and failure.worded and self._shape.greedy(self.server, request)
                if not failure.again or attempt == self.limits.attempts or (same and explained):
                    detail = f"{failure.detail} ({attempt} attempt{'s' * (attempt > 1)})"
                    raise CallFailure(failure.reason, detail, again=False) from None
                if same:
                    request, explained = request.explained(failure), True
                else:
                    await asyncio.sleep(self.limits.wait(attempt, failure.wait))
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, request: Request) -> tuple[Said, int | None]:
        shape = self._shape
        while True:
            try:
                said = await self._send(request, shape)
            except _FieldRefused as refused:
                smaller = shape.without(refused.said, self.server, request)
                if smaller is None:
                    raise CallFailure("refused", refused.said, again=False) from None
                shape = smaller
            else:
                # Only now it is known that the field was what the server minded.
                self._shape = shape
                return said

    async def _send(self, request: Request, shape: Shape) -> tuple[Said, int | None]:
        wire, most = self._wire, request.most(self.server)
        await self._ledger.reserve(most)
        spent = Usage()
        try:
            await self._pacer.turn()
            # An attempt that breaks off may have been billed in full.
            spent = most
            with self._health.attempt():
                reply = await wire.exchange(shape.body(self.server, request))
                if reply.status != 200:
                    spent = Usage(calls=1)
                    raise self._refusal(reply)
            said, used = read_completion(reply.body)
            if used:
                spent = self.server.cost(*used)
            if isinstance(said, CallFailure):
                raise said
            # A server may repeat the request's headers; what it says is kept in caches and rows.
            said = Said(*(self.server.without_key(part) for part in said))
            return said, used[1] if used else None
        except CallFailure as failure:
            if not failure.sent:
                spent = Usage()
            raise
        finally:
            self._ledger.settle(most, spent)

    def _refusal(self, reply: Reply) -> Exception:
        """What a status other than 200 means."""
        said = f"{reply.status} {self.server.clean(reply.body.decode(errors='replace'))}"
        if reply.status in (401, 404):
            return CallFailure("refused", said, dead=True)
        if reply.status in (400, 422):
            return _FieldRefused(said)
        wait = retry_after(reply.headers)
        if wait is not None and wait > self.limits.longest_wait:
            return CallFailure("rate limit", f"{reply.status}, the server asks to wait {wait:.0f} s", again=False)
        if reply.status == 429:
            self._pacer.pause(wait or 0)
            return CallFailure("rate limit", said, wait=wait)
        if reply.status in (408, 409) or reply.status >= 500:
            return CallFailure("server error", said, wait=wait)
        return CallFailure("refused", said, again=False)

    @functools.cached_property
    def _wire(self) -> Wire:
        try:
            from rlhalt.llm.wire import Wire
        except ModuleNotFoundError as error:
            raise InputError(f"{error.name} is not installed here: pip install 'rlhalt[judge]'") from None
        return Wire(self.server, self.limits)


class _FieldRefused(Exception):
    """A 400 or 422: the server may not take a field of the request."""

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__(said)


def _read(read: Callable[[Said, int | None], T], said: Said, written: int | None) -> T:
    """What `read` makes of a reply; the words of a model are not the server's fault."""
    try:
        return read(said, written)
    except CallFailure as failure:
        failure.worded = True
        raise
