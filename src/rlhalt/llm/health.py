"""Whether a server is dead: nothing but refusals for a few seconds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rlhalt.errors import InputError
from rlhalt.llm.calls import CallFailure, Server

SECONDS = 5.0  # of nothing but refusals, after which a server is dead
FAILURES = 8  # refusals that it takes at least
_GAP = 60.0  # seconds without any attempt, after which the count begins anew


class Health:
    """Counts refusals since the last answer.

    Refusals are refused connections, 401 and 404, see `CallFailure.dead`. A server that is working on a request is not
    dead, nor is one that is overloaded (429, 5xx, time-outs): calls are tried again and then fail, one by one.

    Args:
        waits: whether a server that has not answered yet may still be starting. Where not, the first connection that
            it refuses ends the run.

    Attributes:
        answered: whether the server has answered at all.
    """

    def __init__(self, server: Server, *, waits: bool = True) -> None:
        self._server, self._waits = server, waits
        self.answered = False
        self._since = self._last = 0.0
        self._failures = 0
        self._numbers = itertools.count()
        self._under_way: dict[int, float] = {}

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One exchange with the server, which fails by `CallFailure`.

        Raises:
            InputError: the server is dead; or its first answer is that it knows no such key, address or model.
        """
        number, begun = next(self._numbers), time.monotonic()
        self._under_way[number] = begun
        try:
            yield
        except CallFailure as failure:
            del self._under_way[number]
            if failure.dead:
                self._refused(failure)
            else:
                self._failures = 0
            raise
        else:
            self.answered, self._failures = True, 0
        finally:
            self._under_way.pop(number, None)

    def _refused(self, failure: CallFailure) -> None:
        now = time.monotonic()
        if not self._failures or now - self._last > _GAP:
            self._since, self._failures = now, 0
        self._last = now
        self._failures += 1
        working = any(now - begun > SECONDS / 2 for begun in self._under_way.values())
        if self._failures >= FAILURES and now - self._since > SECONDS and not working:
            raise InputError(
                f"{self._expected}, found nothing but {self._failures} failures for {now - self._since:.0f} s, "
                f"the last: {failure.detail}"
            )
        if not self.answered and failure.sent:
            raise InputError(f"{self._expected}, found {failure.detail}")
        if not self.answered and not self._waits:
            raise InputError(
                f"expected a server at {self._server.address}, found none: {failure.detail}; start it, or correct the "
                "address"
            )

    @property
    def _expected(self) -> str:
        server = self._server
        return f"expected the model {server.model!r} at {server.address}, and its API key in {server.key_variable}"
