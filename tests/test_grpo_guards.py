"""Every guard of online training, taken away: the exploit pays without it, and does not with it."""

from __future__ import annotations

import pytest
from benchmarks import grpo_guards as guards

from rlhalt.training.fragment_grpo import callbacks

LIMITS = callbacks.Limits(refused=0.98, drift=8, empty=0.98, failed=0.02, patience=5)
NEVER = callbacks.Limits(refused=2, drift=1e9, empty=2, failed=2, patience=5)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("times", [1, 5, 20])
def test_saying_it_again_would_pay_each_time_or_be_free_and_costs(times, threshold):
    each, counted, priced = guards.repeated(times, threshold)
    assert each == pytest.approx((1 - threshold) * times)
    assert counted == pytest.approx(1 - threshold)
    # The price does not fall with τ.
    assert priced == pytest.approx(1 - threshold - 0.5 * (times - 1))


def test_a_list_up_to_the_limit_would_pay_and_earns_less_than_the_facts_that_were_asked_for():
    without, counted, priced = guards.neighbours()
    assert without == pytest.approx(14 * 0.5)
    assert counted == pytest.approx(5 * 0.5)
    assert priced == pytest.approx(5 * 0.5 - 1)


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


def test_without_bias_correction_the_penalty_leaves_the_hole_open():
    assert guards.hole(0.2, reverse=False) > 0.8
    # With one choice that pays as much as any other, the policy is the reference.
    assert guards.best_forward((0.2, 0.8), (1.0, 1.0), 0.1) == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("speaks", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("lengths", [(1, 1, 1), (10, 30, 5)])
def test_the_learned_threshold_is_that_of_the_configuration_unless_rewards_are_scaled(threshold, speaks, lengths):
    assert guards.switch_point(threshold, speaks, lengths=lengths) == pytest.approx(threshold, abs=1e-6)


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.8, 0.9])
def test_scaled_rewards_move_the_threshold_towards_one_half(threshold):
    moved = guards.switch_point(threshold, 0.5, "deviation")
    assert abs(moved - 0.5) < abs(threshold - 0.5) - 0.1


@pytest.mark.parametrize("by", ["own", "tokens"])
def test_a_loss_that_is_divided_by_tokens_is_exact_only_where_all_responses_are_as_long(by):
    assert guards.switch_point(0.5, 0.5, by, (7, 7, 7)) == pytest.approx(0.5, abs=1e-6)
    # Groups with long wrong responses count less, so the policy is bolder than τ asks.
    assert guards.switch_point(0.5, 0.5, by, (10, 30, 5)) < 0.49


@pytest.mark.parametrize(("right", "rambles"), [(0.9, 0.5), (0.9, 0.9), (0.5, 0.5), (0.3, 0.9), (0.3, 0.1)])
def test_going_on_until_cut_off_never_pays(right, rambles):
    assert guards.rambling("priced", right, rambles) < -0.02


def test_going_on_until_cut_off_would_pay_and_a_mask_leaves_it_as_a_way_out():
    assert guards.rambling("paid") > 0.5
    assert guards.rambling("masked") == pytest.approx(0, abs=0.01)
    # A response that alone has ended is compared with nothing said: where it is wrong, not ending is left.
    assert guards.rambling("masked", right=0.3, rambles=0.9) > 0.02


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
    for guard in (
        *("twice", "repeated", "n_asked", "unfinished", "unverifiable", "beta", "use_bias_correction_kl"),
        *("scale_rewards", "loss_type", "alarms"),
    ):
        assert any(guard in one for one in rows[2:])
