"""Where a model begins to speak, on worlds where it is known, and against scikit-learn's regression."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from evaluation_folders import build
from rlhalt.evaluation import compare, load
from rlhalt.evaluation.bootstrap import Estimate, weights
from rlhalt.evaluation.confidence_arrays import Judged
from rlhalt.evaluation.switch_point import Reading, Statements, speaking, statements, switch
from rlhalt.records import HALT_PHRASE, Confidence


def made(confidence, spoken):
    q, said = np.asarray(confidence, dtype=float), np.asarray(spoken, dtype=float)
    return Judged(q, said, np.arange(len(q)))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_a_sharp_policy_switches_at_its_threshold(threshold):
    q = np.linspace(0.01, 0.99, 197)
    found = switch(made(q, q >= threshold), weights(len(q), 0, 50))
    assert found.value == pytest.approx(threshold, abs=0.02)
    assert found.low <= found.value <= found.high


def test_the_switch_is_where_another_regression_has_it():
    rng = np.random.default_rng(0)
    q = rng.uniform(0.02, 0.98, 4000)
    z = np.log(q / (1 - q))
    spoken = rng.random(4000) < 1 / (1 + np.exp(-(1.4 * z - 0.9)))
    theirs = LogisticRegression(C=np.inf).fit(z[:, None], spoken)
    crossing = 1 / (1 + math.exp(theirs.intercept_[0] / theirs.coef_[0, 0]))
    found = switch(made(q, spoken), weights(4000, 0, 20))
    assert found.value == pytest.approx(crossing, abs=2e-3)
    assert found.low < 1 / (1 + math.exp(-0.9 / 1.4)) < found.high


@pytest.mark.parametrize(
    ("confidence", "spoken"),
    [
        ([], []),
        ([0.5] * 9, [0, 1] * 4 + [0]),
        (np.linspace(0.1, 0.9, 50), np.zeros(50)),
        (np.linspace(0.1, 0.9, 50), np.ones(50)),
        (np.linspace(0.1, 0.9, 50), np.linspace(0.1, 0.9, 50) < 0.5),
        (np.linspace(0.1, 0.9, 50), np.arange(50) == 49),
    ],
    ids=["no statements", "one confidence", "says nothing", "says all", "falls", "too rarely"],
)
def test_no_switch_is_not_defined(confidence, spoken):
    assert switch(made(confidence, spoken), weights(len(confidence), 0, 10)) == Estimate(None)


def test_resamples_that_fall_are_left_out():
    q, spoken = np.linspace(0.1, 0.9, 40), np.linspace(0.1, 0.9, 40) > 0.5
    # The last has but one that is silent among the sure and one that speaks among the unsure.
    falling = np.zeros(40)
    falling[[10, 30]] = 1
    spoken[[10, 30]] = [True, False]
    rows = np.stack([np.ones(40), np.ones(40), falling])
    found = switch(made(q, spoken), rows)
    assert found.low == found.value == found.high


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=12))
def test_a_switch_lies_within_what_was_seen(seen):
    q = [one[0] for one in seen]
    found = switch(made(q, [one[1] for one in seen]), weights(len(q), 0, 10))
    if found.value is not None:
        assert min(q) <= found.value <= max(q)
        assert found.low is None or min(q) <= found.low <= found.high <= max(q)


HALVES = {"a": True, "b": False}


@pytest.fixture
def answered(scored_row):
    """Base's four statements on two prompts, one of them without a verdict and one without a confidence."""
    rows = [
        dataclasses.replace(scored_row(["C is big.", "C is old.", "C is odd."], "+-?"), key="a", prompt_key="a"),
        dataclasses.replace(scored_row(["B is big.", "B is old.", "B is new."], "+-+"), key="b", prompt_key="b"),
    ]
    return list(
        zip(rows, [Confidence("a", [0.9, 0.2, 0.5], []), Confidence("b", [0.8, 0.3, math.nan], [])], strict=True)
    )


def test_speaking_lies_between_the_same_words_and_the_same_matter(answered, scored_row):
    found = statements(answered, ["a", "b"], HALVES)
    assert found.words == ["c is big", "c is old", "b is big", "b is old"]
    assert found.prompt.tolist() == [0, 0, 1, 1]
    # Each half has one right and one wrong statement: the surer one is right more often.
    assert found.confidence[0] > 0.5 > found.confidence[1]
    said = [
        dataclasses.replace(scored_row(["C is BIG!", "Nothing is older."], "??"), prompt_key="a"),
        dataclasses.replace(scored_row([HALT_PHRASE], "."), prompt_key="a"),
        dataclasses.replace(scored_row(["C is big.", "B is old."], "+-"), prompt_key="b"),
    ]
    one = speaking("M", "greedy", 0.5, found, [said], ["a", "b"], weights(2, 0, 5))
    # Of a: 1 and 0 of 2; of b, whose statement about C is none of base's about B: 1 of 2.
    assert one.words.spoken == pytest.approx((1 + 0 + 1) / (2 + 2 + 2))
    assert one.n == 4
    assert sum(b.n for b in one.words.bins) == sum(b.n for b in one.matter.bins) == 6


@pytest.mark.parametrize(
    ("says", "words", "matter"),
    [
        ("The capital of Kenya is Nairobi.", 1, 1),
        ("the capital of Kenya is Nairobi", 1, 1),
        ("The capital of Kenya is Mombasa.", 0, 1),
        ("The currency of Kenya is the shilling.", 0, 0),
        ("Nairobi is the capital of Kenya.", 0, 0),
        ("", 0, 0),
    ],
)
def test_who_says_another_value_speaks_too(scored_row, says, words, matter):
    base = Statements(["capital of kenya is nairobi"], np.array([0.5]), np.array([0]))
    row = scored_row([says], "?") if says else scored_row([], "")
    one = speaking("M", "greedy", None, base, [[row]], ["p"], weights(1, 0))
    assert (one.words.spoken, one.matter.spoken) == (words, matter)


def test_without_statements_nothing_is_defined(scored_row):
    row = dataclasses.replace(scored_row([], ""), prompt_key="a")
    nothing = statements([(row, Confidence(row.key, [], []))], ["a"], HALVES)
    one = speaking("M", "greedy", 0.5, nothing, [[row]], ["a"], weights(1, 0, 5))
    assert one.words == one.matter == Reading(None, Estimate(None), [])
    assert one.n == 0


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    folders = build(tmp_path_factory.mktemp("runs"), n_prompts=12, samples=1, seeds=(0,), thresholds=(0.5,))
    return [load(folder) for folder in folders]


def test_every_trained_model_is_held_against_base_under_each_decoding(evaluations):
    found = compare(evaluations, resamples=10).speaking
    assert [(one.decoding, one.model, one.threshold) for one in found] == [
        ("greedy", "SFT", None), ("greedy", "DPO τ=0.5", 0.5), ("sampled", "SFT", None), ("sampled", "DPO τ=0.5", 0.5)
    ]  # fmt: skip
    base = evaluations[0]
    copy = compare([base, dataclasses.replace(base, name="SFT", role="supervised")], resamples=10).speaking
    assert [one.words.spoken for one in copy if one.decoding == "greedy"] == [1]


def test_of_a_chain_nothing_is_told(evaluations):
    causal = [dataclasses.replace(one, halting="causal") for one in evaluations]
    assert compare(causal, resamples=10).speaking == []
