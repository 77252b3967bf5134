"""Whether τ does what it says: where trained models begin to speak, and how right they are where they do."""

from __future__ import annotations

from html import escape
from typing import Literal

from markupsafe import Markup

from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.switch_point import Reading
from rlhalt.evaluation.tables import cell, percent
from rlhalt.report import svg
from rlhalt.report.palette import of
from rlhalt.report.plots import short
from rlhalt.report.svg import Axis


def curves(comparison: Comparison, decoding: str, reading: Literal["matter", "words"]) -> Markup:
    """The share of base's statements that a model makes too, over their probability; dashed: its τ, a ring: its ½."""
    width, height = 500, 330
    x, y = Axis(0, 1, 52, width - 14), Axis(0, 1, height - 50, 34)
    how = {"matter": "also speaks about", "words": "repeats in its words"}[reading]
    parts = svg.frame(
        x, y, "base's recalibrated confidence in what it said, %", f"base's statements that the model {how}, %", percent
    )
    parts.append(svg.line(x.first, y(0.5), x.last, y(0.5), "zero"))
    for one in (one for one in comparison.speaking if one.decoding == decoding):
        its: Reading = getattr(one, reading)
        parts.append(f"<g {of(comparison, one.model)}><title>{escape(one.model)}</title>")
        if one.threshold is not None:
            parts.append(svg.line(x(one.threshold), y(0), x(one.threshold), y(1), "own-threshold"))
        parts.append(svg.path([(x(b.confidence), y(b.accuracy)) for b in its.bins], "curve"))
        for b in its.bins:
            title = f"{one.model}: {percent(b.accuracy)} % of what is right with {percent(b.confidence)} %"
            parts.append(svg.dot(x(b.confidence), y(b.accuracy), 3, "dot", title))
        if its.switch.value is not None:
            title = f"{one.model} passes 50 % at {cell(its.switch, percent)} %"
            parts.append(svg.dot(x(its.switch.value), y(0.5), 6, "open", title))
        parts.append("</g>")
    if not any(getattr(one, reading).bins for one in comparison.speaking if one.decoding == decoding):
        parts.append(svg.note(x, y, "base made too few statements with a verdict to compare"))
    said = f"Base's statements that a model {how}, {decoding}; the table has the numbers"
    return svg.figure(width, height, said, parts)


def correctness(comparison: Comparison, decoding: str) -> Markup:
    """Correctness over the τ trained at, with intervals; on the dashed diagonal the two are equal."""
    width, height = 500, 330
    x, y = Axis(0, 1, 52, width - 14), Axis(0, 1, height - 50, 34)
    parts = svg.frame(x, y, "threshold τ", "correctness of what is said, %", percent, short)
    parts.append(svg.line(x(0), y(0), x(1), y(1), "diagonal"))
    for one in comparison.metrics:
        right = one["correctness"]
        if one.decoding != decoding or one.threshold is None or right.value is None:
            continue
        (low, high), at = svg.spread(right), x(one.threshold)
        parts.append(f"<g {of(comparison, one.model)}>")
        parts.append(svg.line(at, y(low), at, y(high), "whisker"))
        parts.append(svg.dot(at, y(right.value), 5, "dot", f"{one.model}: correctness {cell(right, percent)} %"))
        parts.append("</g>")
    if all(one.threshold is None for one in comparison.metrics):
        parts.append(svg.note(x, y, "no model was trained at a τ"))
    return svg.figure(width, height, f"Correctness over τ, {decoding}; the table has the numbers", parts)
