"""The connection to the upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from rlhalt.serve.settings import Settings

# Headers of one connection, and those that are made again for the next one.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "expect")
)  # fmt: skip
_CONNECT_S = 10.0
_HEALTH_S = 5.0


class UpstreamFailure(Exception):
    """The upstream gave no response, or broke off.

    Attributes:
        status: what the client is answered where nothing was sent yet: 502 or 504.
        message: what happened.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Upstream:
    """An OpenAI-compatible server behind an address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=settings.timeout),
            # What cannot be read as text passes as it is.
            auto_decompress=False,
            trust_env=False,
        )

    @asynccontextmanager
    async def send(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        query: str = "",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; leaving the context ends it, whatever the upstream is at.

        Args:
            path: behind the base of the API.
            headers: of the client; those of its connection are left out, and its key where the server holds one.

        Raises:
            UpstreamFailure: no response came.
        """
        url = self._settings.upstream.rstrip("/") + path + (f"?{query}" if query else "")
        try:
            response = await self._session.request(
                method, url, headers=self._sent(headers), data=body, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise failure(error, self._settings) from None
        try:
            yield response
        finally:
            # Not `release`, which would keep a connection that is still sending.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def answers(self) -> bool:
        """Whether it answers at all within a few seconds."""
        try:
            async with asyncio.timeout(_HEALTH_S), self.send("GET", "/models") as response:
                return response.status < 500
        except (UpstreamFailure, TimeoutError):
            return False

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _sent(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        key = self._settings.key
        left_out = {*_HOP, "authorization"} if key else _HOP
        found = [(name, value) for name, value in headers if name.lower() not in left_out]
        return [*found, ("accept-encoding", "identity"), *([("authorization", f"Bearer {key}")] if key else [])]


def returned(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of a response, as the client gets them."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
        if name.lower() not in _HOP
    ]


async def chunks(response: aiohttp.ClientResponse, settings: Settings) -> AsyncIterator[bytes]:
    """The bytes of a response as they come.

    Raises:
        UpstreamFailure: the upstream broke off.
    """
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise failure(error, settings) from None


async def whole(response: aiohttp.ClientResponse, settings: Settings) -> bytes:
    """All bytes of a response.

    Raises:
        UpstreamFailure: the upstream broke off, or sent more than the server reads.
    """
    found = bytearray()
    async for chunk in chunks(response, settings):
        found += chunk
        if len(found) > settings.max_body:
            raise UpstreamFailure(502, f"expected a response of at most {settings.max_body} bytes, found more")
    return bytes(found)


def failure(error: BaseException, settings: Settings) -> UpstreamFailure:
    """What went wrong between here and the upstream, without its address: that is the operator's alone."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return UpstreamFailure(
            504, f"the upstream was silent for {settings.timeout:g} s, or could not be reached in time"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamFailure(502, "the upstream cannot be reached")
    return UpstreamFailure(502, f"the upstream broke off ({type(error).__name__})")
