"""A judged response of a group, as the rewards of other methods see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rlhalt.records import Fragment


@dataclasses.dataclass(frozen=True)
class Judged:
    """One response to the prompt of a group.

    Attributes:
        fragments: its finished fragments.
        threshold: τ.
    """

    fragments: Sequence[Fragment]
    threshold: float

    @property
    def failed(self) -> bool:
        """Whether a fragment has no verdict: such a response has no reward."""
        return any(one.label is None for one in self.fragments)

    @property
    def correctness(self) -> float | None:
        """The share of right ones among its right and wrong fragments; None where it has neither, as a refusal."""
        labels = [one.label for one in self.fragments]
        right, wrong = labels.count("correct"), labels.count("incorrect")
        return right / (right + wrong) if right + wrong else None


GroupReward = Callable[[Sequence[Judged]], list[float | None]]
"""The responses of a group → a reward each; None without a verdict."""
