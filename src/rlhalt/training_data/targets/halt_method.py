"""HALT (arXiv 2506.04051), the same per τ, and the baselines it is compared with: one target a prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.rewards import check_threshold
from rlhalt.training_data.pieces import Side, finished, pieces, right, target, until_wrong, whole, wrong
from rlhalt.training_data.styles import CUTS, Style, check_style, cut, ideal
from rlhalt.training_data.targets import self_consistency
from rlhalt.training_data.targets.selection import Reading, at_percentile, by_prompt


def halt(
    rows: Iterable[Scored], style: Style, percentile: float, reading: Reading, phrase: str = HALT_PHRASE
) -> Iterator[Target]:
    """The response that `at_percentile` takes, rid of what is wrong in it as the style does it.

    Raises:
        InputError: see `at_percentile`; an unknown style.
    """
    for row in at_percentile(rows, percentile, reading):
        yield target(row, ideal(row, style, phrase), "halt")


def halt_per_tau(rows: Iterable[Scored], style: Style, threshold: float, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """HALT per τ: a fragment is kept iff it is right *and* its odds over the prompt's N responses are τ or more.

    The percentile of HALT chooses a response and knows no odds; here a right fragment that the model is not likely to
    get right goes the way of a wrong one (left out, cut before, listed or hedged, as the style does it). Odds are by
    position in the styles that cut, by agreement in the others, see `self_consistency`. Of a prompt's N responses the
    one is taken of which most is kept, the first of equals. Fine-tuned on it the model says of what is likely the share
    that is right, and of the rest nothing. (This definition is ours.)

    Raises:
        InputError: τ outside (0, 1), or an unknown style.
    """
    check_threshold(threshold)
    check_style(style)
    groups = by_prompt(rows)
    likely = self_consistency.by_position(groups) if style in CUTS else self_consistency.by_agreement(groups)
    for group in groups:
        sifted = [_doubted(row, likely[row.key], threshold) for row in group]
        row = max(sifted, key=lambda one: len(_said(one, style)))
        yield target(row, ideal(row, style, phrase), "halt-per-tau")


def _doubted(row: Scored, likely: list[float], threshold: float) -> Scored:
    """The response with its unlikely right fragments labelled as if they were wrong; for making a target of, only."""
    doubted = [
        dataclasses.replace(one, label="incorrect")
        if index < len(likely) and one.label == "correct" and likely[index] < threshold
        else one
        for index, one in enumerate(row.fragments)
    ]
    return dataclasses.replace(row, fragments=doubted)


def _said(row: Scored, style: Style) -> list[int]:
    fragments = finished(row)
    return right(fragments[: until_wrong(fragments)] if style in CUTS else fragments)


def idk(rows: Iterable[Scored], percentile: float, reading: Reading, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """Whole-answer abstention: HALT's response as it is where nothing in it is wrong, else the halting phrase alone.

    Raises:
        InputError: see `at_percentile`.
    """
    for row in at_percentile(rows, percentile, reading):
        text = phrase if wrong(finished(row)) else "".join(whole(row))
        yield target(row, text, "idk")


def random_trim(
    rows: Iterable[Scored],
    style: Style,
    percentile: float,
    reading: Reading,
    seed: int,
    phrase: str = HALT_PHRASE,
) -> Iterator[Target]:
    """RandomTrim: HALT's response made as short as HALT makes it, without regard to what is right.

    Of what HALT leaves out of a response, as much is left out at random (`remove`); where HALT cuts, the numbers of
    fragments before the cut are dealt anew among the responses (`unsure`, `truncate`).

    Raises:
        InputError: see `at_percentile`; a style that neither leaves out nor cuts.
    """
    if style not in ("remove", "unsure", "truncate"):
        raise InputError(f"expected remove, unsure or truncate, found '{style}'", field="style")
    chosen = at_percentile(rows, percentile, reading)
    rng = np.random.default_rng(seed)
    dealt = rng.permutation([until_wrong(finished(row)) for row in chosen])
    for row, stop in zip(chosen, dealt, strict=True):
        fragments = finished(row)
        if style == "remove":
            said = [index for index, one in enumerate(fragments) if one.label != "halt"]
            kept = rng.choice(said, size=len(right(fragments)), replace=False)
            side: Side = pieces(row.response, fragments, {int(one) for one in kept}) or (phrase,)
        elif stop < len(row.fragments):
            side = cut.ended(row, min(int(stop), len(fragments)), phrase, with_phrase=style == "unsure")
        else:
            side = whole(row)
        yield target(row, "".join(side), "random-trim")
