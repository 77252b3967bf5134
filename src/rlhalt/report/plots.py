"""The figures of the report about utility, differences and calibration; see `frontier`, `halting` and `winloss` too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.calibration import Calibration
from rlhalt.evaluation.comparison import Comparison, Difference
from rlhalt.evaluation.significance import Significance
from rlhalt.evaluation.tables import cell, number, percent
from rlhalt.report import svg
from rlhalt.report.findings import p_value, shown, strongest
from rlhalt.report.forest import Mark, Panel, ends, forest
from rlhalt.report.palette import colour
from rlhalt.report.svg import Axis


def short(value: float) -> str:
    """A tick as it is, with a real minus sign."""
    return f"{value or 0.0:g}".replace("-", "−")


def points(share: float) -> str:
    """A tick in points."""
    return short(round(100 * share, 6))


def utility_lines(comparison: Comparison, decoding: str) -> Markup:
    """The utility of every model over all τ: right - τ (right + wrong), a straight line; a dot where it was trained.

    Diamonds are base cut by its recalibrated confidence, the strongest at each τ.
    """
    width, height = 500, 330
    its = [one for one in comparison.metrics if one.decoding == decoding]
    lines = {one.model: (one["right"].value or 0.0, one["wrong"].value or 0.0) for one in its}
    x = Axis(0, 1, 52, width - 14)
    y = Axis(*svg.around([0.0, *(v for right, wrong in lines.values() for v in (right, -wrong))], 0.5), height - 50, 34)
    parts = svg.frame(x, y, "threshold τ", "utility a response", short)
    parts.append(svg.line(x.first, y(0), x.last, y(0), "zero"))
    for one in its:
        right, wrong = lines[one.model]
        parts.append(f'<g style="--c:{colour(comparison, one.model)}"><title>{escape(one.model)}</title>')
        parts.append(svg.path([(x(0), y(right)), (x(1), y(-wrong))], "curve"))
        if one.threshold is not None:
            earned = right - one.threshold * (right + wrong)
            title = f"{one.model} at its own τ: {number(earned)}"
            parts.append(svg.dot(x(one.threshold), y(earned), 5, "dot", title))
        parts.append("</g>")
    for t in comparison.thresholds:
        cut = strongest(comparison, decoding, t)
        if cut is not None and cut.utility.value is not None:
            title = f"base, recalibrated, at τ = {t:g}: {number(cut.utility.value)}"
            parts.append(svg.diamond(x(t), y(cut.utility.value), 5.5, "cut", title))
    return svg.figure(width, height, f"Utility over τ, {decoding}; the table has the numbers", parts)


def utilities(comparison: Comparison) -> Markup:
    """The utility of every model at each τ, a panel a τ: greedy filled, sampled open; trained at that τ: shaded."""
    models = comparison.models

    def marks(model: str, t: float) -> list[Mark]:
        its = [(decoding, comparison.get(model, decoding).utility[t]) for decoding in comparison.decodings]
        return [
            Mark(one, colour(comparison, model), f"{model}, {decoding}: {cell(one, number)}", decoding == "greedy")
            for decoding, one in its
        ]

    drawn = {t: [marks(model, t) for model in models] for t in comparison.thresholds}
    low, high = svg.around([end for rows in drawn.values() for end in ends(rows)], 0.25)
    trained = [comparison.get(model, comparison.decodings[0]).threshold for model in models]
    panels = [
        Panel(f"at τ = {t:g}", rows, low, high, short, [i for i, own in enumerate(trained) if own == t])
        for t, rows in drawn.items()
    ]
    return forest("Utility a response of every model at each threshold", models, panels)


def differences(comparison: Comparison, decoding: str) -> Markup:
    """Every paired difference: filled where it is shown after correction, over a band of what is likely missed."""
    its = [one for one in comparison.differences if one.decoding == decoding]

    def panel(
        title: str, name: str, of: Callable[[Difference], Estimate], form: Callable[[float], str], step: float
    ) -> Panel:
        rows = [[_tested(comparison, one, of(one), one.tests[name], title, form)] for one in its]
        return Panel(title, rows, *svg.around(ends(rows), step), form)

    panels = [
        panel("correctness, points", "correctness", lambda one: one.correctness, points, 0.05),
        panel("completeness, points", "completeness", lambda one: one.completeness, points, 0.05),
    ]
    for t in comparison.thresholds:
        panels.append(panel(f"utility at τ = {t:g}", f"utility@{t:g}", lambda one, t=t: one.utility[t], short, 0.25))  # type: ignore[misc]
    names = [f"{one.model} − {one.versus}" for one in its]
    return forest("Paired differences; the table below has the numbers", names, panels)


def _tested(
    comparison: Comparison,
    one: Difference,
    gain: Estimate,
    test: Significance,
    title: str,
    form: Callable[[float], str],
) -> Mark:
    said = f"{one.model} − {one.versus}, {title}: {cell(gain, percent if form is points else number)}, {p_value(test)}"
    return Mark(gain, colour(comparison, one.model), said, shown(test), test.detectable)


def gains(comparison: Comparison, decoding: str) -> Markup:
    """What every trained model earns beyond the strongest recalibrated base, a panel a τ; trained at that τ: shaded."""
    trained = [model for model in comparison.models if model != "base"]
    own = [comparison.get(model, decoding).threshold for model in trained]
    drawn: dict[float, Sequence[Sequence[Mark]]] = {}
    for t in comparison.thresholds:
        cut = strongest(comparison, decoding, t)
        if cut is not None:
            drawn[t] = [
                [
                    Mark(
                        cut.gains[model],
                        colour(comparison, model),
                        f"{model}: {cell(cut.gains[model], number)}",
                        cut.gains[model].includes_zero is False,
                    )
                ]
                for model in trained
            ]
    low, high = svg.around([end for rows in drawn.values() for end in ends(rows)] or [0.0], 0.25)
    panels = [
        Panel(f"at τ = {t:g}", rows, low, high, short, [i for i, at in enumerate(own) if at == t])
        for t, rows in drawn.items()
    ]
    return forest("Utility beyond that of base, recalibrated and cut", trained, panels)


def reliability(comparison: Comparison, one: Calibration) -> Markup:
    """Accuracy over confidence in bins; the area of a dot is its share of the fragments, the diagonal is calibrated."""
    size = 190
    x, y = Axis(0, 1, 34, size - 8), Axis(0, 1, size - 30, 26)
    parts = [svg.text(0, 13, one.model, "label")]
    for tick in (0.0, 0.5, 1.0):
        parts += [
            svg.line(x.first, y(tick), x.last, y(tick), "grid"),
            svg.line(x(tick), y.first, x(tick), y.last, "grid"),
        ]
        parts += [
            svg.text(x.first - 6, y(tick) + 4, percent(tick), "tick", "end"),
            svg.text(x(tick), y.first + 16, percent(tick), "tick", "middle"),
        ]
    parts += [svg.line(x(0), y(0), x(1), y(1), "diagonal"), f'<g style="--c:{colour(comparison, one.model)}">']
    # Bins of a handful of fragments would make the line jump about; their dots are small enough to say so.
    parts.append(svg.path([(x(b.confidence), y(b.accuracy)) for b in one.bins if b.n >= 0.01 * one.n], "curve thin"))
    for b in one.bins:
        radius = max(1.6, 13 * np.sqrt(b.n / one.n))
        title = f"confidence {percent(b.confidence)} %, correct {percent(b.accuracy)} %, {b.n} fragments"
        parts.append(svg.dot(x(b.confidence), y(b.accuracy), float(radius), "bubble", title))
    parts.append("</g>")
    parts.append(svg.text(size - 8, 13, f"ECE {cell(one.ece, number).value}", "tick", "end"))
    return svg.figure(size, size, f"Reliability of {one.confidence}, {one.model}", parts)


def risk_coverage(comparison: Comparison, confidence: str) -> Markup:
    """The share of wrong fragments among the most confident, over how many are kept, a line a model."""
    lines = [one for one in comparison.calibrations if one.confidence == confidence and one.curve]
    # The first few fragments make a jagged line that says nothing: start where twenty are kept.
    curves = {one.model: [p for p in one.curve if p[0] * one.n >= 20] or one.curve for one in lines}
    width, height = 460, 300
    x = Axis(0, 1, 52, width - 14)
    y = Axis(*svg.around([0.0, *(risk for curve in curves.values() for _, risk in curve)], 0.1), height - 50, 34)
    parts = svg.frame(x, y, "coverage: most confident fragments kept, %", "risk: wrong among them, %", percent)
    for model, curve in curves.items():
        parts.append(f'<g style="--c:{colour(comparison, model)}"><title>{escape(model)}</title>')
        parts.append(svg.path([(x(coverage), y(risk)) for coverage, risk in curve], "curve"))
        parts.append("</g>")
    return svg.figure(width, height, f"Risk over coverage by {confidence}", parts)
