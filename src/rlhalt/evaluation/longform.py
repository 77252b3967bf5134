"""Scores of one long response from the number of its supported claims and of the others.

Correct claims are *supported*. Incorrect and unverifiable ones are *not supported*: both papers count what no evidence
was found for against the response. Halts and failed fragments are no claims.
"""

from __future__ import annotations

import math
import re

PENALTY_BELOW = 10


def factscore(supported: float, claims: float, penalty_below: int = 0) -> float:
    """The supported share of the claims, times exp(1 - γ/n) where their number n is below γ.

    FActScore (Min et al., arXiv 2305.14251), which has γ = 10 and takes the mean over the responses that do not
    abstain.

    Args:
        penalty_below: γ; 0 for no penalty.

    Returns:
        In [0, 1]; NaN for a response without claims, which has no share.

    >>> factscore(3, 4), round(factscore(3, 4, penalty_below=10), 3)
    (0.75, 0.167)
    """
    if not claims:
        return math.nan
    return supported / claims * math.exp(min(0.0, 1 - penalty_below / claims))


def f1_at(wanted: float, supported: float, claims: float) -> float:
    """F1@K: 2PR / (P + R) of the precision S/n and the recall min(S/K, 1), 0 for a response with nothing supported.

    LongFact and SAFE (Wei et al., arXiv 2403.18802), where K is the median number of claims of a response.

    Args:
        wanted: K, claims; how many supported ones a full answer has.

    Returns:
        In [0, 1]; NaN where K is not above 0.

    >>> round(f1_at(6, supported=3, claims=4), 3)
    0.6
    """
    if not wanted > 0:
        return math.nan
    if not supported:
        return 0.0
    precision, recall = supported / claims, min(supported / wanted, 1)
    return 2 * precision * recall / (precision + recall)


# The taxonomy of Bhatia et al. (2016), "A theory of vagueness and privacy risk perception", its single words.
_WORDS = """
depending necessary appropriate sometimes
generally mostly widely commonly usually normally typically largely often primarily
may might can could would likely possible possibly perhaps
certain numerous some most few much many various several
"""
_VAGUE = frozenset(_WORDS.split())


def is_vague(claim: str) -> bool:
    """Whether a claim leaves open what, how many or whether: whether it has one of a list of English words in it.

    "Many people speak various languages." is vague. It sees words and no content: "Kenya has a capital." is not.
    """
    # "Most" may open a sentence, and "May" is a month wherever it stands.
    opening, *words = re.findall(r"[A-Za-z]+", claim) or [""]
    return not _VAGUE.isdisjoint([opening.lower() if opening != "May" else "", *words])
