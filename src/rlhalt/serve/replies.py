"""What a client is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rlhalt.serve.report import STATE

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client has closed its connection."""


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What work returns, which is cancelled as soon as the client goes away. The request's body must have been read.

    Raises:
        ClientGone: it went away first.
    """

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        for one in (working, watching):
            one.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


def refusal(status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the form of the API."""
    kind = "invalid_request_error" if status < 500 else "upstream_error"
    body = {"error": {"message": message, "type": kind, "param": field, "code": None}}
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status, media_type="application/json", headers={**(headers or {}), STATE: "refused"})


def whole(status: int, headers: Headers, body: bytes) -> Response:
    """A response with these headers and no others."""
    response = Response(body, status)
    response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return response


class Streamed(Response):
    """A response that is sent as it comes.

    Args:
        parts: the bytes.
        end: called once, when all is sent or the client has gone, with whether it has.
    """

    def __init__(
        self, status: int, headers: Headers, parts: AsyncIterator[bytes], end: Callable[[bool], Awaitable[None]]
    ) -> None:
        super().__init__(None, status)
        self.raw_headers = headers
        self._parts, self._end = parts, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and stop where the client goes away."""
        gone = False
        try:
            await unless_gone(receive, self._all(send))
        except (ClientGone, ConnectionError):
            gone = True
        finally:
            await self._end(gone)

    async def _all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for one in self._parts:
            if one:
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
