"""The figures of the report about utility, differences and calibration; see `frontier`, `halting` and `winloss` too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.calibration import Calibration
from rlhalt.evaluation.comparison import Comparison, Difference, Metrics
from rlhalt.evaluation.design import CUT, Model
from rlhalt.evaluation.significance import Significance
from rlhalt.evaluation.tables import MANY, cell, number, percent
from rlhalt.report import svg
from rlhalt.report.findings import p_value
from rlhalt.report.forest import Mark, Panel, ends, forest
from rlhalt.report.palette import colour, of
from rlhalt.report.svg import Axis


def short(value: float) -> str:
    """A tick as it is, with a real minus sign."""
    return f"{value or 0.0:g}".replace("-", "−")


def points(share: float) -> str:
    """A tick in points."""
    return short(round(100 * share, 6))


def utility_lines(comparison: Comparison, decoding: str) -> Markup:
    """The utility of every model over all τ: a straight line, a dot where it was trained, a dashed curve for it + cut.

    Diamonds stand where the table has numbers. Of many models, base alone has a curve.
    """
    width, height = 500, 330
    its = [one for one in comparison.metrics if one.decoding == decoding]
    lines = {one.model: _ends(one) for one in its}
    x = Axis(0, 1, 52, width - 14)
    # One scale for all decodings: the figures stand beside each other.
    y = Axis(*svg.around([0.0, *(end for one in comparison.metrics for end in _ends(one))], 0.5), height - 50, 34)
    parts = svg.frame(x, y, "threshold τ", "utility per response", short)
    parts.append(svg.line(x.first, y(0), x.last, y(0), "zero"))
    for one in its:
        at_0, at_1 = lines[one.model]
        parts.append(f"<g {of(comparison, one.model)}><title>{escape(one.model)}</title>")
        parts.append(svg.path([(x(0), y(at_0)), (x(1), y(at_1))], "curve"))
        if one.threshold is not None:
            earned = one.utility[one.threshold].value or 0.0
            title = f"{one.model} at its own τ: {number(earned)}"
            parts.append(svg.dot(x(one.threshold), y(earned), 5, "dot", title))
        if one.role == "base" or len(its) <= MANY:
            parts.append(svg.path([(x(t), y(earned)) for t, earned in one.cut_curve.items()], "curve cut-curve"))
            for t, cut in one.utility_cut.items():
                if cut.value is not None:
                    title = f"{one.model} + cut at τ = {t:g}: {number(cut.value)}"
                    parts.append(svg.diamond(x(t), y(cut.value), 5, "cut", title))
        parts.append("</g>")
    return svg.figure(width, height, f"Utility over τ, {decoding}; the table has the numbers", parts)


def _ends(one: Metrics) -> tuple[float, float]:
    """The utility at τ = 0, where only right facts count, and at τ = 1, where only what costs does."""
    right = one["right"].value or 0.0
    t, earned = max(one.utility.items())
    return right, right - (right - (earned.value or 0.0)) / t


def utilities(comparison: Comparison, decoding: str) -> Markup:
    """The utility of every model at each τ, a panel a τ: as it is (dots), + cut (diamonds); trained at it: shaded."""
    models = [comparison.get(model, decoding) for model in comparison.models]
    everywhere = [one for m in comparison.metrics for one in (*m.utility.values(), *m.utility_cut.values())]

    def marks(one: Metrics, t: float) -> list[Mark]:
        hue = colour(comparison, one.model)
        return [
            Mark(one.utility[t], hue, f"{one.model}: {cell(one.utility[t], number)}"),
            Mark(one.utility_cut[t], hue, f"{one.model} + cut: {cell(one.utility_cut[t], number)}", cut=True),
        ]

    drawn = {t: [marks(model, t) for model in models] for t in comparison.thresholds}
    low, high = svg.around(
        [0.0, *(end for one in everywhere if one.value is not None for end in svg.spread(one))], 0.25
    )
    panels = [
        Panel(f"at τ = {t:g}", rows, low, high, short, [i for i, one in enumerate(models) if one.threshold == t])
        for t, rows in drawn.items()
    ]
    return forest(f"Utility per response of every model at each threshold, {decoding}", comparison.models, panels)


def differences(comparison: Comparison, decoding: str) -> Markup:
    """Paired differences of models as they are: filled where one is shown, over a band of what is likely missed."""
    its = [one for one in comparison.differences if one.decoding == decoding and "correctness" in one.estimates]

    def panels_of(names: Mapping[str, str], form: Callable[[float], str], step: float) -> list[Panel]:
        """One per measure, on one scale, so that lengths can be compared."""
        drawn = {
            title: [[_tested(comparison, one, one.estimates[name], one.tests[name], title, form)] for one in its]
            for name, title in names.items()
        }
        scale = svg.around([end for rows in drawn.values() for end in ends(rows)], step)
        return [Panel(title, rows, *scale, form) for title, rows in drawn.items()]

    shares = {name: f"{name}, points" for name in ("correctness", "completeness")}
    utilities = {f"utility@{t:g}": f"utility at τ = {t:g}" for t in comparison.thresholds}
    panels = [*panels_of(shares, points, 0.05), *panels_of(utilities, short, 0.25)]
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
    return Mark(gain, colour(comparison, one.model), said, test.shows(gain), test.detectable)


def gains(comparison: Comparison, decoding: str) -> Markup:
    """What a model earns beyond base + cut, as it is (dots) or + cut (diamonds); a panel a τ, trained at it: shaded."""
    others = comparison.design.others
    drawn = {t: [_beyond(comparison, one, decoding, t) for one in others] for t in comparison.thresholds}
    everywhere = [
        _beyond(comparison, one, each, t)
        for one in others
        for each in comparison.decodings
        for t in comparison.thresholds
    ]
    low, high = svg.around(ends(everywhere), 0.25)
    panels = [
        Panel(f"at τ = {t:g}", rows, low, high, short, [i for i, one in enumerate(others) if one.threshold == t])
        for t, rows in drawn.items()
    ]
    return forest("Utility beyond that of base + cut", [one.label for one in others], panels)


def _beyond(comparison: Comparison, model: Model, decoding: str, t: float) -> list[Mark]:
    hue = colour(comparison, model.label)
    as_it_is = comparison.less_base_cut(model.label, decoding, t)
    both = comparison.difference(f"{model.label}{CUT}", f"{comparison.base}{CUT}", decoding)
    cut = both.utility[t] if both else Estimate(None)
    shown = both is not None and both.tests[f"utility@{t:g}"].shows(cut)
    return [
        Mark(as_it_is, hue, f"{model.label}: {cell(as_it_is, number)}, not tested", filled=False),
        Mark(cut, hue, f"{model.label} + cut: {cell(cut, number)}", filled=shown, cut=True),
    ]


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
    parts += [svg.line(x(0), y(0), x(1), y(1), "diagonal"), f"<g {of(comparison, one.model)}>"]
    # Bins of a handful of fragments would make the line jump about; their dots are small enough to say so.
    parts.append(svg.path([(x(b.confidence), y(b.accuracy)) for b in one.bins if b.n >= 0.01 * one.n], "curve thin"))
    for b in one.bins:
        radius = max(1.6, 13 * np.sqrt(b.n / one.n))
        title = f"confidence {percent(b.confidence)} %, correct {percent(b.accuracy)} %, {b.n} fragments"
        parts.append(svg.dot(x(b.confidence), y(b.accuracy), float(radius), "bubble", title))
    parts.append("</g>")
    if not one.bins:
        parts.append(svg.note(x, y, "no facts with a verdict"))
    parts.append(svg.text(size - 8, 13, f"ECE {cell(one.ece, number).value}", "tick", "end"))
    return svg.figure(size, size, f"Reliability of {one.confidence}, {one.model}", parts)


def risk_coverage(comparison: Comparison, confidence: str) -> Markup:
    """The share of wrong fragments among the most confident, over how many are kept, a line a model."""
    lines = [one for one in comparison.calibrations if one.confidence == confidence and one.curve]
    # The first few fragments make a jagged line that says nothing: start where twenty are kept.
    curves = {one.model: [p for p in one.curve if p[0] * one.n >= 20] or one.curve for one in lines}
    width, height = 460, 300
    x = Axis(0, 1, 52, width - 14)
    # One scale for all confidences: the figures stand beside each other.
    highest = [risk for one in comparison.calibrations for kept, risk in one.curve if kept * one.n >= 20]
    drawn = [risk for curve in curves.values() for _, risk in curve]
    y = Axis(*svg.around([0.0, *highest, *drawn], 0.1), height - 50, 34)
    parts = svg.frame(x, y, "coverage: most confident fragments kept, %", "risk: wrong among them, %", percent)
    for model, curve in curves.items():
        parts.append(f"<g {of(comparison, model)}><title>{escape(model)}</title>")
        parts.append(svg.path([(x(coverage), y(risk)) for coverage, risk in curve], "curve"))
        parts.append("</g>")
    if not curves:
        parts.append(svg.note(x, y, "no fact has both this confidence and a verdict"))
    return svg.figure(width, height, f"Risk over coverage by {confidence}", parts)
