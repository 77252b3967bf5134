"""The best that can be done with given odds, computed exactly.

A policy meets the facts of an entity in a fixed order, r = 1 … R; it is right about fact r with probability p_r. Saying
it earns 1 - τ where it is right and -τ where it is wrong.

Independent: each fact is said or left out by itself. Saying it is worth p - τ, so the best policy says it iff p ≥ τ.

Causal: halting ends the answer, and nothing counts after the first wrong fact. Going on at r, all being right so far,
is worth G_r = p_r (1 + W_{r+1}) - τ, where W_r = max(0, G_r) and W_{R+1} = 0: the best policy goes on iff G_r ≥ 0, or
iff p_r (1 + W_{r+1}) ≥ τ. Looking at p_r alone gives up what is to come.

The *full* oracle knows p of every fact. The *visible* one knows only what is visible in the question and the answer so
far, the entity's kind and the relation, and decides with the average over the entities of a kind: the best that any
policy can do that goes by what it sees. A policy that feels its own odds can be between the two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def independent_utility(speak_E_R: Floats | Bools, p_E_R: Floats, threshold: float) -> float:
    """Mean utility an entity of saying fact r of entity e with probability `speak_E_R`."""
    return float((speak_E_R * (p_E_R - threshold)).sum(axis=1).mean())


def causal_utility(go_on_E_R: Floats | Bools, p_E_R: Floats, threshold: float) -> float:
    """Mean utility an entity of going on at fact r, where all is right so far, with probability `go_on_E_R`."""
    value_E = np.zeros(len(p_E_R))
    for r in reversed(range(p_E_R.shape[1])):
        value_E = go_on_E_R[:, r] * (p_E_R[:, r] * (1 + value_E) - threshold)
    return float(value_E.mean())


def independent_oracle(p_E_R: Floats, threshold: float) -> Bools:
    """Which facts to say."""
    return p_E_R >= threshold


def worth(p_E_R: Floats, threshold: float) -> Floats:
    """p_r (1 + W_{r+1}): what going on is worth before τ is paid. The best causal policy goes on iff it is ≥ τ."""
    worth_E_R = np.zeros_like(p_E_R)
    ahead_E = np.zeros(len(p_E_R))
    for r in reversed(range(p_E_R.shape[1])):
        worth_E_R[:, r] = p_E_R[:, r] * (1 + ahead_E)
        ahead_E = np.maximum(0, worth_E_R[:, r] - threshold)
    return worth_E_R


def causal_oracle(p_E_R: Floats, threshold: float) -> Bools:
    """Where to go on, all being right so far."""
    return worth(p_E_R, threshold) >= threshold


def visible(
    p_E_R: Floats, kind_E: npt.NDArray[np.int64], threshold: float, oracle: Callable[[Floats, float], Bools]
) -> Bools:
    """The decisions of an oracle that sees an entity's kind only.

    Independent: with the mean of p over the kind. Causal: a kind's entities are met in proportion to how likely it is
    that all was right so far, so that the mean at r is that of p_1 … p_r over that of p_1 … p_{r-1}.
    """
    seen_E_R = np.empty_like(p_E_R)
    for kind in np.unique(kind_E):
        members = kind_E == kind
        if oracle is causal_oracle:
            reach_R = np.cumprod(p_E_R[members], axis=1).mean(axis=0)
            before_R = np.concatenate([[1.0], reach_R[:-1]])
            seen_E_R[members] = np.divide(reach_R, before_R, out=np.zeros_like(reach_R), where=before_R > 0)
        else:
            seen_E_R[members] = p_E_R[members].mean(axis=0)
    return oracle(seen_E_R, threshold)
