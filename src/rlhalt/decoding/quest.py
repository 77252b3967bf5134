"""The steps of a Markov chain over responses: where one is cut, and when what comes of it is accepted.

QUEST (Faria et al., arXiv 2406.00049) draws a place of the response and has the model continue from there. A response
of n places proposes one of m, and the other way round, with the model's own probabilities but for 1 / n and 1 / m. So
the Metropolis-Hastings ratio for the target p(y) exp(r(y) / β) is exp((r(y') - r(y)) / β) n / m.
"""

from __future__ import annotations

import math
import random
import re

from rlhalt.sampling import Completion

BETA = 0.25
"""A quarter of what one fragment more that is right, and not wrong, is worth."""


def places(one: Completion) -> list[int]:
    """Where a response may be cut: before each word, and at its end where it has ended by itself.

    The end is a place as any other. Without it a long response could become its own beginning and never the other way.
    """
    starts = [word.start() for word in re.finditer(r"\S+", one.text)]
    return [*starts, len(one.text)] if one.finish_reason == "stop" or not starts else starts


def kept(one: Completion, rng: random.Random) -> str:
    """What stands before a place that is drawn, without the space before it."""
    return one.text[: rng.choice(places(one))].rstrip()


def acceptance(old: Completion, new: Completion, gain: float) -> float:
    """The probability with which a proposal takes the place of a response; `gain` is its reward less the other's.

    >>> short, long = (Completion(text, 1, "length") for text in ("one two", "one two three four"))
    >>> round(acceptance(short, long, 0.0), 6), acceptance(long, short, 0.0), acceptance(short, long, 1.0)
    (0.5, 1.0, 1.0)
    """
    return math.exp(min(0.0, gain / BETA + math.log(len(places(old)) / len(places(new)))))
