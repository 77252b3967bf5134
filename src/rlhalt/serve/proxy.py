"""A request on its way to the upstream, and its response on the way back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp
from starlette.requests import Request
from starlette.responses import Response

from rlhalt.serve import replies, report, wire
from rlhalt.serve.asked import Asked, BadRequest, read
from rlhalt.serve.metrics import Metrics
from rlhalt.serve.progress import Progress
from rlhalt.serve.replies import ClientGone, Headers, Streamed, refusal, unless_gone
from rlhalt.serve.scoring import Judge
from rlhalt.serve.settings import Defaults, EndpointName, Settings
from rlhalt.serve.stream import StreamCut
from rlhalt.serve.upstream import Upstream, UpstreamFailure, chunks, returned, whole
from rlhalt.serve.whole import cut

P = ParamSpec("P")
T = TypeVar("T")
_GONE = 499


class Proxy:
    """What requests share.

    Attributes:
        upstream: set when the server starts.
        under_way: requests for completions that are not answered to their end.
    """

    upstream: Upstream

    def __init__(
        self, settings: Settings, defaults: Defaults, judge: Judge, metrics: Metrics, log: Path | None
    ) -> None:
        self._settings, self._defaults, self._judge = settings, defaults, judge
        self._metrics, self._log = metrics, log
        # One thread and not several: a pass takes all cores or the accelerator, and a tokenizer serves one at a time.
        self._reading = ThreadPoolExecutor(1, "reward-model") if judge.reads_text else None
        self.under_way = 0

    async def models(self, request: Request) -> Response:
        """The upstream's list of models, as it is."""
        sending = self.upstream.send("GET", "/models", request.headers.items(), None, request.url.query)
        try:
            async with sending as response:
                body = await whole(response, self._settings)
                return replies.whole(response.status, returned(response.headers), body)
        except UpstreamFailure as failure:
            return refusal(failure.status, failure.message)

    async def completion(self, request: Request, endpoint: EndpointName) -> Response:
        """Answer a request for a completion, where there is room for it."""
        if self.under_way >= self._settings.concurrency:
            self._count("refused")
            message = (
                f"expected at most {self._settings.concurrency} requests under way, found as many; ask again later"
            )
            return refusal(429, message, headers={"retry-after": "1"})
        # What has to be undone when the response is sent, or when there will be none.
        ends = contextlib.AsyncExitStack()
        self.under_way += 1
        self._metrics.under_way.inc()
        ends.callback(self._leave)
        try:
            reply = await self._completion(request, endpoint, ends)
        except BadRequest as error:
            self._count("refused")
            where = f"field '{error.field}': " if error.field else ""
            reply = refusal(400, where + error.message, error.field)
        except UpstreamFailure as failure:
            self._count("upstream-error")
            reply = refusal(failure.status, failure.message)
        except ClientGone:
            self._count("gone")
            reply = Response(status_code=_GONE)
        except BaseException:
            await ends.aclose()
            raise
        if not isinstance(reply, Streamed):
            await ends.aclose()
        return reply

    def _leave(self) -> None:
        self.under_way -= 1
        self._metrics.under_way.dec()

    def _count(self, outcome: str) -> None:
        self._metrics.requests.labels(outcome).inc()

    async def _completion(self, request: Request, endpoint: EndpointName, ends: contextlib.AsyncExitStack) -> Response:
        begun = time.monotonic()
        raw = await self._body(request)
        asked = read(raw, endpoint, self._defaults)
        sending = self.upstream.send(
            "POST", wire.PATHS[endpoint], request.headers.items(), asked.sent, request.url.query
        )
        response = await unless_gone(request.receive, ends.enter_async_context(sending))
        kind = response.headers.get("content-type", "")
        if response.status != 200 or asked.passes or response.headers.get("content-encoding"):
            reply: Response = self._untouched(response, asked, ends)
        elif kind.startswith("text/event-stream"):
            reply = await self._streamed(request, response, asked, raw, ends)
        else:
            body = await unless_gone(request.receive, whole(response, self._settings))
            said, progress = await unless_gone(request.receive, self._judged(cut, body, asked, self._judge))
            reply = self._whole(response, said, progress, asked, raw)
        self._metrics.first.observe(time.monotonic() - begun)
        return reply

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # This also keeps pages of other hosts from sending requests by a person's browser.
            raise BadRequest(f"expected application/json, found {kind[:80] or 'nothing'}", "content-type")
        found, most = bytearray(), self._settings.max_body
        async for chunk in request.stream():
            found += chunk
            if len(found) > most:
                raise BadRequest(f"expected a body of at most {most} bytes, found more")
        return bytes(found)

    def _untouched(self, response: aiohttp.ClientResponse, asked: Asked, ends: contextlib.AsyncExitStack) -> Response:
        """The upstream's response as it is: an error, or what is not to be scored."""
        if response.status != 200:
            self._count("upstream-error")
            about = report.passed("an error of the upstream")
        elif asked.passes:
            self._count("passed")
            about = report.passed(asked.passes)
        else:
            self._count("unscored")
            about = report.unscored("the upstream compressed its response")
        headers = [*returned(response.headers), *_encoded(about)]

        async def end(gone: bool) -> None:
            await ends.aclose()

        return Streamed(response.status, headers, chunks(response, self._settings), end)

    async def _judged(self, work: Callable[P, T], *args: P.args, **keys: P.kwargs) -> T:
        """What some work on a response returns: at once, or in the thread of the reward model, which takes long.

        Parts of one response come one after the other. Work of a client that has gone is left out if it waits.
        """
        if self._reading is None:
            return work(*args, **keys)
        return await asyncio.get_running_loop().run_in_executor(self._reading, functools.partial(work, *args, **keys))

    def _whole(
        self, response: aiohttp.ClientResponse, said: bytes, progress: Progress, asked: Asked, raw: bytes
    ) -> Response:
        self._metrics.count(progress)
        self._write(raw, said)
        headers = [*returned(response.headers), *_encoded(report.ended(progress, asked))]
        return replies.whole(200, headers, said)

    async def _streamed(
        self,
        request: Request,
        response: aiohttp.ClientResponse,
        asked: Asked,
        raw: bytes,
        ends: contextlib.AsyncExitStack,
    ) -> Response:
        stream = StreamCut(asked, self._judge)
        parts = self._parts(response, stream)

        async def beginning() -> bytes:
            # Headers say whether the text can be scored, so they wait for the first of it.
            found = b""
            while not stream.begun and (part := await anext(parts, None)) is not None:
                found += part
            return found

        first = await unless_gone(request.receive, beginning())
        written: list[bytes] = []

        async def rest() -> AsyncIterator[bytes]:
            yield first
            async for one in parts:
                yield one

        async def logged() -> AsyncIterator[bytes]:
            async for one in rest():
                written.append(one)
                yield one

        async def end(gone: bool) -> None:
            await parts.aclose()
            await ends.aclose()
            if gone:
                self._count("gone")
            else:
                self._metrics.count(stream.progress)
            if self._log:
                self._write(raw, b"".join(written))

        headers = [*returned(response.headers), *_encoded(report.begun(stream.progress, asked))]
        return Streamed(200, headers, logged() if self._log else rest(), end)

    async def _parts(self, response: aiohttp.ClientResponse, stream: StreamCut) -> AsyncGenerator[bytes, None]:
        """What is said, as soon as it is decided."""
        try:
            async for chunk in chunks(response, self._settings):
                yield await self._judged(stream.feed, chunk)
                if stream.done:
                    return
        except UpstreamFailure:
            if stream.begun:
                yield await self._judged(stream.break_off)
            raise
        yield await self._judged(stream.end)

    def _write(self, request: bytes, response: bytes) -> None:
        """Add a request and its response to the log, where one was asked for."""
        if self._log:
            bodies = {"request": request, "response": response}
            row = {"time": time.time(), **{name: one.decode(errors="replace") for name, one in bodies.items()}}
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _encoded(headers: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
