"""What a reflection lists, and UNIT's measures of it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from rlhalt.domains import load_domain
from rlhalt.evaluation.reflection import balanced_accuracy, reflected, uncertainty_difference
from rlhalt.fragments.reflection import before_reflection, reflection
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Fragment
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict

SAID = ["A is in Asia.", "Its capital is B.", "Its currency is C."]


@pytest.fixture
def responded(scored_row):
    """SAID, right, wrong and unverifiable, with a reflection behind it whose lines were judged too."""

    def make(listed):
        row = scored_row(SAID, "+-?")
        text = row.response + "".join(reflection(listed))
        again = Fragment(text.index("###"), len(text), "sentence", text[text.index("###") :], "incorrect")
        return dataclasses.replace(row, response=text, fragments=[*row.fragments, again])

    return make


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], [(False, False), (True, False)]),
        ([SAID[1]], [(False, False), (True, True)]),
        ([SAID[0], SAID[2]], [(False, True), (True, False)]),
        (["1"] * 11, []),
    ],
    ids=["nothing", "the wrong one", "others", "most, without naming them"],
)
def test_decided_claims_of_the_answer_and_whether_they_are_listed(responded, listed, expected):
    assert reflected(responded(listed)) == expected


KENYA = "Kenya is in East Africa. The capital of Kenya is Mombasa."
SECTION = "\n\n### Reflection\n"


@pytest.mark.parametrize(
    "section",
    [
        "Of this I am not sure:\n1. The capital of Kenya is Mombasa.",
        "I am sure of all of this.",
        "I am not sure of most of this.",
        # Cut off at the token limit.
        "Of this I am not sure:\n1. The capital of Kenya is Mombasa.\n2.",
        "Of this I am",
        "",
    ],
)
def test_a_reflection_states_nothing_and_a_wrong_fact_that_it_lists_is_wrong_once(section):
    judged = load_domain("countries").scorer().judge(KENYA + SECTION + section, {"subject": "Kenya"})
    assert [(one.text, one.label) for one in judged] == [
        ("Kenya is in East Africa.", "correct"),
        ("The capital of Kenya is Mombasa.", "incorrect"),
    ]
    assert before_reflection(KENYA + SECTION + section) == KENYA


def test_neither_what_splits_nor_what_verifies_sees_a_reflection():
    class Sees:
        name = "sees/1"

        def verify(self, text, fragments, reference):
            assert text == KENYA
            return [Verdict("correct", "") for _ in fragments]

    text = f"{KENYA}{SECTION}I am sure of all of this."
    scorer = Scorer(sentences, Sees())
    assert [one.label for one in scorer.judge(text, {})] == ["correct", "correct"]
    # The cut splits what nobody verifies.
    assert len(scorer.split(text)) == 2


def test_what_stands_below_the_heading_and_is_no_reflection_is_judged_and_so_is_what_stands_before_it():
    scorer = load_domain("countries").scorer()
    hidden = scorer.judge(f"Hm.{SECTION}The capital of Kenya is Mombasa.", {"subject": "Kenya"})
    assert hidden[-1].label == "incorrect"
    thought = "<think>\nIs it Mombasa?\n</think>\n\n"
    judged = scorer.judge(f"{thought}{KENYA}{SECTION}I am sure of all of this.", {"subject": "Kenya"})
    assert [one.label for one in judged] == ["correct", "incorrect"]
    assert all((thought + KENYA)[one.start : one.end] == one.text for one in judged)


def test_a_response_without_a_reflection_reflects_nothing(scored_row):
    assert reflected(scored_row(SAID, "+-?")) == []


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_balanced_accuracy_is_that_of_scikit_learn(flags):
    doubtful, said = [one for one, _ in flags], [two for _, two in flags]
    if len(set(doubtful)) < 2:
        assert balanced_accuracy(doubtful, said) is None
    else:
        assert balanced_accuracy(doubtful, said) == pytest.approx(balanced_accuracy_score(doubtful, said))


@given(st.lists(st.tuples(st.floats(-1, 0) | st.just(math.nan), st.booleans()), max_size=20))
def test_the_difference_is_the_slope_of_a_regression_on_the_flag(claims):
    known = [(u, said) for u, said in claims if not math.isnan(u)]
    found = uncertainty_difference([u for u, _ in claims], [said for _, said in claims])
    if len({said for _, said in known}) < 2:
        assert found is None
    else:
        flags, values = np.array([said for _, said in known], dtype=float), np.array([u for u, _ in known])
        slope = np.linalg.lstsq(np.stack([flags, np.ones_like(flags)], axis=1), values, rcond=None)[0][0]
        assert found == pytest.approx(slope, abs=1e-9)
