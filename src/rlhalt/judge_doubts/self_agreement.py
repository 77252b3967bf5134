"""Whether a judge gives one statement one verdict: responses to a prompt often state the same fact in the same words.

A judge that guesses may call any share of the fragments correct, at every place. On statements that several responses
make, it agrees with itself as often as by chance. The measure is Fleiss' κ (1971) over these statements, where the
verdicts on a statement in different responses are its raters:

    κ = (P - C) / (1 - C)      P: the mean share of pairs of verdicts on one statement that are equal
                               C: what P would be by chance, from the share of *correct*
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from rlhalt.records import Scored
from rlhalt.statement import statement

_MANY = 10  # statements with both verdicts; of fewer, the context of a statement may be the reason
_MOST = 100_000  # statements that are kept in memory; more tell no more
_LEAST = 0.5  # κ below which a judge is in doubt; one that is right in 9 of 10 cases has 0.64

Statements = defaultdict[bytes, list[int]]
"""Prompt and statement, as a hash → how often it was called incorrect and correct."""


def statements() -> Statements:
    """Verdicts by statement, to be filled by `count`."""
    return defaultdict(lambda: [0, 0])


def count(found: Statements, row: Scored) -> None:
    """Add the verdicts of a response that decide; of what it says twice, the first one."""
    said = set()
    for one in row.fragments:
        its = statement(one)
        if one.label in ("correct", "incorrect") and its not in said:
            key = hashlib.blake2b(f"{row.prompt_key}\n{its}".encode(), digest_size=12).digest()
            if len(found) < _MOST or key in found:
                found[key][one.label == "correct"] += 1
        said.add(its)


def told(found: Mapping[bytes, list[int]]) -> str:
    """How often the verdicts disagree; empty where they agree well enough, or where there is little.

    >>> told({bytes([at]): [at % 2, 2 - at % 2] for at in range(40)})
    'of 40 statements that several responses make, it calls 20 both correct and incorrect; agreement κ = -0.33'
    >>> told({bytes([at]): [0, 2] if at % 2 else [2, 0] for at in range(40)})
    ''
    """
    shared = [(wrong, right) for wrong, right in found.values() if wrong + right > 1]
    both = sum(wrong > 0 and right > 0 for wrong, right in shared)
    if both < _MANY:
        return ""
    equal = sum(
        (wrong * (wrong - 1) + right * (right - 1)) / ((wrong + right) * (wrong + right - 1)) for wrong, right in shared
    ) / len(shared)
    share = sum(right / (wrong + right) for wrong, right in shared) / len(shared)
    by_chance = share**2 + (1 - share) ** 2
    kappa = (equal - by_chance) / (1 - by_chance)
    if kappa >= _LEAST:
        return ""
    return (
        f"of {len(shared)} statements that several responses make, it calls {both} both correct and incorrect; "
        f"agreement κ = {kappa:.2f}"
    )
