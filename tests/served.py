"""A server of rlhalt on 127.0.0.1 in a thread, before an upstream of the tests."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from rlhalt.cut.calibration import Calibration, Fit
from rlhalt.cut.probability import Probability
from rlhalt.domains import load_domain
from rlhalt.serve.app import make_app
from rlhalt.serve.scoring import Judge, judge
from rlhalt.serve.settings import Defaults, Settings
from upstream_server import UpstreamServer

NOTHING: dict[str, float | None] = {"value": None, "low": None, "high": None}


def calibration(domain: str = "countries", **changes: Any) -> Calibration:
    """One of the model m whose probabilities are its confidences."""
    fit = Fit(0.0, Probability("platt", 1.0, 0.0), 30, 15, {}, NOTHING, NOTHING, NOTHING)
    fragmenter = load_domain(domain).splitter().fragmenter
    plain = Calibration("m", domain, fragmenter, "knowledge/3", "token_probability", [], "", {}, 64, [fit])
    return dataclasses.replace(plain, **changes)


@contextmanager
def serving(
    upstream: UpstreamServer,
    domain: str = "countries",
    threshold: float = 0.5,
    log: Path | None = None,
    judging: Judge | None = None,
    **keys: Any,
) -> Iterator[str]:
    """The server's address, to its end in /v1. It judges by log-probabilities where no other judge is given."""
    judging = judging or judge(load_domain(domain).splitter(), calibration(domain))
    unasked = {} if judging.reads_text else {"chat": upstream.unasked, "completions": upstream.unasked}
    defaults = Defaults("m", threshold, 0.0, (0.0,), unasked=unasked, log_probabilities=not judging.reads_text)
    settings = Settings(upstream.address, "m", **{"timeout": 30.0, **keys})
    app = make_app(settings, defaults, judging, log)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", server_header=False, date_header=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
