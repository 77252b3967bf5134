"""The stages of a recipe, one after the other; each is announced on standard error before it begins.

    [4/9] SFT seed 0 (took 35 s last time) …
    [5/9] SFT seed 1 (about 35 s, as the last SFT) …

The time comes from run.json files of earlier runs, or of an earlier stage of the same kind; it is left out where there
are none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rlhalt.files.provenance import earlier
from rlhalt.running.heartbeat import doing
from rlhalt.running.memory import give_back


class Stage(NamedTuple):
    """One stage.

    Attributes:
        kind: what it does, as `SFT`; stages of one kind take about the same time.
        detail: which one of its kind, as `seed 0`; may be empty.
        output: the file or folder it makes, with a run.json.
        work: does it, or says that it is done already.
    """

    kind: str
    detail: str
    output: Path
    work: Callable[[], object]


def run_stages(stages: Sequence[Stage]) -> None:
    """Run stages in their order; whatever one raises ends the run."""
    took: dict[str, float] = {}
    for number, stage in enumerate(stages, start=1):
        name = f"{stage.kind} {stage.detail}".strip()
        time = _time(_seconds(stage.output), took.get(stage.kind), stage.kind)
        print(f"[{number}/{len(stages)}] {name}{time} …", file=sys.stderr, flush=True)
        with doing(f"[{number}/{len(stages)}] {name}"):
            stage.work()
        give_back()
        if (seconds := _seconds(stage.output)) is not None:
            took[stage.kind] = seconds


def _seconds(output: Path) -> float | None:
    """How long the run took that made an output; None where its run.json does not say."""
    seconds = earlier(output).get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


def _time(own: float | None, like: float | None, kind: str) -> str:
    if own is not None:
        return f" (took {_rough(own)} last time)"
    return "" if like is None else f" (about {_rough(like)}, as the last {kind})"


def _rough(seconds: float) -> str:
    """A time with its two largest digits.

    >>> _rough(0.3), _rough(95.2), _rough(5000)
    ('under 1 s', '95 s', '83 min')
    """
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
