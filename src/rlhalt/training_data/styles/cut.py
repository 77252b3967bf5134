"""`unsure`, `truncate` and `keep`: the answer is cut where it goes wrong; for what rests on what came before.

    The response "A is in Asia. Its capital is B. Its currency is C.", of which the second sentence is wrong:

    unsure    τ      A is in Asia. Unsure from here.       ≻  A is in Asia. Its capital is B. Its currency is C.
    keep      1 - τ  A is in Asia. Unsure from here.       ≻  Unsure from here.

    truncate  τ      A is in Asia.                         ≻  A is in Asia. Its capital is B. Its currency is C.
    keep      1 - τ  A is in Asia.                         ≻  Unsure from here.

`unsure` says that it stops (HALT, arXiv 2506.04051, causal chains), `truncate` just ends its turn; an answer cannot be
empty, so both say "Unsure from here." where nothing is left. `keep` is the counterpart alone: the whole right part ≻
halting earlier, at every boundary before a right fragment. By itself it teaches never to halt; it is there to be mixed
and measured.

At a boundary reached by right fragments, halting is preferred with weight τ where the next one is wrong, and going on
with weight 1 - τ where it is right: the decision alone is to go on iff the *next* fragment is right with
probability τ or more. That is not optimal stopping, which also speaks a doubtful fragment that more than pays by what
follows it. Where nothing counts after an error (`rlhalt.rewards`, causal), little is lost by that: in chains of five
fragments with probabilities drawn at random it earns 91 to 100 % of what optimal stopping does (a test computes it).
"""

from __future__ import annotations

from collections.abc import Iterator

from rlhalt.records import Pair, Scored
from rlhalt.training_data.pieces import Side, finished, halted, pair, pieces, right, until_wrong, whole


def ideal(row: Scored, phrase: str, with_phrase: bool) -> Side:
    """What comes before the first wrong fragment, and the phrase where the response went on and it is asked for."""
    stop = until_wrong(finished(row))
    if stop == len(row.fragments):
        return whole(row) or (phrase,)
    return ended(row, stop, phrase, with_phrase)


def ended(row: Scored, stop: int, phrase: str, with_phrase: bool) -> Side:
    """The first `stop` fragments, with or without the phrase after them; the phrase alone where there are none."""
    if with_phrase:
        return halted(row, stop, phrase)
    return pieces(row.response, row.fragments, range(stop)) or (phrase,)


def pairs(row: Scored, threshold: float, phrase: str, with_phrase: bool) -> Iterator[Pair]:
    """One pair for the cut, and the counterparts of `keep`."""
    fragments = finished(row)
    stop = until_wrong(fragments)
    if stop < len(fragments) and fragments[stop].label == "incorrect":
        style = "unsure" if with_phrase else "truncate"
        good = ideal(row, phrase, with_phrase)
        yield pair(row, good, whole(row), weight=threshold, style=style, threshold=threshold, decides=stop)
    yield from keep(row, threshold, phrase, with_phrase)


def keep(row: Scored, threshold: float, phrase: str, with_phrase: bool = True) -> Iterator[Pair]:
    """The whole right part ≻ ending before one of its right fragments."""
    fragments = finished(row)
    good = ideal(row, phrase, with_phrase)
    for index in right(fragments[: until_wrong(fragments)]):
        early = ended(row, index, phrase, with_phrase)
        yield pair(row, good, early, weight=1 - threshold, style="keep", threshold=threshold, decides=index)
