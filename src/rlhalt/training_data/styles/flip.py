"""`flip`: what is doubtful is said as doubtful instead of being left out (LoGU, arXiv 2410.14309).

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong:

    flip    τ      A is in Asia. I am not sure of this: Its capital is B. Its currency is C.
                   ≻  A is in Asia. Its capital is B. Its currency is C.
    keep    1 - τ  A is in Asia. Its capital is B. Its currency is C.
                   ≻  I am not sure of this: A is in Asia. Its capital is B. I am not sure of this: Its currency is C.

The wrong ones hedged ≻ the response ≻ the right ones hedged. One pair decides all wrong fragments of a response
together and one all right ones, so its margin is a sum: where the fragments of a response are equally likely to be
right the decision alone is to assert iff p ≥ τ; where they are not, they share one margin and it is so only on average.
`remove` has a pair for each fragment. A hedge is a statement all the same: a scorer that does not know it judges what
it hedges.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rlhalt.records import Pair, Scored
from rlhalt.training_data.pieces import Side, finished, pair, right, whole, wrong

# Before the fragment, so that it is decided before the fragment is said; the fragment itself stays as it is.
HEDGE = "I am not sure of this: "


def hedged(row: Scored, doubtful: Collection[int]) -> Side:
    """A response with some of its fragments hedged."""
    texts = [one.text for one in finished(row)]
    return tuple(
        piece.removesuffix(text) + HEDGE + text if index in doubtful else piece
        for index, (piece, text) in enumerate(zip(whole(row), texts, strict=True))
    )


def ideal(row: Scored, phrase: str) -> Side:
    """The response with its wrong fragments hedged; the halting phrase where it has no fragments."""
    return hedged(row, wrong(finished(row))) or (phrase,)


def pairs(row: Scored, threshold: float, phrase: str) -> Iterator[Pair]:
    """At most two pairs a response; the halting phrase is in none of them."""
    fragments = finished(row)
    said = whole(row)
    if doubtful := wrong(fragments):
        better = hedged(row, doubtful)
        yield pair(row, better, said, weight=threshold, style="flip", threshold=threshold, decides=doubtful[0])
    if sure := right(fragments):
        worse = hedged(row, sure)
        yield pair(row, said, worse, weight=1 - threshold, style="keep", threshold=threshold, decides=sure[0])
