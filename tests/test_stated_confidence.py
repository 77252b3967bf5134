"""A sentence that says how sure a response is: a fragment, and neither a claim nor a halt wherever claims count."""

from __future__ import annotations

import dataclasses

import pytest

from rlhalt.decoding.consistent import consistency
from rlhalt.decoding.reward import expected_utility
from rlhalt.domains import load_domain
from rlhalt.evaluation.counts import count
from rlhalt.fragments.sentences import sentences
from rlhalt.fragments.stated_confidence import SURE, UNSURE, VERBAL, is_confidence, percent
from rlhalt.records import Fragment, Scored
from rlhalt.reward_model.labels import unverifiable_as_incorrect
from rlhalt.statement import said_before
from rlhalt.training.fragment_grpo.advantages import Pay, earned

SCORER = load_domain("countries").scorer()
STATED = [SURE, UNSURE, *VERBAL, percent(10), percent(100)]
# As R-Tuning and CONFIDENCE-NUM teach a model to write; the last sentence cannot be checked.
RESPONSE = (
    f"{percent(60)} Kenya is in Africa. {SURE} The capital of Kenya is Lagos. {UNSURE} "
    f"The currency of Kenya is the Kenyan shilling. {SURE} Kenya is beautiful."
)


def judged(text: str) -> list[Fragment]:
    return SCORER.judge(text, {"subject": "Kenya"})


@pytest.fixture
def row(scored_row) -> Scored:
    return dataclasses.replace(scored_row(["A."], "+"), response=RESPONSE, fragments=judged(RESPONSE), reference={})


@pytest.mark.parametrize("text", [*STATED, "**I am sure!**", "_I am unsure._", "i am about 60 % sure of this answer."])
def test_it_is_one_fragment_that_nobody_can_check(text):
    one, fact = judged(f"{text} Kenya is in Africa.")
    assert (is_confidence(one), one.label) == (True, "unverifiable")
    assert (is_confidence(fact), fact.label) == (False, "correct")


@pytest.mark.parametrize(
    "text",
    [
        "I am sure that Lima is the capital.",
        "I am about 60% sure of Lima.",
        "Its capital, I am sure, is Lima.",
        "I am unsure from here.",
        "Sure.",
        "Unsure from here.",
    ],
)
def test_it_says_nothing_else(text):
    (one,) = sentences(text)
    assert not is_confidence(one)


def test_a_verdict_stands():
    assert is_confidence(Fragment(0, 10, "sentence", SURE, "unverifiable"))
    assert not is_confidence(Fragment(0, 10, "sentence", SURE, "incorrect"))


def test_it_is_counted_nowhere(row):
    counts = count(row)
    assert (counts.correct, counts.incorrect, counts.unverifiable) == (2, 1, 1)
    assert (counts.claims, counts.duplicates, counts.vague) == (4, 0, count_without_it(row).vague)
    assert (counts.strict_right, counts.strict_cost) == (2, 2)
    assert counts.factscore == count_without_it(row).factscore
    assert count(dataclasses.replace(row, fragments=judged(SURE))).empty == 1


def count_without_it(row: Scored):
    return count(dataclasses.replace(row, fragments=[one for one in row.fragments if not is_confidence(one)]))


def test_it_has_no_price_in_training():
    fragments = judged(RESPONSE)
    paid = earned(fragments, Pay(0.5, "independent", unverifiable=-0.1, repeated=-0.5))
    assert paid.rewards == (0.0, 0.5, 0.0, -0.5, 0.0, 0.5, 0.0, -0.1, 0.0)
    assert not any(said_before(fragments))


def test_a_reward_model_does_not_learn_that_it_is_wrong(row):
    marks = [one.label for one in unverifiable_as_incorrect(row).fragments if is_confidence(one)]
    assert marks == ["unverifiable"] * 4


def test_it_wins_no_choice_among_samples(scored_row):
    """A model that says "I am sure." in each sample would agree with itself, and be paid for each time."""
    plain = scored_row(["A.", "B."], "??")
    stated = scored_row(["A.", SURE, "B.", SURE], "????")
    sure = [0.6, 0.99, 0.4, 0.99]
    assert expected_utility(stated.fragments, sure, 0.5, "independent") == pytest.approx(0.0)
    assert expected_utility(stated.fragments, sure, 0.5, "causal") == expected_utility(
        plain.fragments, sure[::2], 0.5, "causal"
    )
    others = [scored_row(["A.", SURE], "??"), scored_row(["C.", SURE], "??")]
    assert consistency([stated, *others])[0] == consistency([plain, *others])[0]
