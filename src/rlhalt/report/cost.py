"""What each model cost: the time of its training and evaluation, as far as run.json tells, and the tokens it spends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.folder import Evaluation
from rlhalt.models.trained_model import lineage


@dataclasses.dataclass(frozen=True)
class Cost:
    """One model, means over its seeds; None is "not known".

    Attributes:
        training: seconds of its own training.
        whole: the same with the trainings it started from.
        evaluation: seconds of sampling, scoring and measuring its confidence.
        tokens: a response.
        per_right: tokens generated a right fact.
    """

    model: str
    seeds: int
    training: float | None
    whole: float | None
    evaluation: float
    tokens: float | None
    per_right: float | None


def costs(comparison: Comparison, evaluations: Sequence[Evaluation], decoding: str) -> list[Cost]:
    """Every model's, in the order of the comparison."""
    found = []
    for model in comparison.models:
        its = [one for one in evaluations if one.label == model]
        trained = [trainings(one.model) for one in its]
        told = all(trained)
        tokens, right = (comparison.get(model, decoding)[name].value for name in ("tokens", "right"))
        found.append(
            Cost(
                model=model,
                seeds=len(its),
                training=sum(times[0] for times in trained) / len(its) if told else None,
                whole=sum(map(sum, trained)) / len(its) if told else None,
                evaluation=sum(one.seconds for one in its) / len(its),
                tokens=tokens,
                per_right=tokens / right if tokens is not None and right else None,
            )
        )
    return found


def trainings(model: str | Path) -> list[float]:
    """The seconds of a model's training and of those it started from, the last first; none where no run.json tells.

    Args:
        model: a name or folder, see `rlhalt.models.names.resolve_model`.
    """
    seconds = [one.seconds for one in lineage(model)]
    return [one for one in seconds if one is not None] if None not in seconds else []
