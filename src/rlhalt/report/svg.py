"""What figures are made of: scales, and SVG as text.

Drawn by hand, so that figures take their colours from the page: a class or a custom property names the colour, the
style sheet decides what it is on light and on dark paper. Lengths are pixels of the view box.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from rlhalt.evaluation.bootstrap import Estimate

WIDE = 1040
LETTER = 7.0


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

    def ticks(self, about: int = 5, whole: bool = False) -> list[float]:
        """Round values inside the scale, about so many; `whole` numbers only, for what is counted."""
        span = (self.high - self.low) / about
        power = 10.0 ** np.floor(np.log10(span))
        step = float(power * min((m for m in (1, 2, 2.5, 5, 10) if m * power >= span - 1e-12), default=10))
        step = float(np.ceil(step)) if whole else step
        first = np.ceil(self.low / step - 1e-9)
        return [float(i * step) for i in np.arange(first, np.floor(self.high / step + 1e-9) + 1)]


def around(values: Sequence[float], step: float) -> tuple[float, float]:
    """The range of the values, widened to whole steps."""
    low, high = np.floor(min(values) / step + 1e-9) * step, np.ceil(max(values) / step - 1e-9) * step
    return float(low), float(high if high > low else low + step)


def figure(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    """The parts as one picture, which a screen reader calls by its label."""
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line of a class of the style sheet."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words at a point, escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="{kind}"/>'


def frame(
    x: Axis,
    y: Axis,
    x_title: str,
    y_title: str,
    form: Callable[[float], str],
    x_form: Callable[[float], str] | None = None,
    x_whole: bool = False,
) -> list[str]:
    """Grid lines, tick labels and titles of both axes; `x_form` where x is written in another way than y."""
    parts = []
    for tick in y.ticks():
        parts += [
            line(x.first, y(tick), x.last, y(tick), "grid"),
            text(x.first - 7, y(tick) + 4, form(tick), "tick", "end"),
        ]
    for tick in x.ticks(whole=x_whole):
        parts += [
            line(x(tick), y.first, x(tick), y.last, "grid"),
            text(x(tick), y.first + 17, (x_form or form)(tick), "tick", "middle"),
        ]
    parts.append(text((x.first + x.last) / 2, y.first + 36, x_title, "title", "middle"))
    parts.append(text(x.first, y.last - 12, y_title, "title"))
    return parts


def note(x: Axis, y: Axis, words: str) -> str:
    """Why there is nothing in a frame, in its middle."""
    return text((x.first + x.last) / 2, (y.first + y.last) / 2, words, "tick", "middle")


def spread(one: Estimate) -> tuple[float, float]:
    """Both ends of the interval; the value itself where there is none."""
    value = one.value or 0.0
    return (value if one.low is None else one.low), (value if one.high is None else one.high)


def dot(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    """A circle, with what it says when pointed at."""
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{kind}">{said}</circle>'


def box(x1: float, y1: float, x2: float, y2: float, kind: str, title: str = "") -> str:
    """A rectangle between two corners, with what it says when pointed at."""
    said = f"<title>{escape(title)}</title>" if title else ""
    size = f'width="{max(0.0, x2 - x1):.1f}" height="{y2 - y1:.1f}"'
    return f'<rect x="{x1:.1f}" y="{y1:.1f}" {size} class="{kind}">{said}</rect>'


def diamond(x: float, y: float, radius: float, kind: str, title: str) -> str:
    """A square on its corner, with what it says when pointed at."""
    corners = f"{x:.1f},{y - radius:.1f} {x + radius:.1f},{y:.1f} {x:.1f},{y + radius:.1f} {x - radius:.1f},{y:.1f}"
    return f'<polygon points="{corners}" class="{kind}"><title>{escape(title)}</title></polygon>'


def gutter(names: Sequence[str]) -> float:
    """Room for the names of rows at the left."""
    return max(90.0, LETTER * max(map(len, names), default=0) + 14)
