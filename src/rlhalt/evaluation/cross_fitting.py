"""Maps from confidence to probability that have not seen the prompt which they judge.

A map is fitted on one half of the prompts and used on the other, both ways round (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rlhalt.evaluation.bootstrap import Floats
from rlhalt.evaluation.confidence_arrays import Judged
from rlhalt.uncertainty.recalibration import Map

Fit = Callable[[Floats, Floats], Map]


def halves(n_prompts: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which prompts are in the first half, drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(n_prompts)
    return drawn < (n_prompts + 1) // 2


def cross_fitted(
    fragments: Judged, fit: Fit, first: npt.NDArray[np.bool_]
) -> Callable[[Floats, npt.NDArray[np.intp]], Floats]:
    """The recalibrated confidence of any fragment, by its confidence and the position of its prompt.

    Args:
        fragments: decided ones to fit on.
        first: which prompts are in the first half, see `halves`.

    Returns:
        NaN for a NaN confidence, and where the other half holds nothing to fit on.
    """
    maps: list[Map | None] = []
    for half in (first, ~first):
        inside = half[fragments.prompt]
        maps.append(fit(fragments.confidence[inside], fragments.correct[inside]) if inside.any() else None)

    def recalibrated(confidence: Floats, prompt: npt.NDArray[np.intp]) -> Floats:
        found = np.full(len(confidence), np.nan)
        for its, other in zip((first, ~first), reversed(maps), strict=True):
            mine = its[prompt] & np.isfinite(confidence)
            if other is not None:
                found[mine] = other(np.clip(confidence[mine], 0, 1))
        return found

    return recalibrated
