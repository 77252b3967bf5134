"""One request over HTTP: a status, headers and a bounded body, or a `CallFailure`.

The only module that imports `openai`, and the only one that catches broadly: whatever breaks between here and the
server is a failed call. Imported when the first request is sent.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple

import aiohttp
import httpx2
import openai

from rlhalt.llm.calls import CallFailure, Server
from rlhalt.llm.limits import Limits
from rlhalt.records import Json


class Reply(NamedTuple):
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The connections to one server."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self._server, self._limits = server, limits
        self._openai = openai.AsyncOpenAI(
            base_url=server.address,
            api_key=server.key or "none",
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(
                timeout=limits.timeout,
                # As many as can be under way: the default keeps no more than 100 open and would make others anew.
                limits=httpx2.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
                # A small compressed body may be a huge one.
                headers={"Accept-Encoding": "identity"},
                # Another address is the user's to name: a redirected question is asked twice, or elsewhere.
                follow_redirects=False,
                event_hooks={"response": [functools.partial(_limit_body, limits.max_bytes)]},
            ),
        )

    async def exchange(self, body: Json) -> Reply:
        """Ask for a chat completion.

        Raises:
            CallFailure: no whole reply within the limits.
        """
        try:
            async with asyncio.timeout(self._limits.timeout):
                # The raw response: `chat.completions.create` takes a third longer and reads replies less strictly.
                raw = await self._openai.post("/chat/completions", cast_to=httpx2.Response, body=body)
            return Reply(raw.status_code, raw.headers, raw.content)
        except openai.APIStatusError as error:
            return Reply(error.status_code, error.response.headers, error.response.content)
        except TimeoutError:
            raise CallFailure("time-out", f"expected a reply within {self._limits.timeout:g} s, found none") from None
        except Exception as error:  # noqa: BLE001 - the client boundary
            causes = list(_causes(error))
            for cause in causes:
                if isinstance(cause, _Oversized):
                    raise CallFailure("oversized", str(cause)) from None
            # httpx2's ConnectTimeout says a reset connection too, which may have been billed.
            refused = any(isinstance(one, aiohttp.ClientConnectorError) for one in causes)
            told = error.__cause__ or error
            raise CallFailure(
                "connection", self._server.clean(f"{type(told).__name__} {told}"), sent=not refused, dead=refused
            ) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._openai.close()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Oversized(Exception):
    """A reply was longer than allowed."""


async def _limit_body(limit: int, response: httpx2.Response) -> None:
    """Make a response stop being read above `limit` bytes, whatever its status."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _Oversized("expected a plain body, found a compressed one that may unpack to any size")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Limited(response.stream, limit)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream, self._limit = stream, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._limit:
                raise _Oversized(f"expected at most {self._limit:,} bytes, found more")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
