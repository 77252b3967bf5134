"""What counts as found, as text; the rule itself is `rlhalt.evaluation.significance.Significance.shows`."""

from __future__ import annotations

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.significance import Significance


def p_value(test: Significance) -> str:
    """The corrected p as text: `p < 0.001`, `p = 0.04`; `not tested` where the difference was not planned."""
    if not test.planned:
        return "not tested"
    if test.p_holm is None:
        return "no p"
    return "p < 0.001" if test.p_holm < 0.001 else f"p = {test.p_holm:.2g}"


def doubt(gain: Estimate, test: Significance) -> str:
    """Why a difference is not shown, in a few words; empty where it is.

    The one rule for words: shown is what was planned, with a corrected p below 0.05 and an interval that leaves out 0.
    """
    if test.shows(gain):
        return ""
    if not test.planned:
        return "not tested"
    return "not shown, interval and test disagree" if test.disagrees(gain) else "not shown"
