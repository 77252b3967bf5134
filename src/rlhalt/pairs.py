"""Scored responses → preference pairs at the threshold τ, and supervised targets.

Each pair is one decision: at one fragment, speak or halt. Where the fragment is wrong, halting is preferred, with
weight τ; where it is right, speaking is preferred, with weight 1 - τ. If the model is right with probability p, DPO on
such pairs is logistic regression of the decision with costs τ and 1 - τ, whose optimum speaks iff p ≥ τ. With the first
kind alone every model learns to stop at once.

Two styles of halting:

- `remove` (independent facts): the fragment is left out and the answer goes on. Both sides of a pair are the right
  fragments of the response, with and without the one that is decided; "Unsure from here." alone where nothing is left.
- `unsure` (causal: what follows rests on what came before): the answer is cut before its first wrong fragment and ends
  in "Unsure from here.". The counterpart prefers the whole right part to halting earlier, so that it sees what an
  early halt gives up.

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong:

    remove  τ      A is in Asia. Its currency is C.        ≻  A is in Asia. Its capital is B. Its currency is C.
    keep    1 - τ  A is in Asia. Its currency is C.        ≻  Its currency is C.
    keep    1 - τ  A is in Asia. Its currency is C.        ≻  A is in Asia.

    unsure  τ      A is in Asia. Unsure from here.         ≻  A is in Asia. Its capital is B. Its currency is C.
    keep    1 - τ  A is in Asia. Unsure from here.         ≻  Unsure from here.

Unverifiable fragments decide nothing. In `remove` they are left out of both sides: a target holds only what was
checked. A response with a failed fragment gives nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Literal

from rlhalt.credit import check_threshold
from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Fragment, Message, Pair, Scored, Target, content_key, read
from rlhalt.runs import once

Style = Literal["remove", "unsure"]


def default_style(halting: Literal["independent", "causal"]) -> Style:
    """The style that fits a domain's halting."""
    return "remove" if halting == "independent" else "unsure"


def compose(response: str, fragments: list[Fragment], kept: Collection[int]) -> str:
    """The text of some fragments of a response, with what stood before each of them (white space, list marks).

    Keeping all of them gives the response without blank ends.
    """
    text = ""
    previous = -1
    for index, fragment in enumerate(fragments):
        if index not in kept:
            continue
        lead = response[fragments[index - 1].end if index else 0 : fragment.start]
        if not text:
            lead = lead.lstrip()
        elif previous != index - 1:
            lead = lead or " "
        text += lead + fragment.text
        previous = index
    return text


def _finished(row: Scored) -> list[Fragment]:
    # Text that ran into the token limit ends in the middle of a fragment: nothing can be learnt from that one.
    return row.fragments[:-1] if row.finish_reason == "length" else row.fragments


def _halted(text: str) -> str:
    return f"{text} {HALT_PHRASE}" if text else HALT_PHRASE


def _right(fragments: list[Fragment]) -> list[int]:
    return [index for index, one in enumerate(fragments) if one.label == "correct"]


def _until_wrong(fragments: list[Fragment]) -> int:
    """How many fragments stand before the first wrong one or the first halt."""
    ends = (index for index, one in enumerate(fragments) if one.label in ("incorrect", "halt"))
    return next(ends, len(fragments))


def _assistant(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def _parting(one: str, other: str) -> int:
    """How many characters two texts share from their beginning."""
    pairwise = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairwise if a != b), min(len(one), len(other)))


def _pair(row: Scored, chosen: str, rejected: str, weight: float, style: str, threshold: float) -> Pair:
    return Pair(
        key=content_key(row.key, chosen, rejected, style, threshold),
        prompt=row.prompt,
        chosen=_assistant(chosen),
        rejected=_assistant(rejected),
        weight=weight,
        style=style,
        threshold=threshold,
        cut=_parting(chosen, rejected),
        source=row.key,
    )


