"""What the decisions of a group of responses are worth, for online training: rewards at τ → one advantage a decision.

    fragments ─ earned ─► rewards, one a decision ─ advantages, of a group ─► one number a decision

A response is a row of decisions: to say each of its fragments, and at last to end. Saying "Unsure from here." is to
end; the end of turn after it is no decision of its own. In a causal domain nothing after the first error counts: the
row ends with it.

What a decision earns is what its verdict is worth at τ (`rlhalt.rewards`), less three prices that only training has.
Each closes a way to avoid a doubtful claim without halting, which a policy finds where it costs nothing:

- *unverifiable*: a sentence that nobody can check. One that says how sure the response is claims nothing and is free
  (`rlhalt.fragments.stated_confidence`).
- *repeated*: a sentence whose words the response has said before, in independent domains. The price does not fall with
  τ, so saying something again never becomes the cheap way to fill an answer. Another wording of the same fact is
  unverifiable to most verifiers, and has that price.
- *unfinished*: the response ran into the limit of tokens. Its last fragment is no claim, whatever its verdict was, and
  the response has no end. The decision at which it was cut off earns this price and nothing else. So a response that is
  cut off earns less than the same response ended before its last fragment, at every τ. With a mask in place of a price,
  a policy loses nothing by not ending.

The advantage of a decision is what is earned from there on, less what was to be expected: the mean of what the other
responses of the group earn from the same place on, where one that has ended earns 0 (`fragment`); or the mean of what
they earn in all, less what this response has earned before (`sum`). Neither depends on what is decided there, so the
expected gradient of both is that of the mean τ-utility (REINFORCE with a leave-one-out baseline: Kool et al. 2019;
Ahmadian et al., arXiv 2402.14740). The first is free of the luck before; the second knows that who has said much has
less ahead. Advantages are never divided by the group's standard deviation: that would weigh prompts by how much their
rewards differ, and moves the learned threshold towards 1/2.

What a failed verdict leaves unknown has no gradient and stands in no mean: all decisions up to the failed one.
`UNSEEN` is a response of which nothing is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from rlhalt.errors import InputError
from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Fragment, Label
from rlhalt.rewards import Halting, counted, fragment_reward
from rlhalt.statement import said_before

Credit = Literal["fragment", "sum", "response", "mixed", "flip"]
CREDITS: tuple[str, ...] = get_args(Credit)
PRICES = {
    "unverifiable": "statements that cannot be checked",
    "repeated": "repetition",
    "unfinished": "responses that are cut off",
}


@dataclasses.dataclass(frozen=True)
class Pay:
    """What is paid for what.

    Attributes:
        threshold: τ.
        halting: of the domain, see `rlhalt.rewards`.
        unverifiable: what a claim earns that cannot be checked, 0 or less.
        repeated: what a fragment earns at most that says the same words again, 0 or less; `unverifiable` where that is
            less. Not used in causal domains.
        unfinished: what the decision earns at which a response was cut off, 0 or less. The default is the difference
            between a right and a wrong fragment, so it is never cheaper than a wrong claim.
    """

    threshold: float
    halting: Halting
    unverifiable: float = 0.0
    repeated: float = -0.5
    unfinished: float = -1.0

    def __post_init__(self) -> None:
        for name, what in PRICES.items():
            if getattr(self, name) > 0:
                raise InputError(
                    f"expected 0 or less, because a positive value would reward {what}, found {getattr(self, name)}",
                    field=name,
                )


@dataclasses.dataclass(frozen=True)
class Earned:
    """What a response earned.

    Attributes:
        rewards: one a decision, None where scoring failed; the last is the decision to end, or that at which the
            response was cut off, unless an error ended the row.
        total: of the response as a whole, None where any of its scoring failed.
    """

    rewards: tuple[float | None, ...]
    total: float | None


UNSEEN = Earned((None,), None)
"""A response that nobody has judged: no gradient, and in no mean."""


def earned(fragments: Sequence[Fragment], pay: Pay, asked: int | None = None, *, unfinished: bool = False) -> Earned:
    """What each decision of a response earned, decision k being fragment k.

    With prices of 0 these are `rlhalt.rewards.fragment_rewards`, and the total is its `response_reward`.

    Args:
        asked: how many facts the prompt asks for, see `rlhalt.reference.n_asked`.
        unfinished: whether the response ran into the limit of tokens, so that its last fragment is none.

    >>> labels = ("correct", "incorrect")
    >>> response = [Fragment(at, at + 1, "sentence", "ab"[at], label) for at, label in enumerate(labels)]
    >>> earned(response, Pay(0.75, "independent"))
    Earned(rewards=(0.25, -0.75, 0.0), total=-0.5)
    """
    finished = fragments[:-1] if unfinished else fragments
    rewards: list[float | None] = []
    wrong = False
    again = said_before(finished) if pay.halting == "independent" else [False] * len(finished)
    for one, label, repeats in zip(finished, counted(finished, pay.halting, asked), again, strict=True):
        rewards.append(_paid(one, label, repeats, pay))
        wrong = pay.halting == "causal" and label == "incorrect"
        if wrong:
            break
    if unfinished and not wrong:
        rewards.append(pay.unfinished)
    elif not wrong and not (fragments and fragments[-1].label == "halt"):
        rewards.append(0.0)
    known = [reward for reward in rewards if reward is not None]
    if len(known) < len(rewards) or any(one.label is None for one in finished):
        return Earned(tuple(rewards), None)
    if pay.halting == "causal" and (wrong or unfinished):
        # As in `response_reward`: a longer right part of a wrong chain earns nothing extra.
        return Earned(tuple(rewards), known[-1])
    return Earned(tuple(rewards), sum(known))


def _paid(fragment: Fragment, label: Label | None, repeats: bool, pay: Pay) -> float | None:
    unclear = label == fragment.label == "unverifiable" and not is_confidence(fragment)
    reward = pay.unverifiable if unclear else fragment_reward(label, pay.threshold)
    if reward is None or not repeats:
        return reward
    return min(reward, pay.repeated, pay.unverifiable)


def advantages(group: Sequence[Earned], credit: Credit = "fragment", alpha: float = 1.0) -> list[list[float]]:
    """The advantage of each decision of each response of a group.

    - `fragment`: what is earned from there on, less the mean of the others from the same place on.
    - `sum`: the sum of a response's rewards, less the mean of the others', for all its decisions.
    - `response`: the same of their totals, which a causal domain makes of them (`rlhalt.rewards.response_reward`).
    - `mixed`: that, and alpha times what the fragment itself earned.
    - `flip`: as `response`, but never negative for a fragment that earned something and never positive for one that
      cost something (FSPO, arXiv 2505.24630).

    Args:
        group: responses to one prompt.
        credit: which of them.
        alpha: of `mixed`.

    Returns:
        One list a response, with one number a decision, 0 where there is no gradient.

    >>> group = [Earned((0.5, -0.5, 0.0), 0.0), Earned((0.5, 0.0), 0.5)]
    >>> advantages(group, "sum")
    [[-0.5, -0.5, -0.5], [0.5, 0.5]]
    >>> advantages(group, "fragment")
    [[-0.5, -0.5, 0.0], [0.5, 0.5]]
    """
    if credit == "fragment":
        return _from_there_on(group)
    totals = np.array([_whole(one, credit) for one in group])
    of_response = _less_the_others(totals[:, None])[:, 0]
    made = []
    for one, advantage in zip(group, of_response.tolist(), strict=True):
        if np.isnan(advantage):
            made.append([0.0] * len(one.rewards))
        else:
            rewards = [reward or 0.0 for reward in one.rewards]
            made.append([_of_fragment(reward, advantage, credit, alpha) for reward in rewards])
    return made


def _whole(one: Earned, credit: Credit) -> float:
    if credit == "sum":
        return np.nan if None in one.rewards else sum(reward or 0.0 for reward in one.rewards)
    return np.nan if one.total is None else one.total


def _of_fragment(reward: float, advantage: float, credit: Credit, alpha: float) -> float:
    if credit == "mixed":
        return advantage + alpha * reward
    if credit == "flip" and reward:
        return abs(advantage) if reward > 0 else -abs(advantage)
    return advantage


def _from_there_on(group: Sequence[Earned]) -> list[list[float]]:
    longest = max((len(one.rewards) for one in group), default=0)
    to_go_G_K = np.zeros((len(group), longest))
    for row, one in enumerate(group):
        rewards = [np.nan if reward is None else reward for reward in one.rewards]
        to_go_G_K[row, : len(rewards)] = np.cumsum(rewards[::-1])[::-1]
        if one == UNSEEN:
            to_go_G_K[row] = np.nan
    advantages_G_K = np.nan_to_num(_less_the_others(to_go_G_K)).tolist()
    return [row[: len(one.rewards)] for row, one in zip(advantages_G_K, group, strict=True)]


def _less_the_others(values_G_K: np.ndarray) -> np.ndarray:
    """Each value less the mean of the others in its column; NaN ones are in no mean. Alone, it stands as it is."""
    known = ~np.isnan(values_G_K)
    filled = np.where(known, values_G_K, 0.0)
    others = known.sum(0) - known
    mean = (filled.sum(0) - filled) / np.maximum(others, 1)
    less: np.ndarray = values_G_K - mean
    return less
