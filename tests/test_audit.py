"""The verifier of a domain keeps what its specification promises, measured against labels given by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rlhalt.audit import BEGIN, END, Judgement, agreement, decided_share, judge, markdown, write_table
from rlhalt.errors import InputError
from rlhalt.reward import load_specification

COUNTRIES = Path(__file__).parents[1] / "reward" / "countries"


@pytest.fixture(scope="module")
def judged() -> list[Judgement]:
    return judge(COUNTRIES / "audit.jsonl", load_specification("countries").scorer())


def test_the_countries_verifier_keeps_its_promise(judged):
    specification = load_specification("countries")
    assert agreement(judged) >= specification.promised_agreement
    assert decided_share(judged) >= specification.promised_decided


def test_enough_was_labelled_half_of_it_held_out(judged):
    splits = Counter(one.split for one in judged)
    assert sum(splits.values()) >= 150
    assert splits["heldout"] >= splits.total() / 2


def test_the_table_in_the_readme_is_the_one_measured(judged):
    readme = (COUNTRIES / "README.md").read_text(encoding="utf-8")
    assert readme.split(BEGIN)[1].split(END)[0].strip() == markdown(judged)


def made(human: str, verdict: str) -> Judgement:
    return Judgement("train", "A", "A | B.", human, verdict, "e", "")  # type: ignore[arg-type]


def test_deciding_what_people_call_neither_counts_against_the_verifier():
    some = [
        made("correct", "correct"),
        made("neither", "incorrect"),
        made("incorrect", "unverifiable"),
        made("correct", "failed"),
    ]
    assert agreement(some) == 0.5
    assert decided_share(some) == 0.5
    assert "A \\| B." in markdown(some)


def test_a_readme_without_the_marks_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(InputError, match="audit"):
        write_table(tmp_path / "README.md", [made("correct", "correct")])
