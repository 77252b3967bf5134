"""Calibration and ranking measures against scikit-learn, torchmetrics, lm-polygraph and naive loops."""

import importlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from polygraph import published
from rlhalt.evaluation.bootstrap import weights
from rlhalt.evaluation.calibration import (
    brier,
    calibrate,
    decompose,
    ece,
    equal_mass,
    equal_width,
    mce,
    nll,
    reliability,
)
from rlhalt.evaluation.confidence_arrays import judged
from rlhalt.evaluation.selective_prediction import auarc, aurc, auroc, best_aurc, eaurc, prr, risk_coverage


def world(n=300, prompts=20, ties=False, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0, 1, n)
    if ties:
        confidence = confidence.round(1)
    correct = rng.uniform(0, 1, n) < confidence**1.5
    return judged(confidence.tolist(), correct.tolist(), rng.integers(0, prompts, n).tolist())


def repeated(fragments, row):
    """The fragments as a resample holds them: each as often as its prompt was drawn."""
    times = row[fragments.prompt].astype(int)
    return np.repeat(fragments.confidence, times), np.repeat(fragments.correct, times)


def naive_bins(confidence, edges):
    """Which fragments are in each bin that holds any."""
    for b in range(len(edges) - 1):
        last = b == len(edges) - 2
        inside = (confidence >= edges[b]) & ((confidence < edges[b + 1]) | (last & (confidence <= edges[b + 1])))
        if inside.any():
            yield inside


def naive_gaps(confidence, correct, edges):
    for inside in naive_bins(confidence, edges):
        yield inside.mean(), abs(correct[inside].mean() - confidence[inside].mean())


def naive_ece(confidence, correct, edges):
    return sum(share * gap for share, gap in naive_gaps(confidence, correct, edges))


def naive_mce(confidence, correct, edges):
    return max(gap for _, gap in naive_gaps(confidence, correct, edges))


def naive_parts(confidence, correct, edges):
    """Murphy's three parts, each by its own definition."""
    reliable = sum(share * gap**2 for share, gap in naive_gaps(confidence, correct, edges))
    means = [(inside.mean(), correct[inside].mean()) for inside in naive_bins(confidence, edges)]
    return reliable, sum(share * (mean - correct.mean()) ** 2 for share, mean in means), correct.var()


def naive_best_aurc(correct):
    """Of all orders, right ones first."""
    ordered = np.sort(correct)[::-1]
    return np.mean([1 - ordered[:k].mean() for k in range(1, len(ordered) + 1)])


def naive_aurc(confidence, correct):
    return np.mean([1 - correct[confidence >= c].mean() for c in confidence])


@pytest.mark.parametrize("ties", [False, True])
def test_estimate_and_resamples_agree_with_an_independent_computation(ties):
    fragments, drawn = world(ties=ties), weights(20, seed=0, resamples=5)
    mass = equal_mass(fragments.confidence)
    found = {
        "auroc": auroc(fragments, drawn),
        "brier": brier(fragments, drawn),
        "aurc": aurc(fragments, drawn),
        "ece": ece(fragments, drawn, equal_width()),
        "ece_mass": ece(fragments, drawn, mass),
        "mce": mce(fragments, drawn, equal_width()),
        "nll": nll(fragments, drawn) if not ties else None,
        "best_aurc": best_aurc(fragments, drawn),
    }
    for i, row in enumerate(drawn):
        confidence, correct = repeated(fragments, row)
        assert found["auroc"][i] == pytest.approx(roc_auc_score(correct, confidence))
        assert found["brier"][i] == pytest.approx(brier_score_loss(correct, confidence))
        assert found["aurc"][i] == pytest.approx(naive_aurc(confidence, correct))
        assert found["ece"][i] == pytest.approx(naive_ece(confidence, correct, equal_width()))
        assert found["ece_mass"][i] == pytest.approx(naive_ece(confidence, correct, mass))
        assert found["mce"][i] == pytest.approx(naive_mce(confidence, correct, equal_width()))
        assert ties or found["nll"][i] == pytest.approx(log_loss(correct, confidence))
        assert found["best_aurc"][i] == pytest.approx(naive_best_aurc(correct))


