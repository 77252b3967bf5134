"""The figures of the report as inline SVG.

Drawn by hand, so that they take their colours from the page: a class or a custom property names the colour, the style
sheet decides what it is on light and on dark paper. Lengths are pixels of the view box.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.calibration import Calibration
from rlhalt.evaluation.comparison import Comparison, Metrics
from rlhalt.evaluation.tables import cell, number, percent

WIDE = 1040


@dataclasses.dataclass(frozen=True)
class Axis:
    """A linear scale from values to pixels; `first` may be larger than `last` (the y axis points down)."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Where the value lies, in pixels."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale, about so many."""
        span = (self.high - self.low) / about
        power = 10.0 ** np.floor(np.log10(span))
        step = float(power * min((m for m in (1, 2, 2.5, 5, 10) if m * power >= span - 1e-12), default=10))
        first = np.ceil(self.low / step - 1e-9)
        return [float(i * step) for i in np.arange(first, np.floor(self.high / step + 1e-9) + 1)]


def around(values: Sequence[float], step: float) -> tuple[float, float]:
    """The range of the values, widened to whole steps."""
    low, high = np.floor(min(values) / step + 1e-9) * step, np.ceil(max(values) / step - 1e-9) * step
    return float(low), float(high if high > low else low + step)


def colour(comparison: Comparison, model: str) -> str:
    """The custom property of a model's colour: its own for base and SFT, one hue in shades by τ for the others."""
    one = comparison.get(model, comparison.decodings[0])
    if one.threshold is None:
        return {"base": "var(--base)", "SFT": "var(--sft)"}.get(one.name, "var(--other)")
    shades = sorted({other.threshold for other in comparison.metrics if other.threshold is not None})
    place = 1.0 if len(shades) == 1 else shades.index(one.threshold) / (len(shades) - 1)
    return f"color-mix(in oklab, var(--dpo-high) {round(100 * place)}%, var(--dpo-low))"


def legend(comparison: Comparison) -> Markup:
    """Every model beside its colour."""
    keys = "".join(
        f'<li><span class="key" style="--c:{colour(comparison, model)}"></span>{escape(model)}</li>'
        for model in comparison.models
    )
    return Markup(f'<ul class="legend">{keys}</ul>')


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _path(points: Sequence[tuple[float, float]], kind: str) -> str:
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="{kind}"/>'


def _frame(x: Axis, y: Axis, x_title: str, y_title: str, form: Callable[[float], str], about: int = 5) -> list[str]:
    """Grid lines, tick labels and titles of both axes."""
    parts = []
    for tick in y.ticks(about):
        parts += [
            _line(x.first, y(tick), x.last, y(tick), "grid"),
            _text(x.first - 7, y(tick) + 4, form(tick), "tick", "end"),
        ]
    for tick in x.ticks(about):
        parts += [
            _line(x(tick), y.first, x(tick), y.last, "grid"),
            _text(x(tick), y.first + 17, form(tick), "tick", "middle"),
        ]
    parts.append(_text((x.first + x.last) / 2, y.first + 36, x_title, "title", "middle"))
    parts.append(_text(x.first, y.last - 12, y_title, "title"))
    return parts


def _spread(one: Estimate) -> tuple[float, float]:
    """Both ends of the interval; the value itself where there is none."""
    value = one.value or 0.0
    return (value if one.low is None else one.low), (value if one.high is None else one.high)


def trade_off(comparison: Comparison, decoding: str) -> Markup:
    """Correctness over completeness, a point a model with both intervals, the values of τ joined."""
    shown = [
        m for m in comparison.metrics if m["correctness"].value is not None and m["completeness"].value is not None
    ]
    ends_x = [end for m in shown for end in _spread(m["completeness"])]
    ends_y = [end for m in shown for end in _spread(m["correctness"])]
    width, height = 500, 380
    x = Axis(*around([*ends_x, 1.0], 0.1), 52, width - 16)
    y = Axis(*around(ends_y or [0.0, 1.0], 0.1), height - 50, 34)
    parts = _frame(x, y, "completeness: right facts, % of base", "correctness, %", percent)
    here = [m for m in shown if m.decoding == decoding]
    for name in dict.fromkeys(m.name for m in here if m.threshold is not None):
        parts.append(_path([_point(m, x, y) for m in here if m.name == name], "joined"))
    for m in here:
        px, py = _point(m, x, y)
        (left, right), (low, high) = _spread(m["completeness"]), _spread(m["correctness"])
        correctness, completeness = cell(m["correctness"], percent), cell(m["completeness"], percent)
        parts.append(f'<g style="--c:{colour(comparison, m.model)}">')
        if left < right:
            parts.append(_line(x(left), py, x(right), py, "whisker"))
        if low < high:
            parts.append(_line(px, y(low), px, y(high), "whisker"))
        if len(m.seeds) > 1:
            seeds = [(one["completeness"], one["correctness"]) for one in m.by_seed.values()]
            parts += [
                f'<circle cx="{x(r):.1f}" cy="{y(p):.1f}" r="2.2" class="seed"/>'
                for r, p in seeds
                if r is not None and p is not None
            ]
        parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5.5" class="dot"><title>{escape(m.model)}: '
            f"correctness {correctness} %, completeness {completeness} %</title></circle></g>"
        )
        label = m.model if m.threshold is None or m is here[-1] else f"τ={m.threshold:g}"
        # Base sits at the right edge and SFT often just below the curve of τ: their labels go to the left and below.
        left_below = m.threshold is None
        parts.append(
            _text(
                px + (-8 if left_below else 8),
                py + (17 if left_below else -9),
                label,
                "label",
                "end" if left_below else "start",
            )
        )
    return _svg(width, height, f"Correctness over completeness, {decoding}", parts)


