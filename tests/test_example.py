"""The question that a recipe ends with."""

from __future__ import annotations

import dataclasses

from rlhalt.recipes.example import example
from rlhalt.records import write


def folder(path, rows):
    path.mkdir()
    write(path / "scored.jsonl", rows)
    return path


def greedy(row, key: str):
    return dataclasses.replace(row, key=f"{key}{row.key}", prompt_key=key, sampler={"temperature": 0})


def test_the_first_question_that_base_answers_with_an_error(scored_row, tmp_path, capsys):
    right, wrong = scored_row(["A is in Asia."], "+"), scored_row(["A is in Asia.", "Its capital is B."], "+-")
    halted = scored_row(["A is in Asia.", "Unsure from here."], "+.")
    base = folder(tmp_path / "base", [greedy(right, "one"), greedy(wrong, "two")])
    trained = folder(tmp_path / "dpo", [greedy(right, "one"), greedy(halted, "two")])
    example(base, trained, "DPO, τ = 0.5")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[2:] == [
        "base",
        "correct           A is in Asia.",
        "INCORRECT         Its capital is B.",
        "DPO, τ = 0.5",
        "correct           A is in Asia.",
        "halts             Unsure from here.",
    ]


def test_nothing_is_shown_where_base_makes_no_error(scored_row, tmp_path, capsys):
    rows = [greedy(scored_row(["A is in Asia."], "+"), "one")]
    example(folder(tmp_path / "base", rows), folder(tmp_path / "dpo", rows), "DPO")
    assert capsys.readouterr().out == ""


def test_sampled_responses_are_not_shown(scored_row, tmp_path, capsys):
    rows = [dataclasses.replace(greedy(scored_row(["A."], "-"), "one"), sampler={"temperature": 0.7})]
    example(folder(tmp_path / "base", rows), folder(tmp_path / "dpo", rows), "DPO")
    assert capsys.readouterr().out == ""
