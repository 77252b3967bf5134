"""`remove`: a wrong fragment is left out and the answer goes on; for facts that stand by themselves.

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong:

    remove  τ      A is in Asia. Its currency is C.        ≻  A is in Asia. Its capital is B. Its currency is C.
    keep    1 - τ  A is in Asia. Its currency is C.        ≻  Its currency is C.
    keep    1 - τ  A is in Asia. Its currency is C.        ≻  A is in Asia.

Both sides are the right fragments, with and without the one that is decided; "Unsure from here." alone where nothing is
left (HALT, arXiv 2506.04051, independent facts). Every fragment is decided by a pair of its own, so the decision alone
is to say it iff p ≥ τ, however likely its neighbours are to be right.
"""

from __future__ import annotations

from collections.abc import Iterator

from rlhalt.records import Pair, Scored
from rlhalt.training_data.pieces import Side, finished, pair, pieces, right


def ideal(row: Scored, phrase: str) -> Side:
    """The right fragments; the halting phrase where there are none."""
    fragments = finished(row)
    return pieces(row.response, fragments, right(fragments)) or (phrase,)


def pairs(row: Scored, threshold: float, phrase: str) -> Iterator[Pair]:
    """One pair for each right and each wrong fragment."""
    fragments = finished(row)
    said = right(fragments)
    clean = ideal(row, phrase)
    for index, fragment in enumerate(fragments):
        if fragment.label == "incorrect":
            doubtful = pieces(row.response, fragments, {*said, index})
            yield pair(row, clean, doubtful, weight=threshold, style="remove", threshold=threshold, decides=index)
        elif fragment.label == "correct":
            poorer = pieces(row.response, fragments, set(said) - {index}) or (phrase,)
            yield pair(row, clean, poorer, weight=1 - threshold, style="keep", threshold=threshold, decides=index)
