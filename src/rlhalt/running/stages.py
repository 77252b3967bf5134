"""The stages of a recipe, in their order; each is announced on standard error before it begins.

    [4/9] SFT seed 0 (took 35 s last time) …
    [5/9] SFT seed 1 (about 35 s, as the last SFT) …

The time comes from run.json files of earlier runs, or of an earlier stage of the same kind; it is left out where there
are none.

Several processes can run the same recipe in one folder side by side, one per core or GPU. They share the stages: a
process leaves out the stage that another one is at, and continues with the next one whose inputs are there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rlhalt.files.locks import turn
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
        needs: what it reads; it begins after the stages that make any of this.
    """

    kind: str
    detail: str
    output: Path
    work: Callable[[], object]
    needs: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """What it is called where it is announced."""
        return f"{self.kind} {self.detail}".strip()


def run_stages(stages: Sequence[Stage], look_again_s: float = 1.0) -> None:
    """Run stages in their order, which must have each behind those that it needs; whatever one raises ends the run.

    Args:
        look_again_s: while other processes are at all stages that could run, it looks for one after so many seconds.
    """
    took: dict[str, float] = {}
    left = dict(enumerate(stages, start=1))
    waits_for = None
    while left:
        outputs = {one.output for one in left.values()}
        ready = {number: one for number, one in left.items() if not outputs.intersection(one.needs)}
        for number, stage in ready.items():
            with turn(stage.output) as mine:
                if not mine:
                    continue
                _run(stage, f"[{number}/{len(stages)}]", took)
            del left[number]
            break
        else:
            held = next(iter(ready.values())).name
            if held != waits_for:
                print(f"waiting for another process, which is at: {held} …", file=sys.stderr, flush=True)
            waits_for = held
            time.sleep(look_again_s)


def _run(stage: Stage, place: str, took: dict[str, float]) -> None:
    about = _time(_seconds(stage.output), took.get(stage.kind), stage.kind)
    print(f"{place} {stage.name}{about} …", file=sys.stderr, flush=True)
    with doing(f"{place} {stage.name}"):
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
