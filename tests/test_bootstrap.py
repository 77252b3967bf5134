"""Intervals over prompts: weights, ratios, and what is not defined."""

import numpy as np
import pytest

from rlhalt.evaluation.bootstrap import Estimate, crossed, divide, estimate, ratio, seed_weights, weights


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


def test_a_resample_draws_seeds_and_then_whole_prompts_alike_in_each():
    """Against drawing by hand: rows of a table of seeds × prompts, and of these all columns."""
    rng = np.random.default_rng(0)
    right, decided = rng.integers(0, 4, (3, 5)).astype(float), rng.integers(4, 6, (3, 5)).astype(float)
    seeds, prompts = seed_weights((0, 1, 2), 7, 30), weights(5, 7, 30)
    drawn = ratio(crossed(seeds, prompts), right.ravel(), decided.ravel())
    for draw, of_seeds, of_prompts in zip(drawn, seeds, prompts, strict=True):
        rows, columns = (np.repeat(np.arange(len(one)), one.astype(int)) for one in (of_seeds, of_prompts))
        picked = np.ix_(rows, columns)
        assert draw == pytest.approx(right[picked].sum() / decided[picked].sum())


def test_one_seed_fewer_is_drawn_than_there_are_and_equal_seeds_alike():
    found = seed_weights((3, 1, 2), 0, 50)
    assert found.shape == (51, 3)
    assert (found[0] == 1).all()
    assert (found[1:].sum(axis=1) == 2).all()
    assert (found == seed_weights((3, 1, 2), 0, 50)).all()
    assert (found != seed_weights((0, 1, 2), 0, 50)).any()
    assert (seed_weights((4,), 0, 50) == 1).all()


def test_of_one_seed_the_weights_are_those_of_the_prompts():
    assert (crossed(seed_weights((0,), 0, 20), weights(6, 0, 20)) == weights(6, 0, 20)).all()
    assert crossed(seed_weights((0, 1), 0, 20), weights(1, 0, 20)).tolist() == [[1, 1]]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_variance_over_seeds_is_that_of_a_mean(n):
    """Seeds alone differ: the variance of the resampled mean is s² / S, without bias."""
    values = np.random.default_rng(n).normal(size=n)
    prompts = np.ones((40_001, 2))
    drawn = ratio(crossed(seed_weights(range(n), 0, 40_000), prompts), np.repeat(values, 2), np.ones(2 * n))
    assert drawn[1:].var() == pytest.approx(values.var(ddof=1) / n, rel=0.03)


def test_intervals_over_seeds_and_prompts_cover_the_truth_more_often_than_those_over_prompts_alone():
    rng, covered = np.random.default_rng(1), {True: 0, False: 0}
    for trial in range(200):
        values = 1 + rng.normal(0, 0.3, (5, 1)) + rng.normal(0, 0.5, (1, 40)) + rng.normal(0, 0.3, (5, 40))
        for both in (True, False):
            seeds = seed_weights(range(5), trial, 300) if both else np.ones((301, 5))
            one = estimate(ratio(crossed(seeds, weights(40, trial, 300)), values.ravel(), np.ones(200)))
            covered[both] += one.low <= 1 <= one.high
    assert covered[True] / 200 > 0.82
    assert covered[False] / 200 < 0.75
