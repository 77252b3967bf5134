from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.pairs import compose, pairs, targets
from rlhalt.records import HALT_PHRASE, Fragment, Scored

ASIA, CAPITAL, CURRENCY = "A is in Asia.", "Its capital is B.", "Its currency is C."


def sides(row, threshold, style):
    return [
        (one.style, round(one.weight, 3), one.chosen[0]["content"], one.rejected[0]["content"])
        for one in pairs([row], threshold, style)
    ]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_remove_decides_every_fragment_by_itself(scored_row, threshold):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    keep = round(1 - threshold, 3)
    assert sides(row, threshold, "remove") == [
        ("keep", keep, f"{ASIA} {CURRENCY}", CURRENCY),
        ("remove", threshold, f"{ASIA} {CURRENCY}", f"{ASIA} {CAPITAL} {CURRENCY}"),
        ("keep", keep, f"{ASIA} {CURRENCY}", ASIA),
    ]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_unsure_cuts_before_the_first_wrong_fragment(scored_row, threshold):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    assert sides(row, threshold, "unsure") == [
        ("unsure", threshold, f"{ASIA} {HALT_PHRASE}", f"{ASIA} {CAPITAL} {CURRENCY}"),
        ("keep", round(1 - threshold, 3), f"{ASIA} {HALT_PHRASE}", HALT_PHRASE),
    ]


def test_going_on_sees_everything_that_follows(scored_row):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+++")
    whole = f"{ASIA} {CAPITAL} {CURRENCY}"
    assert [(chosen, rejected) for _, _, chosen, rejected in sides(row, 0.5, "unsure")] == [
        (whole, HALT_PHRASE),
        (whole, f"{ASIA} {HALT_PHRASE}"),
        (whole, f"{ASIA} {CAPITAL} {HALT_PHRASE}"),
    ]


@pytest.mark.parametrize("style", ["remove", "unsure"])
def test_nothing_right_leaves_the_halting_phrase(scored_row, style):
    row = scored_row([CAPITAL], "-")
    assert sides(row, 0.5, style) == [(style, 0.5, HALT_PHRASE, CAPITAL)]


@pytest.mark.parametrize("style", ["remove", "unsure"])
def test_a_failed_fragment_gives_no_pair_and_no_target(scored_row, style):
    row = scored_row([ASIA, CAPITAL], "+!")
    assert sides(row, 0.5, style) == []
    assert list(targets([row], style)) == []


def test_unverifiable_fragments_decide_nothing(scored_row):
    row = scored_row([ASIA, "It is lovely.", CAPITAL], "+?-")
    assert sides(row, 0.5, "remove") == [
        ("keep", 0.5, ASIA, HALT_PHRASE),
        ("remove", 0.5, ASIA, f"{ASIA} {CAPITAL}"),
    ]
    assert sides(row, 0.5, "unsure")[0][2] == f"{ASIA} It is lovely. {HALT_PHRASE}"


def test_a_fragment_cut_off_at_the_token_limit_decides_nothing(scored_row):
    row = scored_row([ASIA, "Its capital is"], "+-", finish_reason="length")
    assert sides(row, 0.5, "remove") == [("keep", 0.5, ASIA, HALT_PHRASE)]
    assert [one.completion[0]["content"] for one in targets([row], "remove")] == [ASIA]
    assert [one.completion[0]["content"] for one in targets([row], "unsure")] == [f"{ASIA} {HALT_PHRASE}"]


@pytest.mark.parametrize(
    ("marks", "remove", "unsure"),
    [
        ("+++", f"{ASIA} {CAPITAL} {CURRENCY}", f"{ASIA} {CAPITAL} {CURRENCY}"),
        ("+-+", f"{ASIA} {CURRENCY}", f"{ASIA} {HALT_PHRASE}"),
        ("-++", f"{CAPITAL} {CURRENCY}", HALT_PHRASE),
        ("---", HALT_PHRASE, HALT_PHRASE),
        ("???", HALT_PHRASE, f"{ASIA} {CAPITAL} {CURRENCY}"),
    ],
)
def test_targets(scored_row, marks, remove, unsure):
    row = scored_row([ASIA, CAPITAL, CURRENCY], marks)
    assert [one.completion[0]["content"] for one in targets([row], "remove")] == [remove]
    assert [one.completion[0]["content"] for one in targets([row], "unsure")] == [unsure]


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 1.2, float("nan")])
def test_a_threshold_outside_the_open_interval_is_refused(scored_row, threshold):
    with pytest.raises(InputError, match="threshold"):
        list(pairs([scored_row([ASIA], "+")], threshold, "remove"))


def test_weights_make_speaking_worth_it_exactly_above_the_threshold(scored_row):
    """Of 10 answers of which 7 are right, the pairs weigh for speaking iff 0.7 > τ."""
    rows = [scored_row([f"Fact {index}."], "+" if index < 7 else "-") for index in range(10)]
    for threshold in (0.3, 0.5, 0.65, 0.75, 0.9):
        made = list(pairs(rows, threshold, "remove"))
        speak = sum(one.weight for one in made if one.style == "keep")
        halt = sum(one.weight for one in made if one.style == "remove")
        assert (speak > halt) == (threshold < 0.7)


def test_list_marks_and_missing_spaces(scored_row):
    text = "1. A is in Asia.\n2. Its capital is B.Its currency is C."
    row = scored_row([ASIA], "+")
    fragments = [
        Fragment(text.index(one), text.index(one) + len(one), "sentence", one, "correct", verifier="hand/1")
        for one in (ASIA, CAPITAL, CURRENCY)
    ]
    assert compose(text, fragments, {0, 1, 2}) == text
    assert compose(text, fragments, {0}) == f"1. {ASIA}"
    assert compose(text, fragments, {1, 2}) == f"2. {CAPITAL}{CURRENCY}"
    assert compose(text, fragments, {0, 2}) == f"1. {ASIA} {CURRENCY}"
    assert row.response == ASIA


sentence = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8).map(lambda text: text + ".")


@given(st.lists(st.tuples(sentence, st.sampled_from("+-?")), min_size=1, max_size=6), st.sampled_from([0.2, 0.5, 0.9]))
def test_pairs_share_what_stands_before_the_cut_and_differ_after(parts, threshold):
    text, fragments = "", []
    for piece, mark in parts:
        text += " " if text else ""
        label = {"+": "correct", "-": "incorrect", "?": "unverifiable"}[mark]
        fragments.append(Fragment(len(text), len(text) + len(piece), "sentence", piece, label, verifier="h"))  # type: ignore[arg-type]
        text += piece
    row = Scored("k", "p", 0, [], text, {}, "d", "train", "stop", {}, 1, fragments)
    for style in ("remove", "unsure"):
        made = list(pairs([row], threshold, style))
        right = sum(mark == "+" for _, mark in parts)
        wrong = sum(mark == "-" for _, mark in parts)
        if style == "remove":
            assert len(made) == right + wrong
        for one in made:
            chosen, rejected = one.chosen[0]["content"], one.rejected[0]["content"]
            assert chosen
            assert rejected
            assert chosen != rejected
            assert chosen[: one.cut] == rejected[: one.cut]
            assert one.weight == pytest.approx(1 - threshold if one.style == "keep" else threshold)
        assert len({one.key for one in made}) == len(made) or len({piece for piece, _ in parts}) < len(parts)
