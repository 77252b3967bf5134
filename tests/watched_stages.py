"""Every recipe that a test runs is watched: what a stage opens of another stage's output, it must say that it needs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rlhalt.running import stages
from rlhalt.running.stages import Stage

_opened: list[Path] = []
_seen: dict[Path, Stage] = {}


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | os.PathLike) and "w" not in str(arguments[1] or "r"):
        _opened.append(Path(arguments[0]).absolute())


def not_named(stage: Stage, opened: set[Path], others: dict[Path, Stage]) -> set[Path]:
    """Outputs of other stages from which a stage has opened files, and which neither it nor what it needs names."""
    named, left = {stage.output}, [stage]
    while left:
        for need in left.pop().needs:
            if need not in named:
                named.add(need)
                left += [others[need]] if need in others else []
    # An output may lie in the folder of another one.
    strange = [one for one in opened if not any(one == path or path in one.parents for path in named)]
    return {other for other in others for one in strange if one == other or other in one.parents}


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Watch the stages that run meanwhile; one that reads what it does not name fails."""
    sys.addaudithook(_note)
    run = stages._run

    def watched(stage: Stage, place: str, took: dict[str, float]) -> None:
        if place.startswith("[1/"):
            # Another recipe, which may be a copy of an earlier one and read the models that its files name.
            _seen.clear()
        _opened.clear()
        run(stage, place, took)
        found = not_named(stage, set(_opened), _seen)
        assert not found, f"the stage '{stage.name}' reads and does not name: {', '.join(map(str, found))}"
        _seen[stage.output] = stage

    stages._run = watched
    try:
        yield
    finally:
        stages._run = run
