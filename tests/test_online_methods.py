"""Rewards of other online methods, on hand-made groups and in a step of training."""

from __future__ import annotations

import pytest

from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Fragment
from rlhalt.rewards import response_reward
from rlhalt.training.fragment_grpo.advantages import Earned, advantages
from rlhalt.training.fragment_grpo.methods import REWARDS, Judged
from rlhalt.training.grpo import GrpoData

LABELS = {"+": "correct", "-": "incorrect", "?": "unverifiable", ".": "halt", "!": None}


def judged(*said: tuple[str, str], threshold: float = 0.5) -> Judged:
    fragments = [Fragment(0, len(text), "sentence", text, LABELS[mark]) for text, mark in said]
    return Judged(fragments, threshold)


def paid(name: str, *group: Judged) -> list[float | None]:
    made = REWARDS[name].rewards
    assert made is not None
    return made(group)


RIGHT, WRONG, REFUSED, FAILED = (
    judged((text, mark)) for text, mark in (("B", "+"), ("C", "-"), (HALT_PHRASE, "."), ("B", "!"))
)


def test_truth_rl_is_ternary_and_a_failed_verdict_is_no_wrong_one():
    assert paid("truth-rl", RIGHT, REFUSED, WRONG, FAILED) == [1, 0, -1, None]
    assert paid("truth-rl", judged(("B", "+"), ("C", "-")), judged(("B", "+"), ("x", "?"))) == [-1, 1]


def test_reinforced_hesitation_makes_a_wrong_answer_cost_what_tau_says():
    at = [judged(("C", "-"), threshold=one) for one in (0.5, 0.8, 0.95)]
    assert paid("reinforced-hesitation", *at) == pytest.approx([-1, -4, -19])
    assert paid("reinforced-hesitation", RIGHT, REFUSED, FAILED) == [1, 0, None]


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_of_one_short_answer_both_are_the_utility_scaled(threshold):
    for mark in "+-.":
        one = judged(("B", mark), threshold=threshold)
        utility = response_reward(one.fragments, threshold, "independent")
        assert paid("reinforced-hesitation", one) == [pytest.approx(utility / (1 - threshold))]
        assert paid("truth-rl", one) == [2 * response_reward(one.fragments, 0.5, "independent")]


def test_rlcr_pays_correctness_less_the_brier_score():
    sure = ("I am about 80% sure of this answer.", "?")
    assert paid("rlcr", judged(sure, ("B", "+")), judged(sure, ("C", "-"))) == pytest.approx([0.96, -0.64])
    # Without a confidence, or with none that is one: as with the worst.
    assert paid("rlcr", RIGHT, WRONG, judged(("I am 180% sure.", "?"), ("C", "-"))) == [0, -1, -1]
    # A percentage in a claim is a fact. Half right: ½ - (0.8 - ½)².
    assert paid("rlcr", judged(("It has 90% water.", "+"))) == [0]
    assert paid("rlcr", judged(sure, ("B", "+"), ("C", "-"))) == pytest.approx([0.41])
    assert paid("rlcr", FAILED) == [None]


def test_empo_pays_agreement_and_reads_no_verdict():
    group = [judged((text, mark)) for text, mark in (("B.", "-"), ("b", "!"), ("B", "+"), ("C", "+"))]
    assert paid("empo", *group) == [0.75, 0.75, 0.75, 0.25]
    assert paid("empo", REFUSED, RIGHT) == [0, 0.5]
    assert paid("empo", judged(("A", "+"), ("B", "+")), judged(("A", "+"))) == [0.75, 1.0]


def test_rewards_become_advantages_of_whole_responses():
    group = [Earned((0.5, 0.0), total) for total in (1.0, -1.0, None)]
    assert advantages(group, "response") == [[2.0, 2.0], [-2.0, -2.0], [0.0, 0.0]]


def test_a_method_is_checked():
    with pytest.raises(InputError, match="did you mean 'truth-rl'"):
        GrpoData(train_file="f", domain="countries", method="truthrl")
    with pytest.raises(InputError, match="whole responses"):
        GrpoData(train_file="f", domain="countries", method="rlcr", credit="flip")
