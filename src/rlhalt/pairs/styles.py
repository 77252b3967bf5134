"""The styles by name: each turns a scored response into pairs at τ, and into the best it could have been."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from rlhalt.credit import check_threshold
from rlhalt.errors import InputError
from rlhalt.pairs import cut, hedge, omit, reflect
from rlhalt.pairs.pieces import Side, target
from rlhalt.records import Pair, Scored, Target

Style = Literal["remove", "unsure", "truncate", "keep", "reflect", "flip"]

# For each style, the pairs of a response at τ, and their better side.
_STYLES: dict[str, tuple[Callable[[Scored, float], Iterator[Pair]], Callable[[Scored], Side]]] = {
    "remove": (omit.pairs, omit.ideal),
    "unsure": (functools.partial(cut.pairs, phrase=True), functools.partial(cut.ideal, phrase=True)),
    "truncate": (functools.partial(cut.pairs, phrase=False), functools.partial(cut.ideal, phrase=False)),
    "keep": (cut.keep, functools.partial(cut.ideal, phrase=True)),
    "reflect": (reflect.pairs, reflect.ideal),
    "flip": (hedge.pairs, hedge.ideal),
}


def default_style(halting: Literal["independent", "causal"]) -> Style:
    """The style that fits a domain's halting."""
    return "remove" if halting == "independent" else "unsure"


def check_style(style: str) -> None:
    """See that a style is known.

    Raises:
        InputError: it is not; the known ones are listed, and the one it is near to is named.
    """
    if style not in _STYLES:
        near = difflib.get_close_matches(str(style), _STYLES, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"expected one of {', '.join(get_args(Style))}, found '{style}'{hint}", field="style")


def pairs(rows: Iterable[Scored], threshold: float, style: Style) -> Iterator[Pair]:
    """The preference pairs of scored responses at τ; none whose two sides say the same, which would prefer nothing.

    Raises:
        InputError: τ outside (0, 1), or an unknown style.
    """
    check_threshold(threshold)
    check_style(style)
    make, _ = _STYLES[style]
    for row in rows:
        if not row.failed:
            yield from (one for one in make(row, threshold) if not one.same_sides)


def ideal(row: Scored, style: Style) -> str:
    """The best a response without a failed fragment could have been: the better side of the style's pairs.

    Raises:
        InputError: an unknown style.
    """
    check_style(style)
    _, make = _STYLES[style]
    return "".join(make(row))


def targets(rows: Iterable[Scored], style: Style) -> Iterator[Target]:
    """Supervised targets: what the response should have been, one a scored response (HALT, arXiv 2506.04051, §3).

    See `ideal`: for `remove` the right fragments, for `unsure` what comes before the first wrong one and then "Unsure
    from here.", for `reflect` the response with a reflection (UNIT), and so on. A response without a wrong fragment
    stays as it is; nothing at all becomes "Unsure from here.".

    Raises:
        InputError: an unknown style.
    """
    for row in rows:
        if not row.failed:
            yield target(row, ideal(row, style), style)
