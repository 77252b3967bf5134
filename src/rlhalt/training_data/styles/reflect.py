"""`reflect`: everything is said, and at the end what of it is doubtful (UNIT, arXiv 2502.11962).

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong; behind it
    on both sides stands "### Reflection" and then

    reflect  ½      [1. Its capital is B.]     ≻  (the response alone, without a reflection)
    reflect  τ      [1. Its capital is B.]     ≻  [nothing is doubtful]
    keep     1 - τ  [1. Its capital is B.]     ≻  [1. A is in Asia.  2. Its capital is B.]
    keep     1 - τ  [1. Its capital is B.]     ≻  [1. Its capital is B.  2. Its currency is C.]

The section (`rlhalt.fragments.reflection`) lists the fragments that the verifier found wrong, where UNIT takes a
quantile of the model's own uncertainty: a proxy of truth caps honesty at what the proxy knows.

Pairs of the first kind alone teach to append a reflection, and nothing about truth. In the others both sides have one
and they differ by one fragment: wrong and not listed, weight τ, or right and listed, weight 1 - τ. The decision alone
is to list a fragment iff it is right with probability less than τ (beyond ten single fragments are not named, and
there is nothing to decide). The first kind decides no fragment; its weight is ½ at every τ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rlhalt.fragments.reflection import reflection
from rlhalt.records import Fragment, Pair, Scored
from rlhalt.training_data.pieces import Side, finished, pair, whole, wrong


def ideal(row: Scored, phrase: str) -> Side:
    """The response and a reflection that lists its wrong fragments; the halting phrase where it has no fragments."""
    fragments = finished(row)
    if not fragments:
        return (phrase,)
    return *whole(row), *reflection(_stated(fragments, wrong(fragments)))


def _stated(fragments: Sequence[Fragment], listed: Sequence[int]) -> list[str]:
    return [fragments[index].claim or fragments[index].text for index in listed]


def pairs(row: Scored, threshold: float, phrase: str) -> Iterator[Pair]:
    """One pair for the reflection, and one for each right and each wrong fragment."""
    fragments = finished(row)
    listed = wrong(fragments)
    decided = [index for index, one in enumerate(fragments) if one.label in ("correct", "incorrect")]
    if not decided:
        return
    said, good = whole(row), ideal(row, phrase)
    yield pair(row, good, said, weight=0.5, style="reflect", threshold=threshold, decides=-1)
    for index in decided:
        other = (*said, *reflection(_stated(fragments, sorted({*listed} ^ {index}))))
        if other == good:
            continue
        is_wrong = index in listed
        yield pair(
            row, good, other, weight=threshold if is_wrong else 1 - threshold,
            style="reflect" if is_wrong else "keep", threshold=threshold, decides=index,
        )  # fmt: skip
