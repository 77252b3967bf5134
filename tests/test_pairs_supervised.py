"""Targets of the methods that rlhalt is compared with."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.fragments.reflection import HEADING
from rlhalt.fragments.stated_confidence import VERBAL
from rlhalt.records import HALT_PHRASE, Target, read, write
from rlhalt.training_data import Method, supervised, write_supervised
from rlhalt.training_data.targets import self_consistency
from rlhalt.training_data.targets.alignment_for_honesty import expected_accuracy
from rlhalt.training_data.targets.methods import METHODS
from rlhalt.training_data.targets.selection import at_percentile, by_prompt, correctness

NAMES = list(METHODS)


def texts(rows, name, **options) -> list[str]:
    return [one.completion[0]["content"] for one in supervised(rows, Method(name, **options))]


@pytest.fixture
def prompt(scored_row):
    """Marks of N responses to one prompt → its scored responses; fragment i of response n reads `n-i.`."""

    def make(*marks: str, key: str = "p", finish_reason: str = "stop"):
        rows = []
        for n, one in enumerate(marks):
            row = scored_row([f"{n}-{i}." for i in range(len(one))], one, finish_reason)
            rows.append(dataclasses.replace(row, key=f"{key}{n}", prompt_key=key, index=n))
        return rows

    return make


class TestPercentile:
    def test_five_responses_as_in_the_paper(self, prompt):
        rows = prompt("+++-", "----", "++++", "+---", "++--")
        number = {"p1": 1, "p3": 2, "p4": 3, "p0": 4, "p2": 5}
        for percentile, ascending in [(0.4, 2), (0.6, 3), (0.8, 4), (1.0, 5), (0.01, 1)]:
            (row,) = at_percentile(rows, percentile, "ascending")
            assert number[row.key] == ascending
            (row,) = at_percentile(rows, percentile, "descending")
            assert number[row.key] == 6 - ascending

    @given(st.integers(1, 40))
    def test_every_share_of_n_takes_its_number(self, n):
        from rlhalt.training_data.targets.selection import _number

        assert [_number(k / n, n) for k in range(1, n + 1)] == list(range(1, n + 1))
        assert _number(0.55, 20) == 11

    def test_equal_responses_stand_in_the_order_given(self, prompt):
        rows = prompt("+-", "-+", "+-")
        for reading in ("ascending", "descending"):
            assert [at_percentile(rows, share, reading)[0].key for share in (0.3, 0.6, 1.0)] == ["p0", "p1", "p2"]

    def test_what_cannot_be_ranked_is_not_taken(self, prompt):
        rows = [*prompt("??", "+!", "-?"), *prompt("?", ".", key="q")]
        assert [row.key for row in at_percentile(rows, 0.1, "descending")] == ["p2"]
        assert correctness(rows[0]) is None

    @pytest.mark.parametrize("wrong", [{"percentile": 0.0}, {"percentile": 1.5}, {"reading": "sideways"}])
    def test_wrong_arguments_are_named(self, prompt, wrong):
        (field,) = wrong
        with pytest.raises(InputError, match=field):
            texts(prompt("+"), "halt", **wrong)


def test_halt_rids_the_taken_response_of_what_is_wrong(prompt):
    rows = [*prompt("+-+", "+--", "---", "+++"), *prompt("-", key="q")]
    assert texts(rows, "halt", percentile=0.5) == ["1-0.", HALT_PHRASE]
    assert texts(rows, "halt", percentile=0.75) == ["0-0. 0-2.", HALT_PHRASE]
    assert texts(rows, "halt", percentile=0.75, style="unsure") == [f"0-0. {HALT_PHRASE}", HALT_PHRASE]
    assert texts(rows, "halt", percentile=0.25, reading="descending") == ["3-0. 3-1. 3-2.", HALT_PHRASE]


def test_idk_and_random_trim_are_made_of_the_same_response(prompt):
    rows = prompt("+-+", "+--", "---", "+++")
    assert texts(rows, "idk", percentile=0.75) == [HALT_PHRASE]
    assert texts(rows, "idk", percentile=1.0) == ["3-0. 3-1. 3-2."]
    (trimmed,) = texts(rows, "random-trim", percentile=0.75)
    assert Counter(trimmed)["."] == 2
    assert set(trimmed.split()) < {"0-0.", "0-1.", "0-2."}


def test_random_trim_is_as_long_as_halt_and_does_not_know_what_is_right(prompt):
    rows = [row for n in range(400) for row in prompt("+-+-+", key=f"p{n}")]
    made = texts(rows, "random-trim", percentile=1.0)
    kept = Counter(piece for text in made for piece in text.split())
    assert sum(kept.values()) == 3 * 400
    # Each of five fragments is kept with probability 3/5: 240 of 400, within four standard deviations.
    assert all(abs(kept[f"0-{i}."] - 240) < 40 for i in range(5))
    assert made == texts(rows, "random-trim", percentile=1.0) != texts(rows, "random-trim", percentile=1.0, seed=1)


def test_random_trim_deals_the_cuts_anew(prompt):
    rows = [row for n in range(60) for row in prompt("+" * (n % 5) + "-" * (5 - n % 5), key=f"p{n}")]
    halt = texts(rows, "halt", style="unsure", percentile=1.0)
    trimmed = texts(rows, "random-trim", style="unsure", percentile=1.0)
    assert Counter(len(text.split()) for text in halt) == Counter(len(text.split()) for text in trimmed)
    assert halt != trimmed
    assert all(text.endswith(HALT_PHRASE) for text in trimmed)
    assert not any(HALT_PHRASE in text for text in texts(rows[1:5], "random-trim", style="truncate", percentile=1.0))
    with pytest.raises(InputError, match="remove, unsure or truncate"):
        texts(rows, "random-trim", style="flip")


class TestOdds:
    def facts(self, scored_row, responses, key="p"):
        return [
            dataclasses.replace(
                scored_row([fact for fact, _ in one], "".join(mark for _, mark in one)), key=f"{key}{n}", prompt_key=key
            )
            for n, one in enumerate(responses)
        ]

    def test_facts_that_many_responses_state_are_likely_if_such_facts_are_right(self, scored_row):
        often, once, wrong = ("It is in Asia.", "+"), ("It is large.", "+"), ("It is in Asia, too.", "-")
        groups = by_prompt(self.facts(scored_row, [[often, once], [often, wrong], [often], [often]]))
        found = self_consistency.by_agreement(groups)
        # Four right of four stated by all; one right and one wrong stated by one of four.
        assert found["p0"] == [pytest.approx(5 / 6), pytest.approx(2 / 4)]
        assert found["p1"] == [pytest.approx(5 / 6), pytest.approx(2 / 4)]

    def test_a_fact_counts_once_a_response_and_case_and_stops_do_not_matter(self, scored_row):
        rows = self.facts(scored_row, [[("It is in Asia.", "+"), ("it is in ASIA", "+")], [("Large.", "-")]])
        # Both statements are made by one of two responses: two right and one wrong at that agreement.
        assert self_consistency.by_agreement(by_prompt(rows))["p0"] == [pytest.approx(3 / 5)] * 2

    def test_position_counts_those_that_came_so_far(self, prompt):
        found = self_consistency.by_position(by_prompt(prompt("++-", "+-+", "-++", "+")))
        # First: 3 of 4 right. Second: of the 3 that got there two have a second one, one of which is right.
        assert found == {"p0": [0.75, 0.5], "p1": [0.75], "p2": [], "p3": [0.75]}

    def test_a_right_fragment_is_kept_iff_its_odds_reach_the_threshold(self, scored_row):
        often, once, wrong = ("It is in Asia.", "+"), ("It is large.", "+"), ("It is in Asia, too.", "-")
        rows = self.facts(scored_row, [[often, once], [often, wrong], [often], [often]])
        kept = {tau: texts(rows, "halt-per-tau", threshold=tau) for tau in (0.4, 0.5, 0.6, 0.8, 0.9)}
        both, likely = ["It is in Asia. It is large."], ["It is in Asia."]
        assert kept == {0.4: both, 0.5: both, 0.6: likely, 0.8: likely, 0.9: [HALT_PHRASE]}

    def test_a_chain_is_cut_where_its_odds_fall_below_the_threshold(self, prompt):
        rows = prompt("++-", "+-+", "-++", "++++")
        made = {tau: texts(rows, "halt-per-tau", threshold=tau, style="unsure") for tau in (0.4, 0.7, 0.8)}
        # Odds by position: 3/4, 2/3, 1/2, 1. The response with the most right fragments before the cut is taken.
        assert made == {0.4: ["3-0. 3-1. 3-2. 3-3."], 0.7: [f"0-0. {HALT_PHRASE}"], 0.8: [HALT_PHRASE]}

    def test_a_wrong_fragment_is_never_kept(self, scored_row):
        rows = self.facts(scored_row, [[("It is in Asia.", "-")]] * 3)
        assert texts(rows, "halt-per-tau", threshold=0.01) == [HALT_PHRASE]

    def test_what_is_doubtful_is_listed_where_the_style_lists(self, scored_row):
        rows = self.facts(scored_row, [[("It is in Asia.", "+"), ("It is large.", "+")], [("It is in Asia.", "+")]])
        (made,) = texts(rows, "halt-per-tau", threshold=0.7, style="reflect")
        assert made.endswith("1. It is large.")


class TestHonesty:
    def test_absolute_refuses_below_a_tenth(self, prompt):
        for right, refused in [(0, True), (1, False), (10, False)]:
            rows = prompt(*["+"] * right, *["-"] * (10 - right))
            assert texts(rows, "absolute") == ([HALT_PHRASE] if refused else ["0-0."])
        assert texts(prompt("+", *["-"] * 10), "absolute") == [HALT_PHRASE]

    def test_the_expected_accuracy_is_the_mean_correctness(self, prompt):
        assert expected_accuracy(prompt("++--", "+?", "-", "??")) == pytest.approx(0.5)
        assert expected_accuracy(prompt("??")) is None
        assert texts(prompt("??"), "absolute") == []

    def test_the_most_correct_response_answers_then_the_one_that_says_most(self, prompt):
        assert texts(prompt("+-", "+", "++", "---"), "absolute") == ["2-0. 2-1."]

    @pytest.mark.parametrize(
        ("right", "percent", "wording"), [(1, 10, 0), (2, 20, 0), (3, 30, 1), (5, 50, 2), (8, 80, 3), (10, 100, 4)]
    )
    def test_confidence_is_said_before_the_answer(self, prompt, right, percent, wording):
        rows = prompt(*["+"] * right, *["-"] * (10 - right))
        assert texts(rows, "confidence-num") == [f"I am about {percent}% sure of this answer. 0-0."]
        assert texts(rows, "confidence-verb") == [f"{VERBAL[wording]} 0-0."]

    def test_no_confidence_is_a_refusal(self, prompt):
        for name in ("confidence-num", "confidence-verb"):
            assert texts(prompt("-", "-"), name) == [HALT_PHRASE]

    def test_multisample_keeps_all_and_refuses_the_wrong_ones(self, prompt):
        assert texts(prompt("+", "-", "++", "+-", "??"), "multisample") == [
            *("0-0.", HALT_PHRASE, "2-0. 2-1.", HALT_PHRASE, HALT_PHRASE)
        ]


def test_unit_reflects_on_the_first_response(prompt):
    (made,) = texts(prompt("+-", "++"), "unit")
    assert made.startswith(f"0-0. 0-1.\n\n{HEADING}")
    assert made.endswith("\n1. 0-1.")


def test_reference_is_what_the_prompt_came_with(prompt):
    rows = [dataclasses.replace(row, reference={"answer": " 48/2 = 24 \n"}) for row in prompt("+", "-")]
    assert texts(rows, "reference") == ["48/2 = 24"]
    with pytest.raises(InputError, match="expected a text 'answer' in the reference, found None"):
        texts(prompt("+"), "reference")


@pytest.mark.parametrize("name", NAMES)
def test_no_method_learns_from_failed_responses_or_cut_off_fragments(prompt, name):
    failed = prompt("+!")
    rows = [dataclasses.replace(row, reference={"answer": "24"}) for row in [*prompt("+-", finish_reason="length")]]
    assert list(supervised(failed, Method(name))) == []
    for one in supervised([*failed, *rows], Method(name)):
        assert "0-1." not in one.completion[0]["content"]
        assert one.style == name


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_unique_and_made_of_content(prompt, name):
    rows = [row for key in "abc" for row in prompt("+-", "+-", "++", key=key)]
    rows = [dataclasses.replace(row, reference={"answer": "24"}) for row in rows]
    made = list(supervised(rows, Method(name)))
    # CRaFT keeps the half of the prompts.
    assert len({one.key for one in made}) == len(made) >= (2 if name == "craft" else 3)
    assert [one.key for one in supervised(rows, Method(name))] == [one.key for one in made]


def test_an_unknown_method_is_refused_kindly():
    with pytest.raises(InputError, match="did you mean 'multisample'"):
        Method("multi-sample")


def test_from_file_to_file_of_training_prompts_alone(prompt, tmp_path):
    rows = prompt("+-", "++")
    write(tmp_path / "scored.jsonl", rows)
    write_supervised(tmp_path / "scored.jsonl", tmp_path / "targets.jsonl", Method("multisample"))
    assert [one.source for one in read(tmp_path / "targets.jsonl", Target)] == ["p0", "p1"]
    write(tmp_path / "scored.jsonl", [dataclasses.replace(rows[0], split="heldout")])
    with pytest.raises(InputError, match="split"):
        write_supervised(tmp_path / "scored.jsonl", tmp_path / "targets.jsonl", Method("multisample"))