def _remove(row: Scored, threshold: float) -> Iterator[Pair]:
    fragments = _finished(row)
    right = _right(fragments)
    clean = compose(row.response, fragments, right) or HALT_PHRASE
    for index, fragment in enumerate(fragments):
        if fragment.label == "incorrect":
            doubtful = compose(row.response, fragments, {*right, index})
            yield _pair(row, clean, doubtful, threshold, "remove", threshold)
        elif fragment.label == "correct":
            poorer = compose(row.response, fragments, set(right) - {index}) or HALT_PHRASE
            yield _pair(row, clean, poorer, 1 - threshold, "keep", threshold)


def _unsure(row: Scored, threshold: float) -> Iterator[Pair]:
    fragments = _finished(row)
    stop = _until_wrong(fragments)
    right_part = compose(row.response, fragments, range(stop))
    wrong = stop < len(fragments) and fragments[stop].label == "incorrect"
    good = _halted(right_part) if stop < len(fragments) else right_part
    if wrong:
        yield _pair(row, good, row.response.strip(), threshold, "unsure", threshold)
    for index in _right(fragments[:stop]):
        early = _halted(compose(row.response, fragments, range(index)))
        yield _pair(row, good, early, 1 - threshold, "keep", threshold)


def pairs(rows: Iterable[Scored], threshold: float, style: Style) -> Iterator[Pair]:
    """The preference pairs of scored responses at τ.

    Raises:
        InputError: τ outside (0, 1), or an unknown style.
    """
    check_threshold(threshold)
    if style not in ("remove", "unsure"):
        raise InputError(f"expected remove or unsure, found '{style}'", field="style")
    make = _remove if style == "remove" else _unsure
    for row in rows:
        if not row.failed:
            yield from make(row, threshold)


def best(rows: Iterable[Scored], share: float) -> list[Scored]:
    """Of each prompt's responses the share with the most right fragments, at least one; in the order given.

    Rejection sampling: a target that says all the model knows keeps completeness up, where HALT's ranking by mean
    correctness prefers short answers.

    Raises:
        InputError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise InputError(f"expected a share above 0 and at most 1, found {share}", field="best")
    groups: dict[str, list[tuple[int, int, Scored]]] = {}
    for place, row in enumerate(rows):
        if not row.failed:
            groups.setdefault(row.prompt_key, []).append((-len(_right(_finished(row))), place, row))
    kept = [one for group in groups.values() for one in sorted(group)[: math.ceil(share * len(group))]]
    return [row for _, _, row in sorted(kept, key=lambda one: one[1])]


def targets(rows: Iterable[Scored], style: Style) -> Iterator[Target]:
    """Supervised targets: what the response should have been, one a scored response (HALT, arXiv 2506.04051, §3).

    `remove`: its right fragments, "Unsure from here." where there are none. `unsure`: cut before the first wrong
    fragment, ending in "Unsure from here."; a response without a wrong fragment as it is.
    """
    for row in rows:
        if row.failed:
            continue
        fragments = _finished(row)
        if style == "remove":
            text = compose(row.response, fragments, _right(fragments)) or HALT_PHRASE
        else:
            stop = _until_wrong(fragments)
            text = compose(row.response, fragments, range(stop))
            text = _halted(text) if stop < len(row.fragments) else text or HALT_PHRASE
        yield Target(
            key=content_key(row.key, text, style),
            prompt=row.prompt,
            completion=_assistant(text),
            style=style,
            source=row.key,
        )


def write_pairs(scored: str | Path, output: str | Path, threshold: float, style: Style) -> None:
    """The pairs of a file of scored responses, into a file; see `pairs`."""
    config = {"style": style, "threshold": threshold}
    once("pairs", output, [scored], config, lambda: pairs(read(scored, Scored), threshold, style))


def write_targets(scored: str | Path, output: str | Path, style: Style, share: float) -> None:
    """The targets of the best responses of a file of scored responses, into a file; see `best` and `targets`."""
    config = {"style": style, "best": share}
    once("targets", output, [scored], config, lambda: targets(best(read(scored, Scored), share), style))
