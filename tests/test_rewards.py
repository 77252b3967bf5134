"""What verdicts earn: the rules against cheating, and that they cost an honest response nothing."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.records import Fragment
from rlhalt.reference import n_asked
from rlhalt.rewards import check_threshold, counted, fragment_reward, fragment_rewards, response_reward
from rlhalt.statement import statement

LABELS = {"+": "correct", "-": "incorrect", "?": "unverifiable", ".": "halt", "!": None}
MARKS = {label: mark for mark, label in LABELS.items()}
THRESHOLDS = (0.2, 0.3, 0.5, 0.8, 0.9)


def fragments(marks, texts=None):
    """One fragment a mark; each says something else where no texts are given."""
    made = []
    for index, mark in enumerate(marks):
        text = texts[index] if texts else f"Statement {index}."
        error = "broke" if mark == "!" else None
        made.append(Fragment(0, len(text), "halt" if mark == "." else "sentence", text, LABELS[mark], error=error))
    return made


def counts(marks, halting, texts=None):
    return "".join(MARKS[label] for label in counted(fragments(marks, texts), halting))


@pytest.mark.parametrize("value", [0, 1, -0.5, 2])
def test_a_threshold_lies_between_0_and_1(value):
    with pytest.raises(InputError, match="both excluded"):
        check_threshold(value)


def test_what_a_verdict_earns():
    assert [fragment_reward(label, 0.8) for label in LABELS.values()] == [pytest.approx(0.2), -0.8, 0, 0, None]


@pytest.mark.parametrize(
    ("marks", "independent", "causal"),
    [
        ("", "", ""),
        ("+-+?", "+-+?", "+-??"),
        ("+.+", "+.?", "+.?"),
        (".+-+.+", ".?-?.?", ".?-?.?"),
        ("...", "...", "..."),
        ("-.", "-.", "-."),
        ("+!+-", "+!+-", "+!!!"),
        ("+-!+", "+-!+", "+-??"),
        ("!.+", "!.?", "!.!"),
    ],
)
def test_what_counts(marks, independent, causal):
    assert counts(marks, "independent") == independent
    assert counts(marks, "causal") == causal


def test_the_same_words_count_once_where_statements_stand_alone():
    texts = ["Peru is in Asia.", "  PERU is\u200b in Asia!", "Peru is in Asia", "x += 1"]
    assert counts("+++-", "independent", texts) == "+??-"
    assert counts("---+", "independent", texts) == "---+"
    assert counts("-++-", "independent", texts) == "-+?-"
    assert counts("++++", "causal", ["x += 1"] * 4) == "++++"


def test_a_claim_that_stands_by_itself_is_what_is_compared():
    first, second = (
        Fragment(0, 2, "claim", "It", "correct", claim=claim) for claim in ("Lima is big.", "Lima is old.")
    )
    assert counted([first, second], "independent") == ["correct", "correct"]
    assert statement(first) == "lima is big"


@pytest.mark.parametrize("halting", ["independent", "causal"])
def test_a_response_whose_scoring_failed_has_no_reward(halting):
    assert response_reward(fragments("+!-"), 0.5, halting) is None
    assert response_reward(fragments("-!"), 0.5, halting) is None
    assert response_reward([Fragment(0, 1, "sentence", "a")], 0.5, halting) is None
    assert response_reward([], 0.5, halting) == 0


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("right", [0, 1, 2, 7])
def test_a_longer_right_part_of_a_wrong_chain_earns_nothing_extra(right, threshold):
    wrong = fragments("+" * right + "-" + "+?-+")
    halted = fragments("+" * right + ".")
    assert response_reward(wrong, threshold, "causal") == -threshold
    assert response_reward(halted, threshold, "causal") == pytest.approx(right * (1 - threshold))
    # Fragment by fragment: the error costs what it costs, wherever it stands, and nothing after it counts.
    rewards = fragment_rewards(wrong, threshold, "causal")
    assert rewards[right:] == [-threshold, 0, 0, 0, 0]
    assert sum(rewards) == pytest.approx(sum(fragment_rewards(halted, threshold, "causal")) - threshold)


def expected(odds, threshold, halting, reward):
    """The mean reward of a response that halts after claims that are right with these odds."""
    mean = 0.0
    for rights in itertools.product([True, False], repeat=len(odds)):
        weight = Fraction(1)
        for right, p in zip(rights, odds, strict=True):
            weight *= p if right else 1 - p
        mean += float(weight) * reward(fragments("".join("-+"[right] for right in rights) + "."), threshold, halting)
    return mean


def total(some, threshold, halting):
    return sum(fragment_rewards(some, threshold, halting))


@given(st.lists(st.fractions(0, 1, max_denominator=20), max_size=4), st.fractions(0, 1, max_denominator=20))
def test_an_honest_claim_earns_p_minus_tau(odds, p):
    for threshold in (Fraction(1, 5), Fraction(1, 2), Fraction(9, 10)):
        gain = expected([*odds, p], threshold, "independent", response_reward)
        gain -= expected(odds, threshold, "independent", response_reward)
        assert gain == pytest.approx(float(p - threshold), abs=1e-9)
        # In a chain the claim is reached only where everything before it is right.
        reached = Fraction(1)
        for one in odds:
            reached *= one
        gain = expected([*odds, p], threshold, "causal", total) - expected(odds, threshold, "causal", total)
        assert gain == pytest.approx(float(reached * (p - threshold)), abs=1e-9)


def test_with_one_number_a_response_speaking_pays_later_in_long_chains():
    threshold, right = Fraction(1, 5), [Fraction(1)] * 3
    pays = Fraction(26, 34)  # (3 · 0.8 + 0.2) / (3 · 0.8 + 1)

    def gain(p):
        return expected([*right, p], threshold, "causal", response_reward) - expected(
            right, threshold, "causal", response_reward
        )

    assert gain(pays) == pytest.approx(0, abs=1e-9)
    assert gain(pays - Fraction(1, 100)) < 0 < gain(pays + Fraction(1, 100))


@given(
    st.text(alphabet="+-?.", max_size=8),
    st.integers(0, 8),
    st.sampled_from(["independent", "causal"]),
    st.sampled_from(THRESHOLDS),
)
def test_nothing_is_gained_by_halting_and_going_on(marks, where, halting, threshold):
    at = min(where, len(marks))
    before = response_reward(fragments(marks[:at] + "."), threshold, halting)
    after = response_reward(fragments(marks[:at] + "." + marks[at:]), threshold, halting)
    assert after <= before + 1e-9


@pytest.mark.parametrize(
    ("marks", "asked", "independent"),
    [
        ("+++", 2, "++?"),
        ("++-", 2, "++-"),
        ("-+-+", 2, "-+-?"),
        ("?+?++", 2, "?+?+?"),  # what cannot be checked takes no place
        ("!+++", 2, "!++?"),
        ("+.+", 1, "+.?"),
        ("++++++", None, "++++++"),
        ("+++", 5, "+++"),
    ],
)
def test_facts_beyond_the_number_that_is_asked_for_earn_nothing_and_cost_when_wrong(marks, asked, independent):
    found = counted(fragments(marks), "independent", asked)
    assert "".join(MARKS[label] for label in found) == independent
    assert counted(fragments(marks), "causal", asked) == counted(fragments(marks), "causal")


def test_a_repetition_takes_no_place_among_the_facts_that_were_asked_for():
    said = fragments("++++", ["Fact 1.", "Fact 1.", "Fact 2.", "Fact 3."])
    assert counted(said, "independent", 2) == ["correct", "unverifiable", "correct", "unverifiable"]


@given(
    st.lists(st.fractions(0, 1, max_denominator=20), max_size=3),
    st.fractions(0, 1, max_denominator=20),
    st.integers(1, 4),
    st.sampled_from((Fraction(1, 5), Fraction(1, 2), Fraction(9, 10))),
)
def test_each_asked_for_claim_earns_p_minus_tau_and_a_further_one_never_pays(odds, p, asked, threshold):
    def limited(some, threshold, halting):
        return response_reward(some, threshold, halting, asked)

    gain = expected([*odds, p], threshold, "independent", limited) - expected(odds, threshold, "independent", limited)
    owed = p - threshold if len(odds) < asked else -(1 - p) * threshold
    assert gain == pytest.approx(float(owed), abs=1e-9)


@given(st.text(alphabet="+-?.", max_size=9), st.integers(1, 4), st.sampled_from(THRESHOLDS))
def test_no_response_earns_more_than_the_number_that_is_asked_for(marks, asked, threshold):
    assert response_reward(fragments(marks), threshold, "independent", asked) <= asked * (1 - threshold) + 1e-9


@pytest.mark.parametrize("said", [0, -1, True, 2.5, "five", None])
def test_how_many_are_asked_for_is_a_whole_number_above_0(said):
    with pytest.raises(InputError, match=r"n_asked': expected a whole number above 0"):
        n_asked({"n_asked": said})


def test_without_a_number_in_the_reference_nothing_is_limited():
    assert n_asked({"n_asked": 5}) == 5
    assert n_asked({"subject": "Kenya", "n_desired": 3}) is None


@given(st.lists(st.sampled_from(range(5)), max_size=12), st.sampled_from(THRESHOLDS))
def test_nothing_is_gained_by_repeating(said, threshold):
    texts = [f"Fact {one}." for one in said]
    once = [f"Fact {one}." for one in set(said)]
    earned = response_reward(fragments("+" * len(texts), texts), threshold, "independent")
    assert earned == pytest.approx(response_reward(fragments("+" * len(once), once), threshold, "independent"))


def test_a_doubtful_claim_is_worth_a_place_only_where_places_are_left():
    """Five facts are asked for at 0.5; before the others stands one that is right with 0.55. All subsets are tried."""

    def best(others):
        odds = [Fraction(11, 20), *[Fraction(19, 20)] * others]
        choices = itertools.product([False, True], repeat=len(odds))
        return max(
            choices,
            key=lambda said: expected(
                list(itertools.compress(odds, said)),
                Fraction(1, 2),
                "independent",
                lambda *its: response_reward(*its, 5),
            ),
        )

    assert best(4) == (True,) * 5
    # 0.55 is above τ, and it would take the place of one that gains more.
    assert best(5) == (False, *(True,) * 5)
