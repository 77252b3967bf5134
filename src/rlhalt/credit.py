"""What a verdict earns at the correctness threshold τ: the one place where truth becomes a number."""

from __future__ import annotations

from rlhalt.errors import InputError
from rlhalt.records import Label


def check_threshold(value: float, field: str = "threshold") -> float:
    """The correctness threshold τ, checked.

    Raises:
        InputError: τ outside the open interval (0, 1).
    """
    if not 0 < value < 1:
        raise InputError(
            f"expected a correctness threshold τ between 0 and 1, both excluded, found {value}", field=field
        )
    return value


def fragment_reward(label: Label | None, threshold: float) -> float | None:
    """What a fragment earns: 1 - τ correct, -τ incorrect, 0 halting or unverifiable, None where scoring failed.

    A model that is right with probability p gains p (1 - τ) - (1 - p) τ = p - τ by speaking: it should iff p ≥ τ.
    """
    if label is None:
        return None
    return {"correct": 1 - threshold, "incorrect": -threshold, "unverifiable": 0.0, "halt": 0.0}[label]
