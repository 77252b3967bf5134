"""What decisions are worth: by hand, as properties, and that the expected gradient points to halting iff p < τ."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.records import Fragment
from rlhalt.rewards import fragment_rewards, response_reward
from rlhalt.training.fragment_grpo.advantages import CREDITS, UNSEEN, Earned, Pay, advantages, earned

LABELS = {"+": "correct", "-": "incorrect", "?": "unverifiable", ".": "halt", "!": None}


def fragments(marks):
    return [
        Fragment(0, 1, "halt" if mark == "." else "sentence", f"Statement {index}.", LABELS[mark])
        for index, mark in enumerate(marks)
    ]


def pay(threshold=0.2, halting="independent", **more):
    return Pay(threshold, halting, **more)


def group(*marks, **how):
    return [earned(fragments(one), pay(**how)) for one in marks]


@pytest.mark.parametrize(
    ("marks", "halting", "rewards", "total"),
    [
        ("", "independent", [0], 0),
        ("+-?", "independent", [0.8, -0.2, 0, 0], 0.6),
        ("+.", "independent", [0.8, 0], 0.8),  # the halting phrase and the end are one decision
        (".", "independent", [0], 0),
        (".+-", "independent", [0, 0, -0.2, 0], -0.2),  # went on all the same: nothing gained, and another end
        ("+!+", "independent", [0.8, None, 0.8, 0], None),
        ("++", "causal", [0.8, 0.8, 0], 1.6),
        ("++.", "causal", [0.8, 0.8, 0], 1.6),
        ("+-++", "causal", [0.8, -0.2], -0.2),  # the row ends with the error
        ("+-!", "causal", [0.8, -0.2], None),
        ("+!+", "causal", [0.8, None, None, 0], None),
    ],
)
def test_what_decisions_earn(marks, halting, rewards, total):
    found = earned(fragments(marks), pay(halting=halting))
    assert list(found.rewards) == [None if one is None else pytest.approx(one) for one in rewards]
    assert found.total == (None if total is None else pytest.approx(total))


def test_what_cannot_be_checked_costs_what_is_set_and_only_that():
    assert earned(fragments("+?"), pay(unverifiable=-0.1)).rewards == (pytest.approx(0.8), -0.1, 0)
    # After halting no good counts, but this is no vagueness.
    assert earned(fragments(".+"), pay(unverifiable=-0.1)).rewards == (0, 0, 0)


@pytest.mark.parametrize("price", ["unverifiable", "repeated", "unfinished"])
def test_no_price_is_above_0(price):
    with pytest.raises(InputError, match=f"field '{price}': expected 0 or less"):
        pay(**{price: 0.1})


@pytest.mark.parametrize(
    ("mark", "price"),
    [
        ("+", -0.5),
        ("?", -0.5),
        ("-", -0.5),  # τ is 0.2: trying again is no cheaper
        ("!", None),  # a verdict that failed is no verdict
        (".", 0),
    ],
)
def test_saying_it_again_costs_whatever_it_is(mark, price):
    twice = [*fragments(mark), *fragments(mark)]
    assert earned(twice, pay(unverifiable=-0.1)).rewards[1] == price
    # As in a program, where a line may well stand twice.
    alone = earned(fragments(mark), pay(halting="causal")).rewards[0]
    if mark == "+":
        assert earned(twice, pay(halting="causal")).rewards[1] == alone


def test_saying_it_again_is_never_cheaper_than_what_cannot_be_checked():
    assert earned([*fragments("+"), *fragments("+")], pay(unverifiable=-0.9)).rewards[1] == -0.9


labelled = st.text(alphabet="+-?.", max_size=8)
thresholds = st.floats(0.01, 0.99)
counts = st.sampled_from([None, 1, 3])


@given(labelled, st.integers(0, 7), thresholds, counts)
def test_a_repetition_anywhere_leaves_a_response_poorer(marks, which, threshold, asked):
    said = fragments(marks)
    claims = [one for one in said if one.label != "halt"]
    if not claims:
        return
    again = claims[which % len(claims)]
    poorer = earned([*said, again], pay(threshold), asked).total
    assert poorer <= earned(said, pay(threshold), asked).total - 0.5 + 1e-9


@given(labelled, thresholds, counts, st.sampled_from(["independent", "causal"]))
def test_a_response_that_was_cut_off_earns_less_than_one_that_ended_before(marks, threshold, asked, halting):
    said, its = fragments(marks), pay(threshold, halting)
    cut, ended = earned(said, its, asked, unfinished=True), earned(said[:-1], its, asked)
    broke = halting == "causal" and -threshold in ended.rewards
    # After an error nothing counts, the missing end as little as anything else.
    assert sum(cut.rewards) == pytest.approx(sum(ended.rewards) - (0 if broke else 1))
    assert cut.total <= ended.total
    # Nothing unfinished is right, and it is never cheaper than a wrong claim.
    assert broke or cut.rewards[-1] == -1 <= -threshold


@given(st.integers(0, 30), st.integers(0, 30), thresholds, st.integers(1, 6))
def test_a_list_that_runs_into_the_limit_earns_less_than_the_facts_that_were_asked_for(right, wrong, threshold, asked):
    its = pay(threshold)
    listed = earned(fragments("+" * (asked + right) + "-" * wrong + "+"), its, asked, unfinished=True)
    assert listed.total <= earned(fragments("+" * asked), its, asked).total - 1 + 1e-9


def test_what_is_cut_off_has_no_verdict():
    for mark in "+-?!.":
        assert earned(fragments("+" + mark), pay(), unfinished=True) == Earned((0.8, -1.0), pytest.approx(-0.2))
    assert earned([], pay(), unfinished=True) == Earned((-1.0,), -1.0)
    # In a chain: as a wrong chain, nothing extra for the right part of the response as a whole.
    assert earned(fragments("++"), pay(halting="causal"), unfinished=True) == Earned((0.8, -1.0), -1.0)
    assert earned(fragments("-++"), pay(halting="causal"), unfinished=True) == Earned((-0.2,), -0.2)


def test_facts_beyond_the_number_that_is_asked_for_earn_nothing_and_cost_when_wrong():
    found = earned(fragments("+?++-"), pay(unverifiable=-0.1), asked=2)
    assert found.rewards == tuple(pytest.approx(one) for one in (0.8, -0.1, 0.8, 0, -0.2, 0))
    assert earned(fragments("++++"), pay(halting="causal"), asked=2).total == pytest.approx(3.2)


@given(
    st.text(alphabet="+-?.!", max_size=8),
    st.sampled_from(["independent", "causal"]),
    st.sampled_from([0.2, 0.9]),
    st.sampled_from([None, 1, 3]),
)
def test_without_prices_rewards_are_those_of_rlhalt_rewards(marks, halting, threshold, asked):
    found = earned(fragments(marks), pay(threshold, halting), asked)
    theirs = fragment_rewards(fragments(marks), threshold, halting, asked)
    assert list(found.rewards)[: len(theirs)] == theirs[: len(found.rewards)]
    assert not any(theirs[len(found.rewards) :])
    total = response_reward(fragments(marks), threshold, halting, asked)
    assert found.total == (None if total is None else pytest.approx(total))


# By hand at τ = 0.2: rewards to go, less the mean of the others' at the same place (0 where they have ended).
@pytest.mark.parametrize(
    ("marks", "halting", "expected"),
    [
        # to go: [0.6, -0.2, 0], [0], [1.6, 0.8, 0]
        (("+-", "", "++"), "independent", [[0.6 - 0.8, -0.2 - 0.4, 0], [0 - 1.1], [1.6 - 0.3, 0.8 + 0.1, 0]]),
        # Alone it is compared with ending, which earns 0.
        (("+-",), "independent", [[0.6, -0.2, 0]]),
        (("+", "+", "+"), "independent", [[0, 0], [0, 0], [0, 0]]),
        # to go: [None, 0.8, 0], [0.8, 0], [-0.2, 0]: what failed, and what came before it, is in no mean.
        (("!+", "+", "-"), "independent", [[0, 0.8, 0], [0.8 + 0.2, 0 - 0.4], [-0.2 - 0.8, 0 - 0.4]]),
        # to go: [0.6, -0.2], [0.8, 0]: nothing after the error, neither decisions nor in the mean of the other.
        (("+-++", "+."), "causal", [[0.6 - 0.8, -0.2], [0.8 - 0.6, 0.2]]),
    ],
)
def test_advantages_by_hand(marks, halting, expected):
    found = advantages(group(*marks, halting=halting))
    assert found == [[pytest.approx(one, abs=1e-9) for one in row] for row in expected]


# Totals 0.6, 0, 1.6; less the mean of the others: -0.2, -1.1, 1.3.
@pytest.mark.parametrize(
    ("credit", "expected"),
    [
        ("response", [[-0.2, -0.2, -0.2], [-1.1], [1.3, 1.3, 1.3]]),
        ("sum", [[-0.2, -0.2, -0.2], [-1.1], [1.3, 1.3, 1.3]]),
        ("mixed", [[-0.2 + 0.4, -0.2 - 0.1, -0.2], [-1.1], [1.3 + 0.4, 1.3 + 0.4, 1.3]]),
        ("flip", [[0.2, -0.2, -0.2], [-1.1], [1.3, 1.3, 1.3]]),
    ],
)
def test_other_ways_of_crediting_by_hand(credit, expected):
    found = advantages(group("+-", "", "++"), credit, alpha=0.5)
    assert found == [[pytest.approx(one, abs=1e-9) for one in row] for row in expected]


def test_in_a_causal_domain_a_sum_knows_how_far_a_wrong_chain_came():
    chains = group("++-!", "-", ".", halting="causal")
    assert chains[0].total is None
    assert [row[0] for row in advantages(chains, "sum")] == [
        pytest.approx(one) for one in (1.4 + 0.1, -0.2 - 0.7, -0.6)
    ]
    assert [row[0] for row in advantages(chains, "response")] == [0, pytest.approx(-0.2), pytest.approx(0.2)]


@pytest.mark.parametrize("credit", CREDITS)
def test_what_failed_or_was_not_seen_moves_nothing(credit):
    whole = group("+-", "", "++")
    failed = group("!")[0]
    found = advantages([*whole, UNSEEN, failed], credit)
    # A response that failed as a whole says nothing about its first decision; its end it shares with nobody.
    assert found[3] == [0]
    assert found[4][0] == 0
    if credit != "fragment":
        assert found[:3] == advantages(whole, credit)
    assert [row[0] for row in found[:3]] == [row[0] for row in advantages(whole, credit)]
    assert advantages([UNSEEN, UNSEEN], credit) == [[0], [0]]


rows = st.lists(st.lists(st.floats(-1, 1), max_size=5), min_size=2, max_size=6)


@given(rows, st.randoms())
def test_advantages_do_not_depend_on_the_order_of_the_group(rewards, random):
    some = [Earned((*row, 0.0), sum(row)) for row in rewards]
    order = list(range(len(some)))
    random.shuffle(order)
    found = advantages(some)
    assert advantages([some[one] for one in order]) == [
        [pytest.approx(value, abs=1e-9) for value in found[one]] for one in order
    ]


@given(rows)
def test_the_first_decisions_of_a_group_sum_to_0(rewards):
    some = [Earned((*row, 0.0), sum(row)) for row in rewards]
    assert sum(row[0] for row in advantages(some)) == pytest.approx(0, abs=1e-9)


@given(rows, st.integers(0, 4), st.floats(-1, 1))
def test_what_was_earned_before_a_decision_does_not_matter_to_it(rewards, place, change):
    some = [Earned((*row, 0.0), sum(row)) for row in rewards]
    first = list(some[0].rewards)
    at = min(place, len(first) - 1)
    changed = [Earned((*first[:at], first[at] + change, *first[at + 1 :]), 0.0), *some[1:]]
    before, after = advantages(some)[0], advantages(changed)[0]
    assert after[at + 1 :] == before[at + 1 :]
    assert after[: at + 1] == [pytest.approx(one + change, abs=1e-9) for one in before[: at + 1]]


def chains(odds, going_on):
    """Every response of a policy that goes on with these chances, and its probability; claims have these odds."""
    for said in range(len(odds) + 1):
        for rights in itertools.product("+-", repeat=said):
            chance = 1.0
            for place, right in enumerate(rights):
                chance *= going_on[place] * (odds[place] if right == "+" else 1 - odds[place])
            if said < len(odds):
                chance *= 1 - going_on[said]
            yield chance, "".join(rights)


@pytest.mark.parametrize("credit", ["fragment", "sum"])
@pytest.mark.parametrize("halting", ["independent", "causal"])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_the_expected_gradient_is_that_of_the_mean_utility(halting, threshold, credit):
    """A policy with one logit a place, groups of two, everything enumerated."""
    odds, going_on = [0.9, 0.3, 0.6], [0.7, 0.5, 0.4]
    every = list(chains(odds, going_on))
    gradient = [0.0] * len(odds)
    for (p, one), (q, other) in itertools.product(every, every):
        found = advantages(group(one, other, threshold=threshold, halting=halting), credit)[0]
        for place, advantage in enumerate(found[: len(odds)]):
            went_on = place < len(one)
            gradient[place] += p * q * advantage * (went_on - going_on[place])

    def utility(chances):
        return sum(
            p * sum(fragment_rewards(fragments(marks), threshold, halting)) for p, marks in chains(odds, chances)
        )

    for place, chance in enumerate(going_on):
        step = 1e-6
        up, down = list(going_on), list(going_on)
        up[place], down[place] = chance + step, chance - step
        slope = (utility(up) - utility(down)) / (2 * step)
        assert gradient[place] == pytest.approx(slope * chance * (1 - chance), abs=1e-6)


@pytest.mark.parametrize("credit", ["fragment", "sum"])
@pytest.mark.parametrize("halting", ["independent", "causal"])
def test_the_expected_gradient_is_that_of_the_mean_reward_where_there_is_a_limit(halting, credit):
    """As above; going on at the third place runs into the limit, whatever would have been said there."""
    threshold, odds, going_on = 0.3, [0.9, 0.4], [0.7, 0.5, 0.6]

    def every(chances):
        for chance, marks in chains([*odds, 1.0], chances):
            cut = len(marks) == 3
            yield chance, earned(fragments(marks), pay(threshold, halting), unfinished=cut), len(marks)

    gradient = [0.0] * 3
    for (p, one, said), (q, other, _) in itertools.product(every(going_on), repeat=2):
        found = advantages([one, other], credit)[0]
        for place, advantage in enumerate(found[:3]):
            gradient[place] += p * q * advantage * ((place < said) - going_on[place])

    def mean(chances):
        return sum(chance * sum(its.rewards) for chance, its, _ in every(chances))

    for place, chance in enumerate(going_on):
        step = 1e-6
        up, down = list(going_on), list(going_on)
        up[place], down[place] = chance + step, chance - step
        slope = (mean(up) - mean(down)) / (2 * step)
        assert gradient[place] == pytest.approx(slope * chance * (1 - chance), abs=1e-6)
