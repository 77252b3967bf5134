from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from rlhalt.errors import InputError
from rlhalt.fragments.reflection import HEADING, LISTED, SURE
from rlhalt.records import HALT_PHRASE, write
from rlhalt.training_data import Style, best, targets, write_targets
from rlhalt.training_data.styles.flip import HEDGE

ASIA, CAPITAL, CURRENCY = "A is in Asia.", "Its capital is B.", "Its currency is C."
WHOLE = f"{ASIA} {CAPITAL} {CURRENCY}"


def texts(made) -> list[str]:
    return [one.completion[0]["content"] for one in made]


@pytest.mark.parametrize(
    ("marks", "remove", "unsure", "truncate"),
    [
        ("+++", WHOLE, WHOLE, WHOLE),
        ("+-+", f"{ASIA} {CURRENCY}", f"{ASIA} {HALT_PHRASE}", ASIA),
        ("-++", f"{CAPITAL} {CURRENCY}", HALT_PHRASE, HALT_PHRASE),
        ("---", HALT_PHRASE, HALT_PHRASE, HALT_PHRASE),
        ("???", HALT_PHRASE, WHOLE, WHOLE),
    ],
)
def test_targets_of_the_halting_styles(scored_row, marks, remove, unsure, truncate):
    row = scored_row([ASIA, CAPITAL, CURRENCY], marks)
    assert texts(targets([row], "remove")) == [remove]
    assert texts(targets([row], "unsure")) == texts(targets([row], "keep")) == [unsure]
    assert texts(targets([row], "truncate")) == [truncate]


def test_targets_that_say_everything(scored_row):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    assert texts(targets([row], "flip")) == [f"{ASIA} {HEDGE}{CAPITAL} {CURRENCY}"]
    assert texts(targets([row], "reflect")) == [f"{WHOLE}\n\n{HEADING}\n{LISTED}\n1. {CAPITAL}"]
    assert texts(targets([scored_row([ASIA], "+")], "reflect")) == [f"{ASIA}\n\n{HEADING}\n{SURE}"]


@pytest.mark.parametrize("style", get_args(Style))
def test_no_failed_response_and_no_cut_off_fragment_is_learnt(scored_row, style):
    assert list(targets([scored_row([ASIA, CAPITAL], "+!")], style)) == []
    (text,) = texts(targets([scored_row([ASIA, "Its capital is"], "+-", finish_reason="length")], style))
    assert text.startswith(ASIA)
    assert "Its capital" not in text
    (nothing,) = texts(targets([scored_row(["Its capital is"], "-", finish_reason="length")], style))
    assert nothing == HALT_PHRASE


def test_an_unknown_style_is_refused(scored_row):
    with pytest.raises(InputError, match="did you mean 'remove'"):
        list(targets([scored_row([ASIA], "+")], "remov"))


def of_prompts(scored_row, *marks: str):
    """Responses with these marks, two a prompt."""
    rows = []
    for number, one in enumerate(marks):
        row = scored_row([f"Fact {number}.{index}." for index in range(len(one))], one)
        rows.append(dataclasses.replace(row, prompt_key=f"p{number // 2}", index=number % 2))
    return rows


def test_best_takes_the_responses_with_the_most_right_fragments_of_each_prompt(scored_row):
    rows = of_prompts(scored_row, "+", "++-", "---", "-", "+-", "+")
    assert best(rows, 0.5) == [rows[1], rows[2], rows[4]]
    assert best(rows, 1.0) == rows
    # Where the ranking is taken away, or turned round, another response comes first.
    assert best(rows[:2], 0.1) == best(rows[1::-1], 0.1) == [rows[1]]


def test_best_counts_neither_failed_responses_nor_cut_off_fragments(scored_row):
    rows = of_prompts(scored_row, "++!", "+")
    assert best(rows, 0.5) == [rows[1]]
    rows = of_prompts(scored_row, "++", "++")
    cut_off = dataclasses.replace(rows[0], finish_reason="length")
    assert best([cut_off, rows[1]], 0.5) == [rows[1]]


@pytest.mark.parametrize("share", [0, -1, 1.1, float("nan")])
def test_a_share_outside_the_interval_is_refused(scored_row, share):
    with pytest.raises(InputError, match="best"):
        best(of_prompts(scored_row, "+"), share)


def test_targets_of_held_out_prompts_are_refused(scored_row, tmp_path):
    write(tmp_path / "scored.jsonl", [dataclasses.replace(scored_row([ASIA], "+"), split="heldout")])
    with pytest.raises(InputError, match=r"scored\.jsonl: field 'split'"):
        write_targets(tmp_path / "scored.jsonl", tmp_path / "targets.jsonl", "remove", 1.0)
    assert not (tmp_path / "targets.jsonl").exists()
