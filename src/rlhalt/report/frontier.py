"""What correctness costs: every model and every seed between correctness and completeness."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison, Metrics
from rlhalt.evaluation.tables import cell, percent
from rlhalt.report import svg
from rlhalt.report.palette import of
from rlhalt.report.svg import Axis

# Where a label may stand beside its point, the first that is free: x, y, and which end of it is there.
PLACES = ((8, -9, "start"), (-8, 17, "end"), (8, 17, "start"), (-8, -9, "end"), (8, -24, "start"), (-8, 32, "end"))

# Left, top, right, bottom.
Box = tuple[float, float, float, float]


def equal_utility(earned: float, base_right: float, threshold: float, completeness: float) -> float | None:
    """The correctness P at which a response earns this much, with R completeness: U = R · right of base · (1 - τ / P).

    Args:
        earned: U, the utility a response at τ.
        base_right: right facts a response of base, which completeness is a share of.

    Returns:
        None where no correctness above 0 earns it.
    """
    left = 1 - earned / (completeness * base_right) if completeness * base_right else 0.0
    return threshold / left if left > 0 else None


def trade_off(comparison: Comparison, decoding: str, threshold: float) -> Markup:
    """Correctness over completeness, a point a model with both intervals, over lines of equal utility at τ."""
    shown = [
        m for m in comparison.metrics if m["correctness"].value is not None and m["completeness"].value is not None
    ]
    ends_x = [end for m in shown for end in svg.spread(m["completeness"])]
    ends_y = [end for m in shown for end in svg.spread(m["correctness"])]
    width, height = 500, 390
    x = Axis(*svg.around([*ends_x, 1.0], 0.1), 52, width - 34)
    y = Axis(*svg.around(ends_y or [0.0, 1.0], 0.1), height - 50, 34)
    title = "correctness, %"
    parts = svg.frame(x, y, "completeness: right facts, % of base", title, percent)
    lines, numbers = _equal_utilities(x, y, comparison.get(comparison.base, decoding)["right"].value or 0.0, threshold)
    parts += lines
    here = [m for m in shown if m.decoding == decoding]
    for name in dict.fromkeys(m.name for m in here if m.threshold is not None):
        for one, next_one in itertools.pairwise(m for m in here if m.name == name):
            # Inside both: the page hides it with either.
            line = svg.path([_point(one, x, y), _point(next_one, x, y)], "joined")
            parts.append(f"<g {of(comparison, one.model)}><g {of(comparison, next_one.model)}>{line}</g></g>")
    for m in here:
        parts.append(f"<g {of(comparison, m.model)}>{''.join(_model(m, x, y))}</g>")
    named = (x.first, y.last - 23, x.first + svg.LETTER * len(title), y.last - 9)
    parts += _labels(comparison, here, [_point(m, x, y) for m in here], [*numbers, named], width)
    if not here:
        parts.append(svg.note(x, y, "no model states a fact that is right or wrong"))
    return svg.figure(width, height, f"Correctness over completeness, {decoding}; the table has the numbers", parts)


def _equal_utilities(x: Axis, y: Axis, base_right: float, threshold: float) -> tuple[list[str], list[Box]]:
    """Lines of round utilities with their numbers at the right edge, and the room that the numbers take."""
    most = x.high * base_right * (1 - threshold / y.high)
    least = x.high * base_right * (1 - threshold / max(y.low, 0.1))
    if not base_right or most <= least:
        return [], []
    parts, taken = [], []
    for earned in Axis(least, most, 0, 1).ticks(7):
        along = [(r, equal_utility(earned, base_right, threshold, r)) for r in np.linspace(x.low, x.high, 81).tolist()]
        line = [(x(r), y(p)) for r, p in along if p is not None and y.low <= p <= y.high]
        if len(line) < 2:
            continue
        parts.append(svg.path(line, "iso zero" if earned == 0 else "iso"))
        if line[-1][0] == x.last:
            at = line[-1][1]
            parts.append(svg.text(x.last + 4, at + 4, f"{earned or 0.0:g}".replace("-", "−"), "tick"))
            taken.append((x.last + 4, at - 6, x.last + 30, at + 6))
    return parts, taken


def _model(m: Metrics, x: Axis, y: Axis) -> list[str]:
    px, py = _point(m, x, y)
    (left, right), (low, high) = svg.spread(m["completeness"]), svg.spread(m["correctness"])
    parts = []
    if left < right:
        parts.append(svg.line(x(left), py, x(right), py, "whisker"))
    if low < high:
        parts.append(svg.line(px, y(low), px, y(high), "whisker"))
    for seed, one in m.by_seed.items() if len(m.seeds) > 1 else ():
        kept, right_share = one["completeness"], one["correctness"]
        if kept is not None and right_share is not None:
            parts.append(svg.dot(x(kept), y(right_share), 2.4, "seed", f"{m.model}, seed {seed}"))
    correctness, completeness = cell(m["correctness"], percent), cell(m["completeness"], percent)
    title = f"{m.model}: correctness {correctness} %, completeness {completeness} %"
    return [*parts, svg.dot(px, py, 5.5, "dot", title)]


def _labels(
    comparison: Comparison,
    models: Sequence[Metrics],
    points: Sequence[tuple[float, float]],
    texts: Sequence[Box],
    width: float,
) -> list[str]:
    """A name beside every point where it covers no other name, point or text; the legend has those without room."""
    taken = [*texts]
    taken += [(px - 6, py - 6, px + 6, py + 6) for px, py in points]
    parts = []
    for m, (px, py) in zip(models, points, strict=True):
        spots = []
        for dx, dy, anchor in PLACES:
            # And a letter's room, or two names would read as one.
            wide = svg.LETTER * (len(m.model) + 1)
            left = px + dx - (wide if anchor == "end" else 0)
            spots.append((left, py + dy - 11, left + wide, py + dy + 3))
        covered = [sum(_overlap(spot, one) for one in taken) + (spot[0] < 40 or spot[2] > width) for spot in spots]
        best = covered.index(min(covered))
        if covered[best]:
            continue
        taken.append(spots[best])
        dx, dy, anchor = PLACES[best]
        parts.append(f"<g {of(comparison, m.model)}>{svg.text(px + dx, py + dy, m.model, 'label', anchor)}</g>")
    return parts


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _point(one: Metrics, x: Axis, y: Axis) -> tuple[float, float]:
    return x(one["completeness"].value or 0.0), y(one["correctness"].value or 0.0)
