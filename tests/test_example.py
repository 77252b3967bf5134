"""The question that a recipe ends with."""

from __future__ import annotations

import dataclasses

from rlhalt.cut.calibration import Calibration, Fit
from rlhalt.cut.calibration import write as write_calibration
from rlhalt.cut.probability import Probability
from rlhalt.domains import load_domain
from rlhalt.recipes.example import at_every_threshold, example
from rlhalt.records import Confidence, write


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


def test_a_calibrated_model_at_every_threshold(scored_row, tmp_path, capsys):
    right, wrong = (
        greedy(scored_row(["A is in Asia."], "+"), "one"),
        scored_row(["A is in Asia.", "Its capital is B."], "+-"),
    )
    row = greedy(wrong, "two")
    base = folder(tmp_path / "base", [right, row])
    trained = folder(tmp_path / "reference", [right, row])
    write(
        trained / "confidence.jsonl", [Confidence(right.key, [0.9], [0.0]), Confidence(row.key, [0.9, 0.6], [0.0, 0.0])]
    )
    write_calibration(tmp_path / "calibration.json", identity_calibration())
    at_every_threshold(base, trained, "reference", tmp_path / "calibration.json", load_domain("countries").scorer())
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines == [
        "reference, with the probability that each fragment is correct",
        "correct           0.90  A is in Asia.",
        "INCORRECT         0.60  Its capital is B.",
        "the same, cut",
        "τ = 0.3   A is in Asia. Its capital is B.",
        "τ = 0.5   A is in Asia. Its capital is B.",
        "τ = 0.8   A is in Asia.",
        "τ = 0.95  Unsure from here.",
    ]


def identity_calibration():
    """A calibration whose probability is the confidence itself."""
    fit = Fit(0.0, Probability("platt", slope=1.0), 30, 20, {}, {}, {}, {})
    return Calibration("m", "countries", "sentences", "knowledge/1", "token_probability", [], "", {}, 64, [fit])


def test_nothing_is_shown_where_base_makes_no_error(scored_row, tmp_path, capsys):
    rows = [greedy(scored_row(["A is in Asia."], "+"), "one")]
    example(folder(tmp_path / "base", rows), folder(tmp_path / "dpo", rows), "DPO")
    assert capsys.readouterr().out == ""


def test_sampled_responses_are_not_shown(scored_row, tmp_path, capsys):
    rows = [dataclasses.replace(greedy(scored_row(["A."], "-"), "one"), sampler={"temperature": 0.7})]
    example(folder(tmp_path / "base", rows), folder(tmp_path / "dpo", rows), "DPO")
    assert capsys.readouterr().out == ""
