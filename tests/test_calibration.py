"""Calibration measures against scikit-learn and naive loops."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from rlhalt.evaluation.bootstrap import weights
from rlhalt.evaluation.calibration import (
    aurc,
    auroc,
    brier,
    calibrate,
    ece,
    equal_mass,
    equal_width,
    judged,
    reliability,
    risk_coverage,
)


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


def naive_ece(confidence, correct, edges):
    total = 0.0
    for b in range(len(edges) - 1):
        last = b == len(edges) - 2
        inside = (confidence >= edges[b]) & ((confidence < edges[b + 1]) | (last & (confidence <= edges[b + 1])))
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return total


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
    }
    for i, row in enumerate(drawn):
        confidence, correct = repeated(fragments, row)
        assert found["auroc"][i] == pytest.approx(roc_auc_score(correct, confidence))
        assert found["brier"][i] == pytest.approx(brier_score_loss(correct, confidence))
        assert found["aurc"][i] == pytest.approx(naive_aurc(confidence, correct))
        assert found["ece"][i] == pytest.approx(naive_ece(confidence, correct, equal_width()))
        assert found["ece_mass"][i] == pytest.approx(naive_ece(confidence, correct, mass))


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


@pytest.mark.parametrize(
    ("confidence", "correct", "defined"),
    [
        ([], [], set()),
        ([float("nan")], [True], set()),
        ([0.7, 0.2], [True, True], {"ece", "ece_equal_mass", "brier", "aurc"}),
        ([0.7], [False], {"ece", "ece_equal_mass", "brier", "aurc"}),
        ([0.5, 0.5], [True, False], {"ece", "ece_equal_mass", "brier", "aurc", "auroc"}),
    ],
    ids=["nothing", "not a number", "one class", "one fragment", "one confidence"],
)
def test_degenerate_fragments(confidence, correct, defined):
    found = calibrate("base", "token_probability", judged(confidence, correct, [0] * len(correct)), weights(2, seed=0))
    names = ("ece", "ece_equal_mass", "brier", "auroc", "aurc")
    assert {name for name in names if getattr(found, name).value is not None} == defined
    assert found.accuracy is None or defined
