"""Maps from confidence to probability against scikit-learn and SciPy, and base cut by them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from rlhalt.cut.probability import Probability
from rlhalt.evaluation import compare
from rlhalt.evaluation.bootstrap import weights
from rlhalt.evaluation.calibration import calibrate
from rlhalt.evaluation.confidence_arrays import decided, judged
from rlhalt.evaluation.cross_fitting import cross_fitted, halves
from rlhalt.evaluation.cut import spoken
from rlhalt.evaluation.folder import Evaluation
from rlhalt.records import Confidence, Fragment, Scored
from rlhalt.uncertainty.recalibration import isotonic_line, platt, platt_coefficients

GRID = np.linspace(0, 1, 21)


def isotonic(confidence, correct):
    """The map of `rlhalt calibrate --method isotonic`."""
    at, values = isotonic_line(confidence, correct)
    return Probability("isotonic", confidence=tuple(at), probability=tuple(values))


METHODS = {"Platt": platt, "isotonic": isotonic}


def world(seed=0, n=400, prompts=40):
    """An overconfident model: what it is sure of by p is right with probability p²."""
    rng = np.random.default_rng(seed)
    p = rng.beta(3, 1.5, n)
    return p, (rng.random(n) < p**2).astype(float), rng.integers(0, prompts, n)


def logit(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


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


def test_a_fragment_that_counts_twice_is_the_same_as_two():
    p, correct, _ = world(n=60)
    times = np.random.default_rng(0).integers(0, 4, 60).astype(float)
    places = np.repeat(np.arange(60), times.astype(int))
    apart = platt_coefficients(p[places], correct[places])
    assert platt_coefficients(p, correct, times, start=(2.0, -1.0)) == pytest.approx(apart, abs=1e-7)


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


@pytest.mark.parametrize("method", METHODS)
def test_recalibration_makes_an_overconfident_model_mean_what_it_says(method):
    p, correct, prompt = world(n=2000)
    its, drawn = judged(p.tolist(), correct.tolist(), prompt.tolist()), weights(40, 0, 50)
    q = cross_fitted(its, METHODS[method], halves(40, 0))(p, prompt)
    before = calibrate("base", "as it is", its, drawn)
    after = calibrate("base", method, judged(q.tolist(), correct.tolist(), prompt.tolist()), drawn)
    assert after.brier.value < before.brier.value
    assert after.ece.value < before.ece.value / 2


@pytest.mark.parametrize(
    ("halting", "kept"), [("independent", ["One.", "Three.", "Unsure from here."]), ("causal", ["One.", "halt"])]
)
def test_what_is_doubtful_is_left_out_and_in_a_chain_all_after_it(scored_row, halting, kept):
    row = scored_row(["One.", "Two.", "Three.", "Four.", "Unsure from here."], "+-+?.")
    found = spoken(row, [0.9, 0.3, 0.5, math.nan, 0.1], 0.5, halting)
    assert [one.text or one.label for one in found.fragments] == kept


def test_a_chain_that_is_cut_halts_and_what_is_left_out_at_the_end_is_not_unfinished(scored_row):
    row = scored_row(["One.", "Two.", "Three."], "+-+", finish_reason="length")
    assert spoken(row, [0.9, 0.9, 0.9], 0.5, "causal") == row
    halted = spoken(row, [0.9, 0.3, 0.9], 0.5, "causal")
    assert [one.label for one in halted.fragments] == ["correct", "halt"]
    assert halted.finish_reason == "stop"
    assert spoken(row, [0.9, 0.3, 0.9], 0.5, "independent").finish_reason == "length"
    assert spoken(row, [0.9, 0.9, 0.3], 0.5, "independent").finish_reason == "stop"


def folder(name, rows, sure, role="trained", seed=0, halting="independent"):
    """An evaluation of greedy responses with these token probabilities."""
    rows = [dataclasses.replace(one, key=f"{n}", prompt_key=f"{n}") for n, one in enumerate(rows)]
    confidence = {row.key: Confidence(row.key, its, [0.5] * len(its)) for row, its in zip(rows, sure, strict=True)}
    return Evaluation(
        folder=Path(name), name=name, role=role, role_told=True, threshold=None, seed=seed, model=name, identity=name,
        started_from=(), decoded=False, few_shot=role == "base", halting=halting, fragmenter=None, budget=None,
        seconds=1.0, scored=rows, confidence=confidence, continuation={}, certainty={}, general=None,
    )  # fmt: skip


def test_cut_by_a_confidence_that_tells_all_a_model_says_what_is_right(scored_row):
    """Ten prompts, each with a right claim the model is sure of and a wrong one it is not; base knows nothing of it."""
    rows = [scored_row(["One.", "Two."], "+-") for _ in range(10)]
    base = folder("base", rows, [[0.7, 0.7]] * 10, role="base")
    found = compare([base, folder("M", rows, [[0.9, 0.6]] * 10)], thresholds=[0.5], resamples=20)
    (decoding,) = found.decodings
    cut = found.cut("M", decoding, 0.5)
    assert (cut.utility.value, cut.correctness.value, cut.right.value, cut.gain.value) == (0.5, 1, 1, 0.5)
    # Right in half of the cases: at τ = ½ base may as well speak.
    assert found.cut("base", decoding, 0.5).utility.value == 0
    assert found.get("M", decoding).share[0.5].value is None
    assert found.get("M", decoding).share_own[0.5].value == 0


@pytest.mark.parametrize("halting", ["independent", "causal"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
def test_a_cut_is_what_a_reference_makes_of_it(halting, data):
    """Against scikit-learn's logistic regression on the other half, each prompt cut by hand."""
    n = 12
    marks = data.draw(st.lists(st.lists(st.sampled_from("+-?"), min_size=1, max_size=4), min_size=n, max_size=n))
    sure = [data.draw(st.lists(st.floats(0.02, 0.98), min_size=len(one), max_size=len(one))) for one in marks]
    labels = {"+": "correct", "-": "incorrect", "?": "unverifiable"}
    rows = []
    for number, its in enumerate(marks):
        fragments = [Fragment(2 * i, 2 * i + 1, "sentence", chr(97 + i), labels[mark]) for i, mark in enumerate(its)]
        text = " ".join(chr(97 + i) for i in range(len(its)))
        prompt = [{"role": "user", "content": f"{number}?"}]
        rows.append(
            Scored(
                key="",
                prompt_key=str(number),
                index=0,
                prompt=prompt,
                response=text,
                reference={},
                domain="d",
                split="heldout",
                n_tokens=3,
                finish_reason="stop",
                sampler={"temperature": 0.0},
                fragments=fragments,
            )
        )
    base = folder("base", rows, sure, role="base", halting=halting)
    found = compare([base], thresholds=[0.3, 0.5, 0.8], resamples=2)
    first = found.design.first_half()
    decided = {
        half: [
            (logit(c), mark == "+")
            for key, its, given in zip(first, marks, sure, strict=True)
            for mark, c in zip(its, given, strict=True)
            if first[key] is half and mark != "?"
        ]
        for half in (True, False)
    }
    if not (decided[True] and decided[False]):
        assert found.cuts == []
        return
    maps = {half: platt_by_sklearn(*map(np.array, zip(*its, strict=True))) for half, its in decided.items()}
    for t in (0.3, 0.5, 0.8):
        earned = 0.0
        for key, its, c in zip(first, marks, sure, strict=True):
            for mark, q in zip(its, maps[not first[key]](np.array([logit(one) for one in c])), strict=True):
                assume(abs(q - t) > 1e-4)
                if q < t and halting == "causal":
                    break
                if q >= t:
                    earned += {"+": 1 - t, "-": -t, "?": 0}[mark]
                if mark == "-" and halting == "causal":
                    break
        assert found.cut("base", "greedy", t).utility.value == pytest.approx(earned / n)


def platt_by_sklearn(x, correct):
    right = correct.sum()
    target = np.where(correct, (right + 1) / (right + 2), 1 / (len(x) - right + 2))
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    model.fit(
        np.concatenate([x, x])[:, None],
        [1] * len(x) + [0] * len(x),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return lambda z: model.predict_proba(z[:, None])[:, 1]


def test_decided_fragments_with_both_confidences(scored_row):
    row = scored_row(["One.", "Two.", "Three."], "+?-")
    found = decided([(row, Confidence(row.key, [0.9, 0.8, 0.7], [0.1, 0.2, math.nan]))], {"p": 3})
    assert found["token_probability"].confidence.tolist() == [0.9, 0.7]
    assert found["token_probability"].prompt.tolist() == [3, 3]
    assert found["1 - halt_probability"].confidence.tolist() == [0.9]
    assert found["1 - halt_probability"].correct.tolist() == [1]
