"""Estimates with their intervals, a row a model, panels side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from markupsafe import Markup

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.report import svg
from rlhalt.report.svg import WIDE, Axis

ROW = 32


@dataclasses.dataclass(frozen=True)
class Mark:
    """One estimate.

    Attributes:
        filled: whether its dot is filled.
        cut: whether it is of a model + cut, drawn as a diamond.
        unseen: what lies nearer to 0 than this would probably not be shown; drawn as a band.
    """

    estimate: Estimate
    colour: str
    title: str
    filled: bool = True
    unseen: float | None = None
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class Panel:
    """One column: its marks, a list a row, and the scale they are drawn on.

    Attributes:
        shaded: rows that are set off.
    """

    title: str
    marks: Sequence[Sequence[Mark]]
    low: float
    high: float
    form: Callable[[float], str]
    shaded: Sequence[int] = ()


def ends(marks: Sequence[Sequence[Mark]]) -> list[float]:
    """All that a scale must reach, 0 with it."""
    drawn = [mark for row in marks for mark in row if mark.estimate.value is not None]
    return [0.0, *(end for mark in drawn for end in svg.spread(mark.estimate))]


def forest(label: str, rows: Sequence[str], panels: Sequence[Panel]) -> Markup:
    """The panels as one figure, the names of the rows at the left."""
    gutter, top = svg.gutter(rows), 46
    height = top + ROW * len(rows) + 34
    wide = (WIDE - gutter) / len(panels)
    parts = [svg.text(0, top + ROW * (i + 0.5) + 4, name, "label") for i, name in enumerate(rows)]
    for column, panel in enumerate(panels):
        first = gutter + column * wide
        x = Axis(panel.low, panel.high, first + 10, first + wide - 16)
        parts.append(svg.text(x.first, 16, panel.title, "panel"))
        for i in panel.shaded:
            parts.append(svg.box(first + 2, top + ROW * i + 2, first + wide - 8, top + ROW * (i + 1) - 2, "own"))
        for i, marks in enumerate(panel.marks):
            reach = next((mark.unseen for mark in marks if mark.unseen is not None), None)
            if reach is not None:
                low, high = x(max(-reach, panel.low)), x(min(reach, panel.high))
                parts.append(svg.box(low, top + ROW * i + 5, high, top + ROW * (i + 1) - 5, "unseen"))
        for tick in x.ticks(4 if len(panels) < 4 else 3):
            parts.append(svg.line(x(tick), top - 12, x(tick), height - 30, "zero" if tick == 0 else "grid"))
            parts.append(svg.text(x(tick), height - 12, panel.form(tick), "tick", "middle"))
        for i, marks in enumerate(panel.marks):
            for j, mark in enumerate(marks):
                parts += _drawn(mark, x, top + ROW * (i + 0.5) + (j - (len(marks) - 1) / 2) * 11)
    return svg.figure(WIDE, height, label, parts)


def _drawn(mark: Mark, x: Axis, at: float) -> list[str]:
    if mark.estimate.value is None:
        return []
    left, right = svg.spread(mark.estimate)
    kind = "dot" if mark.filled else "open"
    drawn = (
        svg.diamond(x(mark.estimate.value), at, 5.4, kind, mark.title)
        if mark.cut
        else svg.dot(x(mark.estimate.value), at, 4.2, kind, mark.title)
    )
    return [f'<g style="--c:{mark.colour}">', svg.line(x(left), at, x(right), at, "whisker"), drawn, "</g>"]