def test_blocks_of_resamples_join_without_a_seam():
    fragments, drawn = world(n=9000), weights(20, seed=0, resamples=500)
    assert auroc(fragments, drawn)[-3:] == pytest.approx(auroc(fragments, drawn[-3:]))


def test_by_hand():
    fragments = judged([0.9, 0.8, 0.4, 0.1], [True, False, True, False], [0, 0, 1, 1])
    one = weights(2, seed=0, resamples=1)[:1]
    assert auroc(fragments, one)[0] == pytest.approx(3 / 4)
    assert brier(fragments, one)[0] == pytest.approx((0.01 + 0.64 + 0.36 + 0.01) / 4)
    assert aurc(fragments, one)[0] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert ece(fragments, one, np.array([0, 0.5, 1.0]))[0] == pytest.approx(0.5 * 0.25 + 0.5 * 0.35)


def test_a_confidence_of_one_falls_into_the_last_bin():
    bins = reliability(judged([1.0, 0.0], [True, False], [0, 0]), equal_width())
    assert [(b.low, b.high, b.n, b.accuracy) for b in bins] == [
        (0.0, pytest.approx(1 / 15), 1, 0.0),
        (pytest.approx(14 / 15), 1.0, 1, 1.0),
    ]


def test_bins_of_equal_mass_hold_equally_many():
    fragments = world(n=300)
    assert {b.n for b in reliability(fragments, equal_mass(fragments.confidence))} == {20}


def test_risk_coverage_ends_at_everything_and_its_error():
    fragments = world()
    curve = risk_coverage(fragments)
    assert curve[-1] == (1.0, pytest.approx(1 - fragments.correct.mean()))
    assert len(curve) <= 200
    assert [c for c, _ in curve] == sorted(c for c, _ in curve)


def test_equal_confidences_are_one_point_of_the_curve():
    assert risk_coverage(judged([0.5] * 4, [True, False, False, True], [0] * 4)) == [(1.0, 0.5)]


def test_confidences_that_are_no_numbers_are_left_out_and_rounding_is_cut():
    fragments = judged([float("nan"), float("inf"), 1.0000001, 0.5], [True, False, True, False], [0, 0, 1, 1])
    assert fragments.confidence.tolist() == [1.0, 0.5]
    assert fragments.prompt.tolist() == [1, 1]


ONCE = np.ones((1, 1))
claims = st.lists(
    st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.booleans()), min_size=1, max_size=60
)


def of(pairs):
    return judged([c for c, _ in pairs], [right for _, right in pairs], [0] * len(pairs))


@given(claims, st.integers(1, 20))
def test_the_parts_of_the_brier_score_are_murphys_and_add_up(pairs, bins):
    fragments, edges = of(pairs), equal_width(bins)
    parts = decompose(fragments, ONCE, edges)
    found = (parts.reliability.value, parts.resolution.value, parts.uncertainty.value)
    assert found == pytest.approx(naive_parts(fragments.confidence, fragments.correct, edges), abs=1e-9)
    total = parts.reliability.value - parts.resolution.value + parts.uncertainty.value + parts.within.value
    assert total == pytest.approx(brier(fragments, ONCE)[0])
    # Within bins: the variance of the confidence less twice its covariance with being right.
    within = 0.0
    for inside in naive_bins(fragments.confidence, edges):
        c, y = fragments.confidence[inside], fragments.correct[inside]
        within += inside.mean() * (c.var() - 2 * np.mean((c - c.mean()) * (y - y.mean())))
    assert parts.within.value == pytest.approx(within, abs=1e-9)


@given(claims)
def test_areas_are_bounded_by_the_best_order_and_prr_is_their_ratio(pairs):
    fragments = of(pairs)
    area, best, error = aurc(fragments, ONCE)[0], best_aurc(fragments, ONCE)[0], 1 - fragments.correct.mean()
    assert best == pytest.approx(naive_best_aurc(fragments.correct), abs=1e-12)
    assert eaurc(area, best) >= -1e-12
    assert auarc(area) == pytest.approx(
        np.mean([fragments.correct[fragments.confidence >= c].mean() for c, _ in pairs])
    )
    found = prr(aurc(fragments, ONCE), best_aurc(fragments, ONCE), fragments, ONCE)[0]
    if error in (0, 1):
        assert np.isnan(found)
    else:
        assert found == pytest.approx((error - area) / (error - best))
        assert found <= 1 + 1e-9


