"""The routes of the server.

/v1/chat/completions, /v1/completions    cut at τ, or passed through
/v1/models                               the upstream's
/health, /metrics                        for those who run it
/                                        a page to try it
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rlhalt.serve import page
from rlhalt.serve.metrics import Metrics
from rlhalt.serve.proxy import Proxy
from rlhalt.serve.replies import refusal
from rlhalt.serve.scoring import Judge
from rlhalt.serve.settings import Defaults, EndpointName, Settings
from rlhalt.serve.upstream import Upstream

Handler = Callable[[Request], Awaitable[Response]]


def make_app(settings: Settings, defaults: Defaults, judge: Judge, log: Path | None = None) -> Starlette:
    """The application, for any ASGI server.

    Args:
        log: a file that the bodies of requests and responses are added to; none is kept where None.
    """
    metrics = Metrics()
    proxy = Proxy(settings, defaults, judge, metrics, log)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        proxy.upstream = Upstream(settings)
        try:
            yield
        finally:
            await proxy.upstream.close()

    def completions(endpoint: EndpointName) -> Handler:
        async def answer(request: Request) -> Response:
            return await proxy.completion(request, endpoint)

        return answer

    async def health(request: Request) -> Response:
        well = await proxy.upstream.answers()
        said = {"status": "ok" if well else "the upstream does not answer", "under_way": proxy.under_way}
        return Response(json.dumps(said), 200 if well else 503, media_type="application/json")

    async def counters(request: Request) -> Response:
        return Response(metrics.text(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    html, headers = page.html(defaults, judge.splitter)

    async def trial(request: Request) -> Response:
        return Response(html, media_type="text/html", headers=headers)

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions("chat"), methods=["POST"]),
            Route("/v1/completions", completions("completions"), methods=["POST"]),
            Route("/v1/models", proxy.models),
            Route("/health", health),
            Route("/metrics", counters),
            Route("/", trial),
        ],
        exception_handlers={HTTPException: _no_such_route},
        lifespan=lifespan,
    )


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = "POST /v1/chat/completions, POST /v1/completions, GET /v1/models, /health, /metrics"
    return refusal(error.status_code, f"expected one of {known}; found {request.method} {request.url.path}")
