"""Signed-rank tests, Holm's correction and detectable differences against SciPy, brute force and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rlhalt.evaluation.bootstrap import ratio, weights
from rlhalt.evaluation.significance import EXACT_UP_TO, detectable, holm, wilcoxon


@given(st.lists(st.floats(-10, 10).filter(lambda one: abs(one) > 1e-6), min_size=1, max_size=40, unique_by=abs))
def test_without_ties_it_is_scipys_exact_test(differences):
    rounded = np.unique(np.round(differences, 6))
    values = rounded[np.unique(np.abs(rounded), return_index=True)[1]]
    assert wilcoxon(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_with_ties_it_is_every_sign_tried(differences):
    moved = np.array([one for one in differences if one], dtype=float)
    found = wilcoxon(np.array(differences, dtype=float))
    ranks = stats.rankdata(np.abs(moved))
    sums = [sum(rank for rank, up in zip(ranks, signs, strict=True) if up)
            for signs in itertools.product([0, 1], repeat=len(moved))]  # fmt: skip
    observed = ranks[moved > 0].sum()
    one_sided = min(np.mean([one <= observed for one in sums]), np.mean([one >= observed for one in sums]))
    assert found == pytest.approx(min(1, 2 * one_sided))


@pytest.mark.parametrize("ties", [False, True])
def test_many_prompts_have_scipys_normal_test(ties):
    rng = np.random.default_rng(0)
    differences = rng.normal(0.1, 1, 3 * EXACT_UP_TO)
    if ties:
        differences = differences.round()
    theirs = stats.wilcoxon(differences, zero_method="wilcox", correction=False, method="approx").pvalue
    assert wilcoxon(differences) == pytest.approx(theirs)


def test_the_exact_and_the_normal_test_meet():
    differences = np.random.default_rng(1).normal(0.2, 1, EXACT_UP_TO)
    assert wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences, method="approx").pvalue, abs=0.003)


@given(st.lists(st.floats(-5, 5), max_size=30))
def test_neither_the_sign_nor_the_unit_of_a_difference_matters(differences):
    values = np.round(np.array(differences, dtype=float), 3)
    assert wilcoxon(values) == wilcoxon(-values) == wilcoxon(values / 8)


def test_what_rounding_makes_of_equal_differences_stays_equal():
    assert wilcoxon(np.array([0.1 + 0.2, -0.3, 0.3])) == wilcoxon(np.array([3.0, -3.0, 3.0]))
    assert wilcoxon(np.array([0.1 + 0.2 - 0.3, 1.0])) == wilcoxon(np.array([0.0, 1.0]))


@pytest.mark.parametrize(("differences", "p"), [([], None), ([np.nan], None), ([0, 0], 1), ([0, np.nan, 2], 1)])
def test_few_differences(differences, p):
    assert wilcoxon(np.array(differences, dtype=float)) == p


def test_holm_by_hand():
    # Wikipedia's example: 0.01, 0.04, 0.03, 0.005.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, None, 0.4]) == [0.8, None, 0.8]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1) | st.none(), max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(ps):
    """At every level, the procedure as Holm gives it: go up from the smallest, stop at the first that is too large."""
    corrected = holm(ps)
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    for level in (0.013, 0.05, 0.21):
        rejected = set()
        for place, (p, i) in enumerate(known):
            if p * (len(known) - place) > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(corrected) if p is not None and p <= level} == rejected


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    n, found = 150, []
    drawn = weights(n, seed=0, resamples=500)
    spread = rng.normal(0, 1, n)
    size = detectable(ratio(drawn, spread - spread.mean(), np.ones(n)))
    for trial in range(300):
        values = rng.normal(size, 1, n)
        low, high = np.quantile(ratio(weights(n, trial, 300)[1:], values, np.ones(n)), [0.025, 0.975])
        found.append(not low <= 0 <= high)
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_what_cannot_be_resampled_detects_nothing():
    assert detectable(np.array([0.5])) is None
    assert detectable(np.array([0.5, np.nan, 0.25])) is None
    assert detectable(np.array([0.5, 0.5, 0.5])) == 0
