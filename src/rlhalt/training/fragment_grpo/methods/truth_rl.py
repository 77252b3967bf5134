"""TruthRL (arXiv 2509.25760): +1 for a right response, 0 for a refusal, -1 for a wrong one.

    all right 1      nothing right or wrong 0      anything wrong -1

For one short answer these are twice the τ-utility at τ = ½. For many facts it acts per response, so that one wrong fact
costs all right ones. The paper divides advantages by the group's standard deviation, which moves the threshold
(`rlhalt.training.fragment_grpo.advantages`); here they are not divided.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.training.fragment_grpo.methods.judged import Judged


def ternary(one: Judged, wrong: float) -> float | None:
    """1 for an all right response, 0 for one that claims nothing, `wrong` for the others; None without a verdict."""
    if one.failed:
        return None
    correctness = one.correctness
    return 0.0 if correctness is None else 1.0 if correctness == 1 else wrong


def rewards(group: Sequence[Judged]) -> list[float | None]:
    """A reward a response.

    >>> from rlhalt.records import Fragment
    >>> said = [[Fragment(0, 1, "sentence", "A", label)] for label in ("correct", "halt", "incorrect")]
    >>> rewards([Judged(one, 0.8) for one in said])
    [1.0, 0.0, -1.0]
    """
    return [ternary(one, -1.0) for one in group]
