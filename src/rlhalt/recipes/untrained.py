"""A method that makes no targets or no pairs has no model; the recipe says so and continues with the others.

    seed0/rlkf-0.5/not-trained.json     why, in place of a model

A small or very good model may give a method nothing to learn from: no wrong response to reject, say. Its row in the
table then holds the reason. What the training reads is asked each time, so a recipe that is run again with more
responses trains what it could not before.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

from rlhalt.files.provenance import earlier
from rlhalt.files.text import read_text, write_atomic
from rlhalt.running.stages import Stage

FILE = "not-trained.json"
Why = Callable[[], str | None]
"""Why a stage has nothing to do; None where it has."""


def empty(data: Path, what: str) -> str | None:
    """Why nothing can be trained on a file that a stage of the recipe has written; None where it has rows.

    Args:
        what: the rows, `pairs` say.
    """
    return f"the method made no {what} of these responses" if earlier(data).get("rows") == 0 else None


def why(model: str | Path) -> str | None:
    """Why a model of the recipe was not trained; None for one that was, or that is no folder."""
    path = Path(model) / FILE
    if not path.is_file():
        return None
    found: str = json.loads(read_text(path, "a reason"))["why"]
    return found


def training(stage: Stage, reason: Why) -> Stage:
    """A training that is left out where there is a reason, which is written into the model's folder."""
    return stage._replace(work=functools.partial(_train, stage, reason))


def _train(stage: Stage, reason: Why) -> object:
    found, path = reason(), stage.output / FILE
    if found is None:
        path.unlink(missing_ok=True)
        return stage.work()
    stage.output.mkdir(parents=True, exist_ok=True)
    write_atomic(path, [json.dumps({"why": found}) + "\n"])
    print(f"not trained: {found}", file=sys.stderr)
    return None


def after(stage: Stage, model: str | Path) -> Stage:
    """A stage that needs a model of the recipe, and is left out where that was not trained."""

    def work() -> object:
        if (found := why(model)) is None:
            return stage.work()
        print(f"left out: {model} was not trained, {found}", file=sys.stderr)
        return None

    return stage._replace(work=work)
