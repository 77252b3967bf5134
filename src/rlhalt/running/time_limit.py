"""A limit on the wall-clock time of a piece of Python, kept by a signal.

Python cannot end a thread. The limit is therefore a `SIGALRM`, whose handler runs in the main thread only: between two
bytecodes, in a system call that waits, and, since CPython's `re` looks for signals while it matches, in a pattern that
backtracks without end. It does not apply

- outside the main thread, where the limit is not set at all;
- in an extension module that runs long without looking for signals: the limit takes effect when it returns;
- while the code itself uses `signal.setitimer` or `signal.alarm`.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from rlhalt.errors import VerifierFailure

T = TypeVar("T")
_AGAIN = 0.5  # seconds after which code that caught the exception is interrupted again


class _TimeUp(BaseException):
    """Not an `Exception`: code that catches these must not make a verdict of the end of its time."""


def applies_here() -> bool:
    """Whether `in_time` can keep a limit in this thread."""
    return threading.current_thread() is threading.main_thread()


def in_time(work: Callable[[], T], seconds: float | None) -> T:
    """What a function returns, unless it takes longer than some seconds; see above where it cannot be interrupted.

    Args:
        seconds: None for no limit.

    Raises:
        VerifierFailure: the time was up, also where the function caught the interruption and returned something.
    """
    if seconds is None or not applies_here():
        return work()
    late = False

    def ring(_number: int, _frame: FrameType | None) -> None:
        nonlocal late
        late = True
        raise _TimeUp

    handler = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    outer, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        found = work()
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not late:
            return found
    except _TimeUp:
        pass
    except Exception:
        # The error of interrupted code is a consequence of the interruption.
        if not late:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:  # the caller's own timer
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 1e-3), interval)
    raise VerifierFailure(f"took longer than the limit of {seconds:g} seconds for a response")
