"""The styles by name: each turns a scored response into pairs at τ, and into the best it could have been."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from rlhalt.errors import InputError, near
from rlhalt.records import HALT_PHRASE, Pair, Scored, Target
from rlhalt.rewards import check_threshold
from rlhalt.training_data.pieces import Side, target, usable
from rlhalt.training_data.styles import cut, flip, reflect, remove

Style = Literal["remove", "unsure", "truncate", "keep", "reflect", "flip"]

CUTS: tuple[Style, ...] = ("unsure", "truncate", "keep")
"""The styles for causal domains: an answer ends where it goes wrong."""

# For each style, the pairs of a response at τ, and their better side; both with the halting phrase.
_STYLES: dict[str, tuple[Callable[[Scored, float, str], Iterator[Pair]], Callable[[Scored, str], Side]]] = {
    "remove": (remove.pairs, remove.ideal),
    "unsure": (functools.partial(cut.pairs, with_phrase=True), functools.partial(cut.ideal, with_phrase=True)),
    "truncate": (functools.partial(cut.pairs, with_phrase=False), functools.partial(cut.ideal, with_phrase=False)),
    "keep": (cut.keep, functools.partial(cut.ideal, with_phrase=True)),
    "reflect": (reflect.pairs, reflect.ideal),
    "flip": (flip.pairs, flip.ideal),
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
        raise InputError(
            f"expected one of {', '.join(get_args(Style))}, found '{style}'{near(style, _STYLES)}", field="style"
        )


def pairs(rows: Iterable[Scored], threshold: float, style: Style, phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """The preference pairs of scored responses at τ; none whose two sides say the same, which would prefer nothing.

    Args:
        phrase: what the domain halts with; also of `ideal` and `targets`.

    Raises:
        InputError: τ outside (0, 1), or an unknown style.

    >>> from rlhalt.records import Fragment, Scored
    >>> text = "It is in Asia. Its capital is Rome."
    >>> right = Fragment(0, 14, "sentence", text[:14], "correct")
    >>> wrong = Fragment(15, 35, "sentence", text[15:], "incorrect")
    >>> question = [{"role": "user", "content": "Where is it?"}]
    >>> row = Scored("1", "q", 0, question, text, {}, "mine", "train", "stop", {}, 9, [right, wrong])
    >>> for one in pairs([row], 0.8, "remove"):
    ...     print(f"{one.weight:.1f}", one.chosen[0]["content"], "≻", one.rejected[0]["content"])
    0.2 It is in Asia. ≻ Unsure from here.
    0.8 It is in Asia. ≻ It is in Asia. Its capital is Rome.
    """
    check_threshold(threshold)
    check_style(style)
    make, _ = _STYLES[style]
    for row in rows:
        if usable(row):
            yield from (one for one in make(row, threshold, phrase) if not one.same_sides)


def ideal(row: Scored, style: Style, phrase: str = HALT_PHRASE) -> str:
    """The best a response without a failed fragment could have been: the better side of the style's pairs.

    Raises:
        InputError: an unknown style.
    """
    check_style(style)
    _, make = _STYLES[style]
    return "".join(make(row, phrase))


def targets(rows: Iterable[Scored], style: Style, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """Supervised targets: what the response should have been, one a scored response (HALT, arXiv 2506.04051, §3).

    See `ideal`: for `remove` the right fragments, for `unsure` what comes before the first wrong one and then the
    halting phrase, for `reflect` the response with a reflection (UNIT), and so on. A response without a wrong fragment
    stays as it is; nothing at all becomes the halting phrase.

    Raises:
        InputError: an unknown style.

    >>> from rlhalt.records import Fragment, Scored
    >>> text = "It is in Asia. Its capital is Rome."
    >>> right = Fragment(0, 14, "sentence", text[:14], "correct")
    >>> wrong = Fragment(15, 35, "sentence", text[15:], "incorrect")
    >>> question = [{"role": "user", "content": "Where is it?"}]
    >>> row = Scored("1", "q", 0, question, text, {}, "mine", "train", "stop", {}, 9, [right, wrong])
    >>> [one.completion[0]["content"] for one in targets([row], "unsure")]
    ['It is in Asia. Unsure from here.']
    """
    for row in rows:
        if usable(row):
            yield target(row, ideal(row, style, phrase), style)
