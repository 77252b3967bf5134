import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("periodictable")

from rlhalt.domains import load_domain
from rlhalt.domains.elements import table

CASES = Path(__file__).parents[2] / "shared" / "data" / "cases" / "elements.jsonl"
SCORER = load_domain("elements").scorer()


def labels(subject, text):
    return [fragment.label for fragment in SCORER.judge(text, {"subject": subject})]


def test_a_table_is_data_and_patterns_of_at_most_eighty_lines():
    source = Path(table.__file__).read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) <= 80


def test_prompts_are_one_per_element_with_thirty_held_out():
    rows = load_domain("elements").prompts()
    assert len(rows) == len({row.key for row in rows}) == 115
    assert Counter(row.split for row in rows) == {"heldout": 30, "train": 85}
    iron = next(row for row in rows if row.reference["subject"] == "Iron")
    assert iron.prompt[0]["content"] == "State five facts about the chemical element iron."


def test_reference_answers_and_examples_are_five_right_facts():
    domain = load_domain("elements")
    for row in domain.prompts():
        found = labels(row.reference["subject"], row.reference["answer"])
        assert found == ["correct"] * row.reference["n_desired"], (row.reference, found)
        assert len(found) >= 4
    for question, answer in zip(domain.few_shot()[::2], domain.few_shot()[1::2], strict=True):
        subject = question["content"].split()[-1].rstrip(".").title()
        assert labels(subject, answer["content"]) == ["correct"] * 5, answer


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("Cobalt", "The symbol of cobalt is Co.", "correct"),
        ("Cobalt", "The symbol of cobalt is CO.", "incorrect"),
        ("Helium", "He is the chemical symbol of helium.", "correct"),
        ("Helium", "He is famous.", "unverifiable"),
        ("Iron", "Iron has atomic number 26 and is in group 8.", "correct"),
        ("Iron", "Iron has the atomic number 26.", "correct"),
        ("Iron", "The atomic number of iron is 62.", "incorrect"),
        ("Iron", "The atomic mass of iron is 55.85 u.", "correct"),
        ("Iron", "Iron has an atomic weight of about 65.", "incorrect"),
        ("Iron", "**Symbol:** Fe", "correct"),
        ("Iron", "**Atomic number:** 27", "incorrect"),
        ("Iron", "Iron is a solid at room temperature.", "correct"),
        ("Iron", "Iron is not a noble gas.", "unverifiable"),
        ("Neon", "Neon is not a noble gas.", "incorrect"),
        ("Iron", "Iron is used in steel.", "unverifiable"),
        ("Iron", "The half-life of iron is 42.6 minutes.", "unverifiable"),
        ("Aluminium", "Aluminum is a metal in group 13.", "unverifiable"),
        ("Zinc", "Zinc is a transition metal.", "unverifiable"),
    ],
)
def test_sentences(subject, text, expected):
    assert labels(subject, text) == [expected]


@pytest.mark.parametrize("name", sorted(table.facts().entries))
def test_what_the_table_says_of_itself_is_right(name):
    entry = table.facts().entries[name]
    symbol = next(iter(entry.facts["symbol"]))
    number = int(entry.amounts["atomic number"].values[0])
    period = int(entry.amounts["period"].values[0])
    told = [
        f"The symbol of {name} is {symbol}.",
        f"{name} has atomic number {number}.",
        f"{name} is in period {period}.",
    ]
    assert [labels(name, text) for text in told] == [["correct"]] * 3


@pytest.mark.skipif(not CASES.is_file(), reason="hard cases are missing: ../shared/data/cases")
def test_hard_cases_have_no_wrong_verdict_and_most_are_decided():
    rows = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    found = [(row, labels(row["subject"], row["input"])) for row in rows]
    assert [row["id"] for row, got in found if got not in (row["expected"], ["unverifiable"])] == []
    assert sum(got == row["expected"] for row, got in found) >= 0.75 * len(rows)
