"""Pairs of two whole responses to one prompt, and which of several is the best or the worst at τ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored, content_key
from rlhalt.training_data.pieces import assistant, reasoning, whole
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets.selection import by_prompt, rewarded


def said(row: Scored, phrase: str = HALT_PHRASE) -> str:
    """A response as one side of a pair: its reasoning and its finished fragments; the phrase where there are none."""
    return reasoning(row) + ("".join(whole(row)) or phrase)


def against(
    better: Scored, worse: Scored, style: str, threshold: float = 0.5, phrase: str = HALT_PHRASE, margin: float = 0.0
) -> Iterator[Pair]:
    """The pair of two usable responses, of weight 1; none where both say the same.

    Args:
        better: its prompt is that of the pair.
        threshold: τ; ½ for methods that know none, as for pairs that people bring.
        margin: see `Pair.margin`.
    """
    chosen, rejected = said(better, phrase), said(worse, phrase)
    made = Pair(
        key=content_key(better.key, worse.key, style, threshold),
        prompt=better.prompt,
        chosen=assistant(chosen),
        rejected=assistant(rejected),
        weight=1.0,
        style=style,
        threshold=threshold,
        cut=0,
        source=better.key,
        margin=margin,
    )
    if not made.same_sides:
        yield made


def best_against_worst(
    chosen: Iterable[Scored],
    rejected: Iterable[Scored],
    style: Style,
    threshold: float,
    name: str,
    phrase: str = HALT_PHRASE,
) -> Iterator[Pair]:
    """For each prompt the response of `chosen` that earns most at τ ≻ that of `rejected` that earns least.

    At most one pair a prompt; none where the first earns no more than the second. Of equal responses the first counts.
    """
    ahead = {group[0].prompt_key: rewarded(group, style, threshold) for group in by_prompt(chosen)}
    for group in by_prompt(rejected):
        good, bad = ahead.get(group[0].prompt_key), rewarded(group, style, threshold)
        if good and bad:
            (most, better), (least, worse) = max(good, key=lambda one: one[0]), min(bad, key=lambda one: one[0])
            if most > least:
                yield from against(better, worse, name, threshold, phrase)
