"""A guard against a call that never ends. It is not a measure of speed: timings are never asserted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 300.0
"""Of the process's own CPU time, so a busy machine does not matter. Linear work here takes at most a tenth of it."""


@contextmanager
def must_end(seconds: float = SECONDS) -> Iterator[None]:
    """Fail where the block takes `seconds` of CPU time.

    Quadratic or exponential work on the texts of the tests takes far longer than that.
    """

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"still running after {seconds:g} seconds of CPU time")

    handler = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
