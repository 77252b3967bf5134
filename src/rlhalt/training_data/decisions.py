"""Scored responses → decisions: at every fragment of an answer, to speak it or what the answer says instead.

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong, `remove`:

    before         speak                    worth    otherwise
                   A is in Asia.            1 - τ    Its capital is B. / Its currency is C. / Unsure from here.
    A is in Asia.  Its capital is B.        -τ       Its currency is C. / (its end)
    A is in Asia.  Its currency is C.       1 - τ    (its end)

A pair compares whole answers; a decision compares nothing but the first words with which they part. So what it teaches
is whether to speak of a thing here, and not what to say of it.

A decision must be met where the trained policy will stand. In styles that leave out, an answer has said before what it
would say at τ: the right fragments whose probability over the prompt's N responses is τ or more
(`rlhalt.training_data.targets.self_consistency`; all right ones of a lone response). Where the policy would be silent
so far, it learns to speak up out of silence: with all right fragments before it, it would never have been there, and
end.

In styles that cut, an answer has said all before the first wrong fragment, and speaking a right one earns what it
opens the way to as well: its worth is 1 - τ + V, with V the utility that lies ahead under optimal stopping, estimated
from the *other* responses to the prompt. So a doubtful step that pays by what follows is spoken, where a pair of
`unsure`, which sees the next fragment alone, would halt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from rlhalt.chat.threshold_prompt import with_threshold
from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Decision, Scored, content_key
from rlhalt.rewards import check_threshold
from rlhalt.training_data.pieces import compose, finished, halted, pieces, reasoning, right, until_wrong, wrong
from rlhalt.training_data.styles import Style
from rlhalt.training_data.targets import self_consistency
from rlhalt.training_data.targets.selection import by_prompt

DECIDED: tuple[Style, ...] = ("remove", "unsure", "truncate")
"""The styles in which something is left unsaid."""


def decisions(rows: Iterable[Scored], threshold: float, style: Style, phrase: str = HALT_PHRASE) -> Iterator[Decision]:
    """The decisions of scored responses at τ, response by response; one with a failed fragment gives none.

    Args:
        phrase: what the domain halts with.

    Raises:
        InputError: τ outside (0, 1), or a style in which nothing is left unsaid.
    """
    check_threshold(threshold)
    return decisions_at(rows, lambda row: threshold, style, phrase)


def decisions_at(
    rows: Iterable[Scored], threshold: Callable[[Scored], float], style: Style, phrase: str = HALT_PHRASE
) -> Iterator[Decision]:
    """The decisions of scored responses, each at a τ of its own; see `decisions`."""
    if style not in DECIDED:
        raise InputError(f"expected one of {', '.join(DECIDED)}, found '{style}'", field="style")
    groups = by_prompt(rows)
    likely = self_consistency.by_agreement(groups) if style == "remove" else {}
    for group in groups:
        for number, row in enumerate(group):
            at = threshold(row)
            check_threshold(at)
            if style == "remove":
                made = _left_out(row, likely[row.key] if len(group) > 1 else None, at, phrase)
            else:
                ahead = utility_ahead([*group[:number], *group[number + 1 :]], at)
                made = _cut(row, ahead, at, style, phrase)
            # Where nothing else may be said, nothing is decided.
            yield from (one for one in made if one.otherwise)


def conditioned_decisions(
    rows: Iterable[Scored], thresholds: Sequence[float], style: Style, seed: int, phrase: str = HALT_PHRASE
) -> Iterator[Decision]:
    """The decisions of each response at one of several thresholds, drawn for it and stated in its prompt.

    Raises:
        InputError: no thresholds; see `decisions`.
    """
    if not thresholds:
        raise InputError("expected thresholds to draw from, found none", field="thresholds")
    rows = list(rows)
    drawn = np.random.default_rng(seed).integers(len(thresholds), size=len(rows))
    at = {row.key: thresholds[one] for row, one in zip(rows, drawn, strict=True)}
    for one in decisions_at(rows, lambda row: at[row.key], style, phrase):
        yield dataclasses.replace(one, prompt=with_threshold(one.prompt, one.threshold))


def _left_out(row: Scored, likely: Sequence[float] | None, threshold: float, phrase: str) -> Iterator[Decision]:
    fragments = finished(row)
    stands = [one for one in right(fragments) if likely is None or likely[one] >= threshold]

    def after(before: Sequence[int], index: int) -> str:
        return pieces(row.response, fragments, {*before, index})[-1]

    decided = sorted([*right(fragments), *wrong(fragments)])
    for index in decided:
        before = [one for one in stands if one < index]
        # All of them, the unlikely too: with the likeliest alone to beat, what the fragment loses would be theirs.
        otherwise = [*(after(before, one) for one in decided if one > index), "" if before else phrase]
        worth = (fragments[index].label == "correct") - threshold
        said = compose(row.response, fragments, before)
        yield _decision(row, said, after(before, index), otherwise, worth, "remove", threshold, index)


def _cut(row: Scored, ahead: Sequence[float], threshold: float, style: Style, phrase: str) -> Iterator[Decision]:
    fragments = finished(row)
    stop = until_wrong(fragments)
    for index, fragment in enumerate(fragments[: stop + 1]):
        if fragment.label in ("correct", "incorrect"):
            said = compose(row.response, fragments, range(index))
            ended = halted(row, index, phrase)[-1] if style == "unsure" or not said else ""
            speak = pieces(row.response, fragments, range(index + 1))[-1]
            opened = ahead[index + 1] if index + 1 < len(ahead) else 0.0
            worth = 1 - threshold + opened if fragment.label == "correct" else -threshold
            yield _decision(row, said, speak, [ended], worth, style, threshold, index)


def utility_ahead(others: Sequence[Scored], threshold: float) -> list[float]:
    """V: the τ-utility to be had from each boundary on, all being right before it, under optimal stopping.

    Backwards over the boundaries: of the responses that are right so far a share goes on, and of what these say next
    shares c and w are right and wrong,

        V_k = share · max(0, c (1 - τ) - w τ + (1 - w) V_{k+1})

    Args:
        others: responses to the same prompt, without the one that is decided: it is no evidence of its own odds.

    Returns:
        One number a boundary, up to where the longest response ends.
    """
    rows = [(until_wrong(finished(row)), finished(row)) for row in others]
    found = [0.0] * (max((len(fragments) for _, fragments in rows), default=0) + 1)
    for index in reversed(range(len(found) - 1)):
        reached = [fragments for stop, fragments in rows if stop >= index]
        said = [one[index].label for one in reached if index < len(one) and one[index].label != "halt"]
        if said:
            c, w = said.count("correct") / len(said), said.count("incorrect") / len(said)
            going = c * (1 - threshold) - w * threshold + (1 - w) * found[index + 1]
            found[index] = len(said) / len(reached) * max(0.0, going)
    return found


def _decision(
    row: Scored,
    before: str,
    speak: str,
    otherwise: Sequence[str],
    worth: float,
    style: str,
    threshold: float,
    index: int,
) -> Decision:
    before = reasoning(row) + before
    return Decision(
        key=content_key(row.key, before, speak, list(otherwise), style, threshold, index),
        prompt=row.prompt,
        before=before,
        speak=speak,
        otherwise=[one for one in dict.fromkeys(otherwise) if one.split() != speak.split()],
        worth=worth,
        style=style,
        threshold=threshold,
        source=row.key,
    )
