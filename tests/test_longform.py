"""FActScore, F1@K and vague words, against the formulas written the other way round."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from rlhalt.evaluation.longform import f1_at, factscore, is_vague

verdicts = st.lists(st.booleans(), min_size=1, max_size=40)


@given(verdicts)
def test_factscore_is_the_mean_of_its_decisions_and_its_penalty_that_of_the_published_code(supported):
    n = len(supported)
    assert factscore(sum(supported), n) == pytest.approx(np.mean(supported))
    penalty = 1.0 if n > 10 else np.exp(1 - 10 / n)
    assert factscore(sum(supported), n, penalty_below=10) == pytest.approx(penalty * np.mean(supported))


@given(verdicts, st.integers(1, 30))
def test_f1_at_k_is_the_f1_of_a_retrieval(supported, wanted):
    """K facts are there to be had; what is supported beyond K is right, and no more of them."""
    right = sum(supported)
    found = [1] * len(supported) + [0] * max(0, wanted - right)
    truth = [int(one) for one in supported] + [1] * max(0, wanted - right)
    expected = f1_score(truth, found, zero_division=0)
    assert f1_at(wanted, right, len(supported)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wanted", "supported", "claims", "expected"),
    [(4, 0, 0, 0.0), (4, 0, 3, 0.0), (4, 4, 4, 1.0), (4, 8, 8, 1.0), (4, 2, 2, 2 / 3), (4, 4, 8, 2 / 3)],
)
def test_f1_at_k_by_hand(wanted, supported, claims, expected):
    assert f1_at(wanted, supported, claims) == pytest.approx(expected)


def test_what_has_no_share_is_not_a_number():
    assert math.isnan(factscore(0, 0))
    assert math.isnan(f1_at(0, 1, 1))
    assert math.isnan(f1_at(math.nan, 1, 1))


@pytest.mark.parametrize(
    ("claim", "vague"),
    [
        ("Many people speak various languages.", True),
        ("Most of Norway is rock.", True),
        ("It is often cold there.", True),
        ("Oslo may be the capital.", True),
        ("May is the coldest month.", False),
        ("It became independent in May 1905.", False),
        ("The capital of Norway is Oslo.", False),
        ("Kenya has a capital.", False),
        ("1905.", False),
        ("", False),
    ],
)
def test_vague_words(claim, vague):
    assert is_vague(claim) is vague
