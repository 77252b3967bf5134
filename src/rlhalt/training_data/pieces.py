"""A response in pieces: one piece of text a fragment, so that two answers can share their beginning piece by piece."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rlhalt.fragments import thinking
from rlhalt.records import Fragment, Message, Pair, Scored, Target, content_key

Side = tuple[str, ...]
"""One side of a pair: the pieces of its text, in order."""


def usable(row: Scored) -> bool:
    """Whether a response can be learnt from: no fragment failed, and it was not cut off in its reasoning."""
    return not row.failed and not thinking.unclosed(row.response)


def reasoning(row: Scored) -> str:
    """What a response says before its answer (`rlhalt.fragments.thinking`): it stands unchanged before every side."""
    return thinking.split(row.response)[0]


def finished(row: Scored) -> list[Fragment]:
    """The fragments that can be learnt from: all, but the last where the response ran into the token limit."""
    return row.fragments[:-1] if row.finish_reason == "length" else row.fragments


def right(fragments: Sequence[Fragment]) -> list[int]:
    """Which fragments are right."""
    return [index for index, one in enumerate(fragments) if one.label == "correct"]


def wrong(fragments: Sequence[Fragment]) -> list[int]:
    """Which fragments are wrong."""
    return [index for index, one in enumerate(fragments) if one.label == "incorrect"]


def claims(row: Scored) -> list[int]:
    """Which finished fragments of a response are no halts, whatever their verdicts."""
    return [index for index, one in enumerate(finished(row)) if one.label != "halt"]


def until_wrong(fragments: Sequence[Fragment]) -> int:
    """How many fragments stand before the first wrong one or the first halt."""
    ends = (index for index, one in enumerate(fragments) if one.label in ("incorrect", "halt"))
    return next(ends, len(fragments))


def pieces(response: str, fragments: Sequence[Fragment], kept: Collection[int]) -> Side:
    """Some fragments of a response, each with what stood before it (white space, list marks).

    Keeping all of them gives the answer without blank ends and without what stands after the last one; reasoning
    before the answer is no part of it.
    """
    _, begin = thinking.split(response)
    side: list[str] = []
    previous = -1
    for index, fragment in enumerate(fragments):
        if index not in kept:
            continue
        lead = response[fragments[index - 1].end if index else begin : fragment.start]
        if not side:
            lead = lead.lstrip()
        elif previous != index - 1:
            lead = lead or " "
        side.append(lead + fragment.text)
        previous = index
    return tuple(side)


def compose(response: str, fragments: Sequence[Fragment], kept: Collection[int]) -> str:
    """The response without the fragments whose numbers are not in `kept`; see `pieces`.

    >>> parts = [Fragment(0, 4, "sentence", "One."), Fragment(5, 9, "sentence", "Two.")]
    >>> compose("One. Two.", parts, [1])
    'Two.'
    """
    return "".join(pieces(response, fragments, kept))


def whole(row: Scored) -> Side:
    """All finished fragments of a response."""
    fragments = finished(row)
    return pieces(row.response, fragments, range(len(fragments)))


def halted(row: Scored, stop: int, phrase: str) -> Side:
    """The first `stop` fragments of a response, then the halting phrase.

    The phrase stands where the next fragment would have begun, after the same white space: what goes on and what halts
    then part where most tokenizers part them too, also where fragments stand on lines of their own.
    """
    if stop == 0:
        return (phrase,)
    rest = row.response[row.fragments[stop - 1].end :]
    blank = rest[: len(rest) - len(rest.lstrip())]
    lead = blank if rest.strip() and blank else " "
    return (*pieces(row.response, row.fragments, range(stop)), lead + phrase)


def assistant(text: str) -> list[Message]:
    """A text as the assistant's turn."""
    return [{"role": "assistant", "content": text}]


def target(row: Scored, text: str, style: str) -> Target:
    """A supervised example made of one response, with the reasoning of that response before the text."""
    text = reasoning(row) + text
    return Target(content_key(row.key, text, style), row.prompt, assistant(text), style, row.key)


def pair(
    row: Scored, chosen: Side, rejected: Side, *, weight: float, style: str, threshold: float, decides: int
) -> Pair:
    """A pair of one response, with its reasoning before both sides.

    Args:
        decides: the number of the fragment that it decides, part of its key: a response may hold two equal fragments.
    """
    thought = reasoning(row)
    better, worse = thought + "".join(chosen), thought + "".join(rejected)
    return Pair(
        key=content_key(row.key, better, worse, style, threshold, decides),
        prompt=row.prompt,
        chosen=assistant(better),
        rejected=assistant(worse),
        weight=weight,
        style=style,
        threshold=threshold,
        cut=len(thought) + _parting(chosen, rejected),
        source=row.key,
    )


def _parting(one: Side, other: Side) -> int:
    """How many characters the pieces have that two sides begin with."""
    shared = 0
    for piece, its in zip(one, other, strict=False):
        if piece != its:
            break
        shared += len(piece)
    return shared
