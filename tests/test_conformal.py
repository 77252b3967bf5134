from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.uncertainty.conformal import Answer, answers, keeps_promise, lowest_threshold, threshold


@pytest.mark.parametrize(
    ("right", "share", "above"),
    [
        # Scores 0.9, 0.7, 0.5, 0.3, and the highest threshold at which too little is right.
        ((1, 1, 1, 1), 1.0, None),
        ((1, 1, 1, 0), 1.0, 0.3),
        ((1, 0, 1, 1), 1.0, 0.7),
        ((0, 1, 1, 1), 1.0, 0.9),
        ((0, 1, 1, 1), 0.75, 0.9),  # keeping all would do, keeping the best alone would not
        ((1, 0, 1, 1), 0.75, 0.7),
        ((1, 1, 0, 1), 0.75, 0.5),
        ((1, 1, 1, 0), 0.75, None),
        ((0, 0, 0, 0), 0.5, 0.9),
    ],
)
def test_the_lowest_threshold_of_one_answer(right, share, above):
    found = lowest_threshold(Answer([0.9, 0.7, 0.5, 0.3], [bool(one) for one in right]), share)
    assert found == (-math.inf if above is None else math.nextafter(above, math.inf))


def test_equal_scores_are_kept_together_and_no_claims_break_no_promise():
    assert lowest_threshold(Answer([0.5, 0.5], [True, False])) == math.nextafter(0.5, math.inf)
    assert lowest_threshold(Answer([0.5, 0.5], [True, False]), 0.5) == -math.inf
    assert lowest_threshold(Answer([], [])) == -math.inf


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]) | st.floats(0, 1), st.booleans()), max_size=8),
    st.floats(0.05, 1),
    st.floats(-0.5, 1.5),
)
def test_every_threshold_from_the_lowest_on_keeps_the_promise(claims, share, at):
    answer = Answer([score for score, _ in claims], [right for _, right in claims])
    lowest = lowest_threshold(answer, share)
    if at >= lowest:
        assert keeps_promise(answer, at, share)
    if lowest > -math.inf:
        assert keeps_promise(answer, lowest, share)
        assert not keeps_promise(answer, math.nextafter(lowest, -math.inf), share)


def single(r: float) -> Answer:
    """One wrong claim: every threshold up to its score is bad."""
    return Answer([r], [False])


def test_the_number_of_the_quantile_is_guarded():
    nine = [single(r / 10) for r in range(9)]
    # k = ceil(10 · 0.9) = 9, the largest; in floating point 10 · (1 - 0.1) is just below or above.
    assert threshold(nine, 0.1) == math.nextafter(0.8, math.inf)
    assert threshold(nine, 0.2) == math.nextafter(0.7, math.inf)
    # k = ceil(10 · 0.95) = 10 > 9: nine prompts cannot promise 95 %.
    assert threshold(nine, 0.05) == math.inf
    assert threshold(nine[::-1], 0.5) == math.nextafter(0.4, math.inf)
    for n in range(1, 60):
        for percent in range(1, 100):
            found = threshold([single(r) for r in range(n)], percent / 100)
            number = -(-(n + 1) * (100 - percent) // 100)
            assert found == (math.inf if number > n else math.nextafter(number - 1, math.inf))


def world(rng: np.random.Generator, prompts: int) -> list[Answer]:
    """Answers of up to seven claims: prompts of all kinds, confidences that know something and are too high."""
    made = []
    for hardness in rng.beta(2, 2, prompts):
        odds = np.clip(rng.beta(5, 2, rng.integers(0, 8)) - 0.4 * hardness, 0.02, 0.98)
        scores = np.sqrt(odds) + rng.normal(0, 0.05, len(odds))
        made.append(Answer([float(one) for one in scores], [bool(one) for one in rng.random(len(odds)) < odds]))
    return made


@pytest.mark.parametrize(("error", "share"), [(0.1, 1.0), (0.2, 0.8), (0.05, 0.9)])
def test_the_promise_is_kept_over_a_thousand_draws(error, share):
    """1 - α ≤ P(promise kept), and at most 1/(n + 1) more where no two r_i are equal.

    Over 1,000 draws of 50 calibration prompts and 40 new ones the mean has a standard deviation below 0.3 %.
    """
    rng = np.random.default_rng(0)
    kept, untied = [], []
    for _ in range(1000):
        calibration, new = world(rng, 50), world(rng, 40)
        at = threshold(calibration, error, share)
        kept.append(np.mean([keeps_promise(one, at, share) for one in new]))
        untied.append(at > -math.inf)
    spread = 3 * np.std(kept) / np.sqrt(len(kept))
    assert 1 - error - spread <= np.mean(kept)
    assert np.mean(untied) > 0.99
    assert np.mean(kept) <= 1 - error + 1 / 51 + spread


def test_ties_cost_completeness_and_not_the_promise():
    """Confidences in tenths, as agreement among ten responses has them: equal r_i make the promise safer than asked."""
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(1000):
        draw = [Answer([round(score, 1) for score in one.scores], one.right) for one in world(rng, 90)]
        at = threshold(draw[:50], 0.2)
        kept.append(np.mean([keeps_promise(one, at) for one in draw[50:]]))
    assert 0.8 <= np.mean(kept) < 0.95


def test_a_threshold_without_calibration_does_not_keep_it():
    """The confidences of that world are too high: what is scored 0.7 or more is all right in half of the answers."""
    new = world(np.random.default_rng(0), 4000)
    assert np.mean([keeps_promise(one, 0.7) for one in new]) < 0.55
    at = threshold(world(np.random.default_rng(1), 4000), 0.2)
    assert np.mean([keeps_promise(one, at) for one in new]) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"error": 0}, "error"), ({"error": 1.0}, "error"), ({"share": 0}, "share"), ({"share": 1.1}, "share")],
)
def test_what_makes_no_sense_is_refused(wrong, field):
    with pytest.raises(InputError, match=field):
        threshold([single(0.5)], **{"error": 0.1, **wrong})


def test_an_empty_calibration_and_scores_that_are_none_are_refused():
    with pytest.raises(InputError, match="calibration"):
        threshold([], 0.1)
    with pytest.raises(InputError, match="one verdict a score"):
        Answer([0.5], [])
    with pytest.raises(InputError, match="not a number"):
        Answer([math.nan], [True])


def test_answers_of_scored_responses(scored_row):
    row = scored_row(["A.", "B.", "C."], "+?-")
    failed = dataclasses.replace(scored_row(["A."], "!"), prompt_key="q")
    (answer,) = answers([row, failed], {row.key: [0.9, 0.8, 0.7]})
    assert (answer.scores, answer.right) == ([0.9, 0.7], [True, False])
    with pytest.raises(InputError, match="one response a prompt"):
        answers([row, row], {row.key: [0.9, 0.8, 0.7]})
    with pytest.raises(InputError, match="expected 3 scores, found 0"):
        answers([row], {})
