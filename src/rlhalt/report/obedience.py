"""How much a model says at each τ: RiskEval's protocol, the τ varied and everything else fixed.

A model that obeys states fewer facts at a higher τ, wrong ones first. Drawn are models of one name at three thresholds
or more, whether one model reads τ in its prompt or one was trained for each τ.
"""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison, Metrics
from rlhalt.evaluation.tables import cell, number
from rlhalt.report import svg
from rlhalt.report.palette import colour
from rlhalt.report.plots import short
from rlhalt.report.svg import Axis

FEWEST = 3


def families(comparison: Comparison, decoding: str) -> dict[str, list[Metrics]]:
    """The models of one name, by τ rising, by that name; those at three thresholds or more."""
    found: dict[str, list[Metrics]] = {}
    for one in comparison.metrics:
        if one.decoding == decoding and one.threshold is not None:
            found.setdefault(one.name, []).append(one)
    return {
        name: sorted(its, key=lambda one: one.threshold or 0.0) for name, its in found.items() if len(its) >= FEWEST
    }


def facts_over_thresholds(comparison: Comparison, decoding: str, name: str) -> Markup:
    """Right facts (filled) and wrong ones (open) per response at each τ, with intervals, of the models of one name."""
    its = families(comparison, decoding)[name]
    width, height = 500, 300
    ends = [end for one in its for measure in ("right", "wrong") for end in svg.spread(one[measure])]
    x, y = Axis(0, 1, 52, width - 14), Axis(*svg.around([0.0, *ends], 0.5), height - 50, 34)
    parts = svg.frame(x, y, "threshold τ", "facts per response", short)
    for measure, kind in (("right", "dot"), ("wrong", "open")):
        places = [(x(one.threshold or 0.0), y(one[measure].value or 0.0)) for one in its]
        parts.append(f'<g style="--c:{colour(comparison, its[-1].model)}">')
        parts.append(svg.path(places, "curve" if measure == "right" else "curve cut-curve"))
        for one, (across, up) in zip(its, places, strict=True):
            low, high = svg.spread(one[measure])
            parts.append(svg.line(across, y(low), across, y(high), "whisker"))
            title = f"{measure} facts of {one.model}: {cell(one[measure], number)}"
            parts.append(svg.dot(across, up, 5, kind, title))
        parts.append("</g>")
    return svg.figure(width, height, f"Right and wrong facts of {escape(name)} over τ, {decoding}", parts)
