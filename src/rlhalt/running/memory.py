"""Memory that a stage no longer needs, given back before the next stage begins."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Collect what nothing refers to any more, and return free memory to the operating system (glibc).

    A trainer refers to itself in circles, and the C library keeps what was freed: without this call, a recipe that
    samples and trains in one process held the sum of its stages.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)
