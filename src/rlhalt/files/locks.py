"""One writer per output: a second command on the same output is refused before it touches a file.

The stages of a recipe have one lock more, so that several processes can share them: who finds it held leaves the stage
to the other process.
"""

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
    with _held(output, "lock") as mine:
        if not mine:
            raise InputError(
                "expected an output that no other command writes, found one that is being written; wait for that "
                "command, or choose another --output",
                path=output,
            )
        yield


@contextlib.contextmanager
def turn(output: str | Path) -> Iterator[bool]:
    """Hold the second lock of an output, `.NAME.stage.lock`, while the stage of a recipe makes it.

    Yields:
        False if another process holds it, and may be at that stage.
    """
    with _held(output, "stage.lock") as mine:
        yield mine


@contextlib.contextmanager
def _held(output: str | Path, ending: str) -> Iterator[bool]:
    """Hold a hidden file beside an output as a lock; False if another process holds it."""
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    place = output.with_name(f".{output.name or 'output'}.{ending}")
    lock = filelock.FileLock(place, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        # Removed while it is held: who opened it before sees that it is gone and opens a new one.
        place.unlink(missing_ok=True)
        lock.release()
