"""The most utility that a policy can have with given probabilities, computed exactly.

A policy meets the facts of an entity in a fixed order, r = 1 … R, and is right about fact r with probability p_r. A
fact that is said earns 1 - τ where it is right and -τ where it is wrong. A fact that is left out earns nothing.

Independent: each fact is decided by itself. Saying it is worth p - τ, so the best policy says it iff p ≥ τ.

Causal: nothing counts after the first wrong fact. A policy may also leave a fact out and say a later one, and the later
one counts. So with V_r the value of the best policy before fact r, all that was said being right, and V_{R+1} = 0,

    V_r = max(V_{r+1}, p_r (1 + V_{r+1}) - τ):

leaving fact r out keeps V_{r+1}; saying it earns p_r - τ and keeps V_{r+1} only where it is right. The best policy says
fact r iff p_r - (1 - p_r) V_{r+1} ≥ τ, which asks for more than p_r ≥ τ: a wrong fact also costs what lies ahead. To
end the answer is to leave out all that is left, and is never better than going on to a fact that is worth saying.

`stopping` is the best policy that only stops: it says every fact up to some point and none after it. The training data
of a causal domain teach this choice alone. Going on at r is worth G_r = p_r (1 + max(0, G_{r+1})) - τ, and the policy
goes on iff G_r ≥ 0. The causal oracle has at least its utility.

    python -m benchmarks.known_probabilities.oracle

prints how much the best stopping gives up where the probabilities are the shares of the corpus (`World.q_E_R`).

The *full* oracle knows p of every fact. The *visible* one knows the entity's kind and the relation only, which is all
that a question shows. A policy that knows its own probabilities can be between the two.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def independent_utility(speak_E_R: Floats | Bools, p_E_R: Floats, threshold: float) -> float:
    """Mean utility an entity of saying fact r of entity e with probability `speak_E_R`."""
    return float((speak_E_R * (p_E_R - threshold)).sum(axis=1).mean())


def causal_utility(speak_E_R: Floats | Bools, p_E_R: Floats, threshold: float) -> float:
    """The same in a causal domain, where a fact is left out with probability 1 - `speak_E_R` and later ones count."""
    value_E = np.zeros(len(p_E_R))
    for r in reversed(range(p_E_R.shape[1])):
        said_E = p_E_R[:, r] * (1 + value_E) - threshold
        value_E = speak_E_R[:, r] * said_E + (1 - speak_E_R[:, r]) * value_E
    return float(value_E.mean())


def independent_oracle(p_E_R: Floats, threshold: float) -> Bools:
    """Which facts the best policy says."""
    return p_E_R >= threshold


def causal_oracle(p_E_R: Floats, threshold: float) -> Bools:
    """Which facts the best policy says, all that it has said being right."""
    return worth(p_E_R, threshold) >= threshold


def worth(p_E_R: Floats, threshold: float) -> Floats:
    """p_r - (1 - p_r) V_{r+1}, (E, R): what saying fact r is worth before τ is paid, beside leaving it out.

    The best causal policy says a fact iff it is τ or more. It may be negative.
    """
    worth_E_R = np.zeros_like(p_E_R)
    value_E = np.zeros(len(p_E_R))
    for r in reversed(range(p_E_R.shape[1])):
        worth_E_R[:, r] = p_E_R[:, r] - (1 - p_E_R[:, r]) * value_E
        value_E += np.maximum(0, worth_E_R[:, r] - threshold)
    return worth_E_R


def worth_of_going_on(p_E_R: Floats, threshold: float) -> Floats:
    """p_r (1 + max(0, G_{r+1})), (E, R): what going on at fact r is worth before τ is paid, beside ending there."""
    worth_E_R = np.zeros_like(p_E_R)
    ahead_E = np.zeros(len(p_E_R))
    for r in reversed(range(p_E_R.shape[1])):
        worth_E_R[:, r] = p_E_R[:, r] * (1 + ahead_E)
        ahead_E = np.maximum(0, worth_E_R[:, r] - threshold)
    return worth_E_R


def stopping(p_E_R: Floats, threshold: float) -> Bools:
    """Which facts the best policy says that says every fact up to some point and none after it."""
    return np.logical_and.accumulate(worth_of_going_on(p_E_R, threshold) >= threshold, axis=1)


def visible(
    p_E_R: Floats, kind_E: npt.NDArray[np.int64], threshold: float, utility: Callable[[Bools, Floats, float], float]
) -> Bools:
    """The best decisions that are the same for all entities of a kind.

    What such a policy has behind it tells it nothing more: as long as all was right, it has said what it meant to say.
    So it has 2^R choices a kind, and all are tried.

    Args:
        utility: `independent_utility` or `causal_utility`.
    """
    choices = [np.array(one) for one in itertools.product([False, True], repeat=p_E_R.shape[1])]
    found_E_R = np.empty(p_E_R.shape, bool)
    for kind in np.unique(kind_E):
        of_kind_E_R = p_E_R[kind_E == kind]
        worth = [utility(np.broadcast_to(one, of_kind_E_R.shape), of_kind_E_R, threshold) for one in choices]
        found_E_R[kind_E == kind] = choices[int(np.argmax(worth))]
    return found_E_R


def main() -> None:
    """Print what the best policy that only stops earns, as a share of what the best policy earns."""
    from benchmarks.known_probabilities.world import World

    print("| τ | stopping | best | share, seeds 0, 1, 2 |\n| --: | --: | --: | --- |")
    for threshold in (0.2, 0.5, 0.8, 0.95):
        worlds = [World(seed=seed) for seed in range(3)]
        p_S_E_R = [world.q_E_R[world.heldout_E] for world in worlds]
        stops, best = (
            [causal_utility(one(p_E_R, threshold), p_E_R, threshold) for p_E_R in p_S_E_R]
            for one in (stopping, causal_oracle)
        )
        shares = ", ".join(f"{one / other:.2f}" for one, other in zip(stops, best, strict=True))
        print(f"| {threshold:g} | {np.mean(stops):.3f} | {np.mean(best):.3f} | {shares} |")


if __name__ == "__main__":
    main()
