"""Maps from confidence to probability against scikit-learn and SciPy, and base cut by them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from rlhalt.evaluation.baselines import baselines, recalibrations, spoken
from rlhalt.evaluation.bootstrap import weights
from rlhalt.evaluation.calibration import calibrate
from rlhalt.evaluation.confidence_arrays import decided, judged
from rlhalt.evaluation.metrics import per_prompt
from rlhalt.evaluation.recalibration import METHODS, cross_fitted, halves, isotonic, platt, temperature
from rlhalt.records import Confidence

GRID = np.linspace(0, 1, 21)


def world(seed=0, n=400, prompts=40):
    """An overconfident model: what it is sure of by p is right with probability p²."""
    rng = np.random.default_rng(seed)
    p = rng.beta(3, 1.5, n)
    return p, (rng.random(n) < p**2).astype(float), rng.integers(0, prompts, n)


def logit(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_that_of_the_highest_likelihood(seed):
    p, correct, _ = world(seed)
    best = minimize_scalar(
        lambda b: log_loss(correct, 1 / (1 + np.exp(-b * logit(p)))), bounds=(0, 100), method="bounded"
    )
    assert temperature(p, correct)(GRID) == pytest.approx(1 / (1 + np.exp(-best.x * logit(GRID))), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_platts_map_is_a_logistic_regression_on_his_targets(seed):
    """A soft target is the same as both verdicts, weighted."""
    p, correct, _ = world(seed)
    right = correct.sum()
    target = np.where(correct == 1, (right + 1) / (right + 2), 1 / (len(p) - right + 2))
    twice = np.concatenate([logit(p), logit(p)])[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(twice, [1] * len(p) + [0] * len(p), sample_weight=np.concatenate([target, 1 - target]))
    assert platt(p, correct)(GRID) == pytest.approx(model.predict_proba(logit(GRID)[:, None])[:, 1], abs=1e-5)


fragments = st.lists(
    st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=40
)


@given(fragments)
def test_isotonic_is_scikit_learns(pairs):
    # It takes confidences nearer to each other than rounding for equal.
    p = np.round([one for one, _ in pairs], 6)
    correct = np.array([right for _, right in pairs], dtype=float)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, correct)
    at = np.concatenate([np.unique(p), [0.0, 1.0]])
    assert isotonic(p, correct)(at) == pytest.approx(theirs.predict(at), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@given(fragments)
def test_every_map_gives_probabilities_and_keeps_or_reverses_the_order(method, pairs):
    p, correct = np.array([one for one, _ in pairs]), np.array([right for _, right in pairs], dtype=float)
    q = METHODS[method](p, correct)(GRID)
    assert np.isfinite(q).all()
    assert ((q >= 0) & (q <= 1)).all()
    steps = np.diff(q)
    assert (steps >= -1e-12).all() or (method == "Platt" and (steps <= 1e-12).all())


def test_a_misleading_confidence_says_nothing_after_temperature():
    p = np.array([0.9, 0.8, 0.2, 0.1])
    assert temperature(p, np.array([0, 0, 1, 1]))(GRID) == pytest.approx(np.full(21, 0.5))


def test_halves_part_the_prompts_by_the_seed():
    assert halves(7, 0).sum() == 4
    assert (halves(50, 3) == halves(50, 3)).all()
    assert (halves(50, 3) != halves(50, 4)).any()


@pytest.mark.parametrize("fit", METHODS.values(), ids=METHODS)
def test_no_fragment_is_mapped_by_what_its_own_half_told(fit):
    p, correct, prompt = world()
    first = halves(40, 0)
    inside = first[prompt]
    found = cross_fitted(judged(p.tolist(), correct.tolist(), prompt.tolist()), fit, first)(p, prompt)
    assert found[inside] == pytest.approx(fit(p[~inside], correct[~inside])(p[inside]))
    assert found[~inside] == pytest.approx(fit(p[inside], correct[inside])(p[~inside]))


def test_what_cannot_be_mapped_is_not_a_number():
    first = np.array([True, False])
    alone = cross_fitted(judged([0.5, 0.9], [True, False], [0, 0]), isotonic, first)
    found = alone(np.array([0.5, 0.5, math.nan]), np.array([0, 1, 1]))
    # Only the first prompt has fragments: its own cannot be mapped, the other's can.
    assert np.isnan(found).tolist() == [True, False, True]


def test_recalibration_makes_an_overconfident_model_mean_what_it_says():
    p, correct, prompt = world(n=2000)
    its = {"token_probability": judged(p.tolist(), correct.tolist(), prompt.tolist())}
    found = {one.confidence: one for one in recalibrations("base", its, weights(40, 0, 50), seed=0)}
    assert list(found) == [f"token_probability, {method}" for method in METHODS]
    as_it_is = calibrate("base", "token_probability", its["token_probability"], weights(40, 0, 50))
    for one in found.values():
        assert one.brier.value < as_it_is.brier.value
    assert found["token_probability, Platt"].ece.value < as_it_is.ece.value / 2
    assert found["token_probability, isotonic"].ece.value < as_it_is.ece.value / 2


@pytest.mark.parametrize(
    ("halting", "kept"), [("independent", ["One.", "Three.", "Unsure from here."]), ("causal", ["One."])]
)
def test_what_is_doubtful_is_left_out_and_in_a_chain_all_after_it(scored_row, halting, kept):
    row = scored_row(["One.", "Two.", "Three.", "Four.", "Unsure from here."], "+-+?.")
    found = spoken(row, [0.9, 0.3, 0.5, math.nan, 0.1], 0.5, halting)
    assert [one.text for one in found.fragments] == kept


def test_base_cut_by_a_confidence_that_tells_all_says_what_is_right(scored_row):
    """Ten prompts, each with one right claim it is sure of and a wrong one it is not."""
    answered = []
    for number in range(10):
        row = dataclasses.replace(scored_row(["One.", "Two."], "+-"), key=str(number), prompt_key=str(number))
        answered.append((row, Confidence(row.key, [0.9, 0.6], [0.5, 0.5])))
    keys = [str(number) for number in range(10)]
    base, drawn = per_prompt([row for row, _ in answered], keys), weights(10, 0, 20)
    trained = {"SFT": {"utility@0.5": np.full(21, 0.2)}}
    found = baselines(answered, "greedy", keys, "independent", base, trained, drawn, [0.5], seed=0)
    cut = next(one for one in found if (one.confidence, one.method) == ("token_probability", "isotonic"))
    assert (cut.utility.value, cut.correctness.value, cut.completeness.value) == (0.5, 1, 1)
    assert cut.gains["SFT"].value == pytest.approx(-0.3)
    halts = next(one for one in found if (one.confidence, one.method) == ("1 - halt_probability", "isotonic"))
    # Right in half of the cases: at τ = ½ it may as well speak.
    assert (halts.utility.value, halts.correctness.value) == (0, 0.5)


def test_decided_fragments_with_both_confidences(scored_row):
    row = scored_row(["One.", "Two.", "Three."], "+?-")
    found = decided([(row, Confidence(row.key, [0.9, 0.8, 0.7], [0.1, 0.2, math.nan]))], {"p": 3})
    assert found["token_probability"].confidence.tolist() == [0.9, 0.7]
    assert found["token_probability"].prompt.tolist() == [3, 3]
    assert found["1 - halt_probability"].confidence.tolist() == [0.9]
    assert found["1 - halt_probability"].correct.tolist() == [1]
