"""Every guard of online training, taken away: the exploit pays without it, and does not with it."""

from __future__ import annotations

import pytest
from benchmarks import grpo_guards as guards

from rlhalt.training.online import alarms

LIMITS = alarms.Limits(refused=0.98, drift=8, empty=0.98, failed=0.02, patience=5)
NEVER = alarms.Limits(refused=2, drift=1e9, empty=2, failed=2, patience=5)


@pytest.mark.parametrize("times", [1, 5, 20])
def test_saying_it_again_would_pay_each_time(times):
    assert guards.repeated(times) == (pytest.approx(0.5 * times), pytest.approx(0.5))


def test_more_claims_than_are_asked_for_would_pay():
    without, guarded = guards.neighbours()
    assert without == pytest.approx(14 * 0.5)
    assert guarded == pytest.approx(5 * 0.5)


def test_vagueness_is_the_way_out_where_it_costs_nothing():
    vague, halts = guards.vague(0.0, beta=0.005)
    assert vague == pytest.approx(0.75)
    vague, halts = guards.vague(-0.1, beta=0.005)
    assert vague < 1e-6
    assert halts > 0.999


def test_the_penalty_closes_a_hole_of_the_verifier_only_where_it_is_large():
    assert guards.hole(0.0) == 1.0
    assert guards.hole(0.005) > 0.999
    assert guards.hole(0.2) < 0.02


@pytest.mark.parametrize("speaks", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5, 0.8, 0.9])
def test_the_learned_threshold_is_that_of_the_configuration_unless_rewards_are_scaled(threshold, speaks):
    assert guards.switch_point(threshold, speaks, by_deviation=False) == pytest.approx(threshold, abs=1e-6)


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.8, 0.9])
def test_scaled_rewards_move_the_threshold_towards_one_half(threshold):
    moved = guards.switch_point(threshold, 0.5, by_deviation=True)
    assert abs(moved - 0.5) < abs(threshold - 0.5) - 0.1


def test_a_response_that_was_cut_off_is_no_wrong_one():
    earned, gradient = guards.cut_off()
    assert earned < 0.5
    assert gradient == 0


def test_going_on_until_cut_off_would_pay():
    assert guards.rambling(masked=False) > 0.5
    assert guards.rambling(masked=True) == pytest.approx(0, abs=0.01)
    # A response that alone has ended is compared with nothing said: where it is wrong, not ending is left.
    assert 0 < guards.rambling(masked=True, right=0.3, rambles=0.9) < 0.05


@pytest.mark.parametrize(
    ("sign", "value"),
    [
        ("responses/refused", 1.0),
        ("groups/empty", 1.0),
        ("completions/mean_length", 400.0),
        ("fragments/failure_share", 0.2),
    ],
)
def test_a_run_that_has_gone_astray_would_go_on_to_its_end(sign, value):
    assert guards.stopped(sign, value, NEVER) == 60
    assert guards.stopped(sign, value, LIMITS) == 14


def test_the_table_has_a_row_for_each():
    rows = guards.table().splitlines()
    assert rows[0] == "| guard | exploit | without | with |"
    for guard in ("twice", "n_asked", "unverifiable", "beta", "scale_rewards", "truncated", "alarms"):
        assert any(guard in one for one in rows[2:])