def _point(one: Metrics, x: Axis, y: Axis) -> tuple[float, float]:
    return x(one["completeness"].value or 0.0), y(one["correctness"].value or 0.0)


def utilities(comparison: Comparison) -> Markup:
    """The utility of every model at each τ, a panel a τ: greedy filled, sampled open; trained at that τ: shaded."""
    models, thresholds = comparison.models, comparison.thresholds
    gutter, row, top = 104, 34, 46
    panel = (WIDE - gutter) / len(thresholds)
    height = top + row * len(models) + 34
    ends = [end for m in comparison.metrics for t in thresholds for end in _spread(m.utility[t])]
    low, high = around([*ends, 0.0], 0.25)
    parts = [_text(0, top + row * (i + 0.5) + 4, model, "label") for i, model in enumerate(models)]
    for column, t in enumerate(thresholds):
        first = gutter + column * panel
        x = Axis(low, high, first + 10, first + panel - 16)
        parts.append(_text(x.first, 16, f"at τ = {t:g}", "panel"))
        for i, model in enumerate(models):
            if comparison.get(model, comparison.decodings[0]).threshold == t:
                box = f'x="{first + 2:.1f}" y="{top + row * i + 2}" width="{panel - 10:.1f}" height="{row - 4}" rx="4"'
                parts.append(f'<rect {box} class="own"/>')
        for tick in x.ticks(4):
            parts += [_line(x(tick), top - 12, x(tick), height - 30, "zero" if tick == 0 else "grid")]
            parts.append(_text(x(tick), height - 12, f"{tick:g}".replace("-", "−"), "tick", "middle"))
        for i, model in enumerate(models):
            parts.append(f'<g style="--c:{colour(comparison, model)}">')
            for j, decoding in enumerate(comparison.decodings):
                one = comparison.get(model, decoding).utility[t]
                if one.value is None:
                    continue
                at = top + row * (i + 0.5) + (j - (len(comparison.decodings) - 1) / 2) * 11
                left, right = _spread(one)
                kind = "dot" if decoding == "greedy" else "open"
                parts.append(_line(x(left), at, x(right), at, "whisker"))
                parts.append(
                    f'<circle cx="{x(one.value):.1f}" cy="{at:.1f}" r="4" class="{kind}"><title>{escape(model)}, '
                    f"{decoding}: {cell(one, number)}</title></circle>"
                )
            parts.append("</g>")
    return _svg(WIDE, height, "Utility a response of every model at each threshold", parts)


def reliability(comparison: Comparison, one: Calibration) -> Markup:
    """Accuracy over confidence in bins; the area of a dot is its share of the fragments, the diagonal is calibrated."""
    size = 190
    x, y = Axis(0, 1, 34, size - 8), Axis(0, 1, size - 30, 26)
    parts = [_text(0, 13, one.model, "label")]
    for tick in (0.0, 0.5, 1.0):
        parts += [_line(x.first, y(tick), x.last, y(tick), "grid"), _line(x(tick), y.first, x(tick), y.last, "grid")]
        parts += [
            _text(x.first - 6, y(tick) + 4, percent(tick), "tick", "end"),
            _text(x(tick), y.first + 16, percent(tick), "tick", "middle"),
        ]
    parts += [_line(x(0), y(0), x(1), y(1), "diagonal"), f'<g style="--c:{colour(comparison, one.model)}">']
    # Bins of a handful of fragments would make the line jump about; their dots are small enough to say so.
    parts.append(_path([(x(b.confidence), y(b.accuracy)) for b in one.bins if b.n >= 0.01 * one.n], "curve thin"))
    for b in one.bins:
        radius = max(1.6, 13 * np.sqrt(b.n / one.n))
        parts.append(
            f'<circle cx="{x(b.confidence):.1f}" cy="{y(b.accuracy):.1f}" r="{radius:.1f}" class="bubble"><title>'
            f"confidence {percent(b.confidence)} %, correct {percent(b.accuracy)} %, {b.n} fragments</title></circle>"
        )
    parts.append("</g>")
    parts.append(_text(size - 8, 13, f"ECE {cell(one.ece, number).value}", "tick", "end"))
    return _svg(size, size, f"Reliability of {one.confidence}, {one.model}", parts)


def risk_coverage(comparison: Comparison, confidence: str) -> Markup:
    """The share of wrong fragments among the most confident, over how many are kept, a line a model."""
    lines = [one for one in comparison.calibrations if one.confidence == confidence and one.curve]
    # The first few fragments make a jagged line that says nothing: start where twenty are kept.
    curves = {one.model: [p for p in one.curve if p[0] * one.n >= 20] or one.curve for one in lines}
    width, height = 460, 300
    x = Axis(0, 1, 52, width - 14)
    y = Axis(*around([0.0, *(risk for curve in curves.values() for _, risk in curve)], 0.1), height - 50, 34)
    parts = _frame(x, y, "coverage: most confident fragments kept, %", "risk: wrong among them, %", percent)
    for model, curve in curves.items():
        parts.append(f'<g style="--c:{colour(comparison, model)}"><title>{escape(model)}</title>')
        parts.append(_path([(x(coverage), y(risk)) for coverage, risk in curve], "curve"))
        parts.append("</g>")
    return _svg(width, height, f"Risk over coverage by {confidence}", parts)
