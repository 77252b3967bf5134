"""Progress bars on everything that takes longer than a glance; silent where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from rlhalt.running.heartbeat import QUIET_S

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None, note: Callable[[], str] = str) -> Iterator[T]:
    """Iterate with a progress bar on standard error; in a log, a line at the start, at each tenth, at least
    every 10 s where items are done, and at the end.

    Args:
        total: how many items there are, where they have no length.
        note: what else to show, asked now and then (what has been spent, say).
    """
    if total is None:
        assert isinstance(items, Sequence)
        total = len(items)
    if not total:
        return iter(items)
    return (_bar if sys.stderr.isatty() else _logged)(items, what, total, note)


def _bar(items: Iterable[T], what: str, total: int, note: Callable[[], str]) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(f"{what:<24}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, note=note())
        for item in items:
            yield item
            progress.update(task, advance=1, note=note())


def _logged(items: Iterable[T], what: str, total: int, note: Callable[[], str]) -> Iterator[T]:
    def line(done: int) -> None:
        said = note()
        print(f"{what}: {done}/{total}{f', {said}' if said else ''}", file=sys.stderr, flush=True)

    tenth = max(1, total // 10)
    done, last = 0, 0.0
    for item in items:
        if done % tenth == 0 or time.monotonic() - last >= QUIET_S:
            line(done)
            last = time.monotonic()
        yield item
        done += 1
    line(done)
