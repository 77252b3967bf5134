"""The probability that a fragment is right, from what the upstream says beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from rlhalt.cut.calibration import By, Calibration
from rlhalt.cut.probability import Probability
from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json
from rlhalt.rewards import Halting
from rlhalt.scoring import Scorer
from rlhalt.uncertainty.token_probability import geometric_mean, least

Confidence = Callable[[Json, Sequence[Fragment], Sequence[Sequence[float]]], float]
"""The confidence in the last of the given fragments, in [0, 1]; NaN where it cannot be known.

It is called with the body of the request, the fragments of the response up to the one that is asked about, and for each
of them the log-probabilities of its tokens. A reward model reads the first two, a token probability the last.
"""

_WHY: dict[By, str] = {
    "ccp": "compares the alternatives of each token",
    "agreement": "draws other responses",
    "reward": "reads the response with another model",
}
_MEASURES: dict[By, Callable[[Sequence[float]], float]] = {"token_probability": geometric_mean, "token_minimum": least}


@dataclasses.dataclass(frozen=True)
class Judge:
    """How the fragments of responses are found, and what each is worth.

    Attributes:
        splitter: splits; it verifies nothing.
        confidence: see `Confidence`.
        maps: from confidence to probability, one for each temperature that was calibrated.
    """

    splitter: Scorer
    confidence: Confidence
    maps: dict[float, Probability]

    @property
    def halting(self) -> Halting:
        """What the fragments mean for each other."""
        return self.splitter.halting

    def probability(
        self, asked: Json, fragments: Sequence[Fragment], likely: Sequence[Sequence[float]], temperature: float
    ) -> float:
        """That the last fragment is right; NaN for a halt, and for a fragment without tokens."""
        if fragments[-1].label == "halt":
            return float("nan")
        return float(self.maps[temperature](np.array([self.confidence(asked, fragments, likely)]))[0])


def by_tokens(by: By) -> Confidence:
    """The confidence that a calibration names, from the log-probabilities of a fragment's tokens.

    Raises:
        InputError: one that needs more than these.
    """
    if by not in _MEASURES:
        why = _WHY[by]
        raise InputError(
            f"expected a calibration by {' or '.join(_MEASURES)}, found one by {by}, which {why}: "
            "run rlhalt calibrate again with --by token_probability",
            field="by",
        )
    measure = _MEASURES[by]
    return lambda asked, fragments, likely: measure(likely[-1])


def judge(splitter: Scorer, calibration: Calibration) -> Judge:
    """What a calibration says about the fragments of a domain.

    Raises:
        InputError: see `by_tokens`.
    """
    maps = {one.temperature: one.probability for one in calibration.fits}
    return Judge(splitter, by_tokens(calibration.by), maps)