@pytest.mark.parametrize(
    ("confidence", "expected"), [([0.9, 0.8, 0.2, 0.1], 1), ([0.5] * 4, 0), ([0.1, 0.2, 0.8, 0.9], -1)]
)
def test_prr_of_the_best_the_empty_and_a_misleading_confidence(confidence, expected):
    fragments = judged(confidence, [True, True, False, False], [0] * 4)
    found = prr(aurc(fragments, ONCE), best_aurc(fragments, ONCE), fragments, ONCE)[0]
    assert found < 0 if expected < 0 else found == pytest.approx(expected)


@pytest.fixture(scope="module")
def polygraph():
    with published():
        yield importlib.import_module("lm_polygraph.ue_metrics")


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40, unique_by=lambda one: one[0]))
def test_areas_are_those_of_lm_polygraph(polygraph, pairs):
    """Of confidences without ties, which it orders too, and of both classes, which it wants."""
    assume(len({right for _, right in pairs}) == 2)
    fragments = of(pairs)
    risk, kept = polygraph.RiskCoverageCurveAUC(), polygraph.PredictionRejectionArea()
    doubt, target = -fragments.confidence, fragments.correct
    assert aurc(fragments, ONCE)[0] == pytest.approx(risk(doubt, target))
    assert auarc(aurc(fragments, ONCE))[0] == pytest.approx(kept(doubt, target))
    # It estimates the area of a random order by shuffling; what it estimates is the accuracy.
    random, best = target.mean(), kept(-target, target)
    expected = (kept(doubt, target) - random) / (best - random)
    assert prr(aurc(fragments, ONCE), best_aurc(fragments, ONCE), fragments, ONCE)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_errors_are_those_of_torchmetrics(seed):
    torch = pytest.importorskip("torch")
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification", reason="torchmetrics is not installed")
    fragments = world(seed=seed)
    confidence, correct = torch.tensor(fragments.confidence), torch.tensor(fragments.correct)
    for norm, measure in (("l1", ece), ("max", mce)):
        theirs = torchmetrics.binary_calibration_error(confidence, correct.long(), n_bins=15, norm=norm)
        assert measure(fragments, np.ones((1, 20)), equal_width())[0] == pytest.approx(float(theirs), abs=1e-6)


def test_the_likelihood_of_a_wrong_certainty_is_not_defined():
    assert np.isnan(nll(judged([1.0, 0.5], [False, True], [0, 0]), ONCE)[0])
    assert np.isnan(nll(judged([0.0, 0.5], [True, True], [0, 0]), ONCE)[0])
    assert nll(judged([1.0, 0.0], [True, False], [0, 0]), ONCE)[0] == 0


def test_a_resample_without_any_fragment_is_not_defined():
    """A prompt may have no decided fragment, and a resample may draw that prompt alone."""
    fragments, drawn = judged([0.7, 0.2], [True, False], [0, 0]), np.array([[1.0, 1.0], [0.0, 2.0]])
    for measure in (ece, mce):
        assert np.isnan(measure(fragments, drawn, equal_width())).tolist() == [False, True]
    for measure in (auroc, aurc, best_aurc, brier, nll):
        assert np.isnan(measure(fragments, drawn)).tolist() == [False, True]


ALWAYS = {"ece", "ece_equal_mass", "mce", "brier", "nll", "aurc", "eaurc", "auarc"}


@pytest.mark.parametrize(
    ("confidence", "correct", "defined"),
    [
        ([], [], set()),
        ([float("nan")], [True], set()),
        ([0.7, 0.2], [True, True], ALWAYS),
        ([0.7], [False], ALWAYS),
        ([0.5, 0.5], [True, False], ALWAYS | {"auroc", "prr"}),
    ],
    ids=["nothing", "not a number", "one class", "one fragment", "one confidence"],
)
def test_degenerate_fragments(confidence, correct, defined):
    found = calibrate("base", "token_probability", judged(confidence, correct, [0] * len(correct)), weights(2, seed=0))
    names = ALWAYS | {"auroc", "prr"}
    assert {name for name in names if getattr(found, name).value is not None} == defined
    assert found.accuracy is None or defined
    assert (found.brier_parts.reliability.value is None) == (not defined)
