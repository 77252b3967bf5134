"""Intervals over prompts: weights, ratios, and what is not defined."""

import numpy as np
import pytest

from rlhalt.evaluation.bootstrap import Estimate, divide, estimate, ratio, weights


def test_the_first_row_counts_every_prompt_once_and_every_row_draws_as_many_prompts_as_there_are():
    drawn = weights(7, seed=3, resamples=50)
    assert drawn.shape == (51, 7)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 7).all()


def test_the_same_seed_draws_the_same_prompts():
    assert (weights(9, seed=1) == weights(9, seed=1)).all()
    assert (weights(9, seed=1) != weights(9, seed=2)).any()


def test_a_resample_equals_drawing_whole_prompts():
    right, decided = np.array([1.0, 0, 3, 2]), np.array([2.0, 2, 3, 5])
    drawn = weights(4, seed=0, resamples=20)
    for row, value in zip(drawn, ratio(drawn, right, decided), strict=True):
        prompts = np.repeat(np.arange(4), row.astype(int))
        expected = right[prompts].sum() / decided[prompts].sum()
        assert value == pytest.approx(expected)


def test_dividing_by_zero_is_not_defined():
    assert np.isnan(divide(np.array([1.0]), np.array([0.0]))).all()


def test_an_estimate_is_the_value_and_its_percentiles():
    draws = np.concatenate([[7.0], np.arange(1001)])
    assert estimate(draws) == Estimate(7.0, pytest.approx(25), pytest.approx(975))


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ([np.nan, 1.0, 2.0], Estimate(None)),
        ([0.5], Estimate(0.5)),
        ([0.5, np.nan, np.nan], Estimate(0.5)),
        ([0.5, np.nan, 0.25], Estimate(0.5, 0.25, 0.25)),
    ],
    ids=["value not defined", "one prompt", "no resample defined", "some resamples defined"],
)
def test_what_is_not_defined_stays_out(draws, expected):
    assert estimate(np.array(draws)) == expected


def test_one_prompt_has_no_interval():
    drawn = weights(1, seed=0)
    assert estimate(ratio(drawn, np.array([1.0]), np.array([2.0]))) == Estimate(0.5)


@pytest.mark.parametrize(
    ("one", "includes"),
    [
        (Estimate(1.0, -0.1, 2.0), True),
        (Estimate(1.0, 0.0, 2.0), True),
        (Estimate(1.0, 0.1, 2.0), False),
        (Estimate(-1.0, -2.0, -0.1), False),
        (Estimate(1.0), None),
    ],
)
def test_whether_an_interval_includes_zero(one, includes):
    assert one.includes_zero is includes


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    # Clustered data: the prompt decides how often its five claims are right; the true ratio is 0.6.
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        right = rng.binomial(5, rng.beta(3, 2, size=40)).astype(float)
        one = estimate(ratio(weights(40, seed=trial, resamples=400), right, np.full(40, 5.0)))
        covered += one.low <= 0.6 <= one.high
    assert 0.90 <= covered / 300 <= 0.98
