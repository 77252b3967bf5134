"""Three parts of the prompts: to fit on, to choose and calibrate by, and to measure on. No prompt is in two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.contamination import text_key
from rlhalt.cut.probability import FEWEST
from rlhalt.errors import InputError
from rlhalt.records import Scored
from rlhalt.reward_model.figures import balance
from rlhalt.rewards import Halting

SHARES = (0.7, 0.15)
"""Of the prompts, for training and for validation; the test part has the rest."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Responses by the part that their prompt is in."""

    train: list[Scored]
    validation: list[Scored]
    test: list[Scored]

    def check(self, halting: Halting) -> None:
        """See that there is enough to learn from, to calibrate on and to measure on.

        Raises:
            InputError: fewer than 30 fragments with a label in a part, or labels of one class alone.
        """
        found = {one.name: balance(getattr(self, one.name), halting) for one in dataclasses.fields(self)}
        numbers = ", ".join(f"{its.decided} in {name}" for name, its in found.items())
        if any(one.decided < FEWEST for one in found.values()):
            raise InputError(
                f"expected at least {FEWEST} fragments that are correct or incorrect in each part of the prompts, "
                f"found {numbers}; give more prompts, or more responses to each",
                field="--scored",
            )
        for name, its in found.items():
            if not (its.correct and its.incorrect):
                only = "correct" if its.correct else "incorrect"
                raise InputError(
                    f"expected correct and incorrect fragments, found only {only} ones in {name} ({its.decided}); a "
                    "model learns nothing from one class: give responses of a weaker or of a better model too",
                    field="--scored",
                )


def parts(rows: Sequence[Scored], seed: int) -> Parts:
    """Scored responses in three parts, drawn by the seed; prompts of the same text are in the same part.

    Args:
        rows: scored responses.
        seed: of the draw.
    """
    keys = {row.key: text_key(row.prompt) for row in rows}
    prompts = sorted(set(keys.values()))
    order = np.random.default_rng(seed).permutation(len(prompts))
    first, second = (round(len(prompts) * share) for share in (SHARES[0], sum(SHARES)))
    part = {prompts[at]: 0 if place < first else 1 if place < second else 2 for place, at in enumerate(order)}
    return Parts(*([row for row in rows if part[keys[row.key]] == number] for number in range(3)))


def folds(rows: Sequence[Scored], seed: int, n: int = 5) -> npt.NDArray[np.intp]:
    """The fold of each row's prompt, from 0 to n - 1, drawn by the seed; equally many prompts are in each.

    Args:
        rows: R scored responses.
        seed: of the draw.

    Returns:
        Shape (R,).
    """
    keys = [text_key(row.prompt) for row in rows]
    prompts = sorted(set(keys))
    order = np.random.default_rng(seed).permutation(len(prompts))
    place = {key: int(at) for key, at in zip(prompts, order, strict=True)}
    return np.array([place[key] % n for key in keys], dtype=np.intp)
