"""What counts as found: a difference that chance does not explain, and the best that goes without training."""

from __future__ import annotations

from rlhalt.evaluation.baselines import Baseline
from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.significance import Significance

ALPHA = 0.05


def shown(test: Significance) -> bool:
    """Whether a difference is more than chance, at 5 % after Holm's correction for all comparisons."""
    return test.p_holm is not None and test.p_holm < ALPHA


def p_value(test: Significance) -> str:
    """The corrected p as text: `p < 0.001`, `p = 0.04`, `no p`."""
    if test.p_holm is None:
        return "no p"
    return "p < 0.001" if test.p_holm < 0.001 else f"p = {test.p_holm:.2g}"


def strongest(comparison: Comparison, decoding: str, threshold: float) -> Baseline | None:
    """The recalibrated base that earns most at τ; chosen by the result, so what beats it beats all of them."""
    its = [
        one
        for one in comparison.baselines
        if (one.decoding, one.threshold) == (decoding, threshold) and one.utility.value is not None
    ]
    return max(its, key=lambda one: one.utility.value or 0.0, default=None)
