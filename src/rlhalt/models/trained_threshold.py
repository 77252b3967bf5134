"""The threshold τ that a model was trained at: training writes it into run.json, evaluation reads it back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rlhalt.chat.threshold_prompt import stated
from rlhalt.errors import InputError
from rlhalt.models.trained_model import read_trained_model
from rlhalt.records import Decision, Pair, Target


def thresholds_of(rows: Iterable[Decision | Pair]) -> list[float]:
    """The thresholds that training rows were made at, for run.json."""
    return sorted({row.threshold for row in rows})


def thresholds_stated(rows: Iterable[Target]) -> list[float]:
    """The thresholds that the prompts of targets state, for run.json."""
    return sorted({at for row in rows if (at := stated(row.prompt)) is not None})


def trained_thresholds(model: str | Path) -> list[float]:
    """The thresholds that a model's run.json names; empty where rlhalt did not train it, or at no τ."""
    found = read_trained_model(model)
    return found.thresholds if found is not None else []


def hears_threshold(model: str | Path) -> bool:
    """Whether a model was trained on prompts that state different thresholds, as far as its run.json says."""
    return len(trained_thresholds(model)) > 1


def checked_threshold(model: str | Path, threshold: float | None) -> float | None:
    """The threshold to evaluate a model at that has none in its prompt: the one it was trained at.

    Args:
        threshold: what the user gave; None to take the model's own.

    Raises:
        InputError: the model was trained at another threshold, or at several.
    """
    known = trained_thresholds(model)
    if not known or known == [threshold]:
        return threshold
    if len(known) > 1:
        raise InputError(
            f"expected --threshold-in-prompt, because this model was trained at {len(known)} thresholds from "
            f"{known[0]:g} to {known[-1]:g}, each stated in its prompt",
            path=model,
            field="threshold",
        )
    if threshold is not None:
        raise InputError(
            f"expected the threshold that this model was trained at, {known[0]:g}, found {threshold:g}; leave it out, "
            "or train at the other one",
            path=model,
            field="threshold",
        )
    return known[0]
