"""A guard against a call that never ends. It is not a measure of speed: timings are never asserted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Clock(NamedTuple):
    """A timer of the process, and the signal that it sends."""

    timer: int
    sends: int


CPU = Clock(signal.ITIMER_PROF, signal.SIGPROF)
"""The process's own time: a busy machine does not matter, and waiting is not noticed."""
WALL = Clock(signal.ITIMER_REAL, signal.SIGALRM)
"""What waits for ever is noticed too. Not for code with a limit of its own (`rlhalt.running.time_limit`)."""
SECONDS = 300.0
"""Linear work in the tests takes at most a tenth of it; quadratic or exponential work takes far longer."""


class NoEndError(BaseException):
    """No `Exception`: a scorer or a command would take that for a failure of the verifier, and go on."""


@contextmanager
def must_end(seconds: float = SECONDS, clock: Clock = CPU) -> Iterator[None]:
    """Interrupt a block that takes more than `seconds`.

    Raises:
        NoEndError: it did.
    """

    def stop(number: int, frame: object) -> None:
        raise NoEndError(f"no end within {seconds:g} s")

    before = signal.signal(clock.sends, stop)
    signal.setitimer(clock.timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(clock.timer, 0)
        signal.signal(clock.sends, before)
