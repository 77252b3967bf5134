"""Nothing is silent for long: where a command writes nothing for 10 s, standard error says that it is still at work.

[4/9] SFT seed 0 …
[4/9] SFT seed 0: still at work, after 12 s
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

QUIET_S = 10.0
_doing: list[tuple[str, float]] = []


class _Noted:
    """A stream that notes when it was last written to."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.last = stream, time.monotonic()

    def write(self, text: str) -> int:
        """Write a text, as the stream does."""
        self.last = time.monotonic()
        return int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Name what is at work, for the lines of `alive`."""
    _doing.append((what, time.monotonic()))
    try:
        yield
    finally:
        _doing.pop()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """No lines of `alive`: a server says nothing while nobody asks it."""
    kept = _doing[:]
    _doing.clear()
    try:
        yield
    finally:
        _doing[:] = kept


@contextlib.contextmanager
def alive(what: str) -> Iterator[None]:
    """Say what is at work whenever nothing has been written for `QUIET_S` seconds.

    Of several processes of one training the first alone says it.
    """
    if os.environ.get("RANK", "0") != "0" or _doing:
        yield
        return
    out, err = _Noted(sys.stdout), _Noted(sys.stderr)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(min(1.0, QUIET_S / 4)):
            now = time.monotonic()
            if now - max(out.last, err.last) >= QUIET_S and _doing:
                name, since = _doing[-1]
                with contextlib.suppress(OSError, ValueError):
                    err.write(f"{name}: still at work, after {now - since:.0f} s\n")
                    err.stream.flush()

    thread = threading.Thread(target=watch, daemon=True, name="heartbeat")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), doing(what):
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
