"""Progress bars on everything that takes longer than a glance; silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], what: str) -> Iterable[T]:
    """Iterate with a progress bar on standard error; in a log, one line at the start and one at the end."""
    if not items:
        return items
    if not sys.stderr.isatty():
        return _logged(items, what)
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(items, description=f"{what:<28}", console=Console(stderr=True))


def _logged(items: Sequence[T], what: str) -> Iterator[T]:
    tenth = max(1, len(items) // 10)
    for done, item in enumerate(items):
        if done % tenth == 0:
            print(f"{what}: {done}/{len(items)}", file=sys.stderr, flush=True)
        yield item
    print(f"{what}: {len(items)}/{len(items)}", file=sys.stderr, flush=True)
