"""One writer per output: a second command on the same output is refused before it touches a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from rlhalt.errors import InputError


@contextlib.contextmanager
def locked(output: str | Path) -> Iterator[None]:
    """Hold the lock of an output, the hidden file `.NAME.lock` beside it; a killed process holds it no longer.

    Raises:
        InputError: another command holds it.
    """
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    place = output.with_name(f".{output.name or 'output'}.lock")
    lock = filelock.FileLock(place, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            "expected an output that no other command writes, found one that is being written; wait for that command, "
            "or choose another --output",
            path=output,
        ) from None
    try:
        yield
    finally:
        # Removed while it is held: who opened it before sees that it is gone and opens a new one.
        place.unlink(missing_ok=True)
        lock.release()
