"""How a server is treated: how much is under way, how long it may take, how fast attempts follow each other."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time

from rlhalt.errors import InputError


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

    def shared(self, workers: int) -> Limits:
        """These limits in equal parts, for processes that ask one server side by side.

        Raises:
            InputError: more of them than calls may be under way at once.
        """
        if workers > self.concurrency:
            raise InputError(
                f"expected at most {self.concurrency} workers, for each a call under way at once, found {workers}",
                field="workers",
            )
        rate = self.requests_per_minute
        return dataclasses.replace(
            self, concurrency=self.concurrency // workers, requests_per_minute=rate / workers if rate else None
        )

    def wait(self, attempt: int, asked: float | None) -> float:
        """Seconds from the failure of this attempt, counted from 1, to the next; `asked` by the server, on top."""
        longest = min(self.backoff * 2 ** (attempt - 1), self.longest_wait)
        return random.uniform(longest / 2, longest) + (asked or 0.0)


class Pacer:
    """Spaces the starts of attempts, and keeps quiet while the server wants it."""

    def __init__(self, per_minute: float | None) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._next = self._quiet = 0.0
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Wait until another attempt may start."""
        async with self._line:
            while (wait := max(self._next, self._quiet) - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._next = time.monotonic() + self._interval

    def pause(self, seconds: float) -> None:
        """Start nothing for so long."""
        self._quiet = max(self._quiet, time.monotonic() + seconds)
