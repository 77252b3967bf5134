"""Right and wrong facts by relation, as real verifiers of tables tell it."""

from __future__ import annotations

import dataclasses

import pytest

from rlhalt.domains import load_domain
from rlhalt.evaluation import compare
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.relations import relation
from rlhalt.evaluation.tables import markdown
from rlhalt.records import Confidence, Scored
from rlhalt.report.page import render


@pytest.mark.parametrize(
    ("domain", "subject", "text", "told"),
    [
        ("countries", "Kenya", "Kenya is in East Africa.", "region"),
        ("countries", "Kenya", "Its capital is Mombasa.", "capital"),
        ("countries", "Kenya", "The capital of Kenya is not Nairobi.", "capital"),
        ("countries", "Kenya", "Kenya borders Uganda and Ethiopia.", "neighbour"),
        ("countries", "Kenya", "Kenya is lovely.", None),
        ("countries", "Kenya", "Oslo is the capital of Norway.", None),
        ("elements", "Iron", "Its symbol is Fe.", "symbol"),
        ("elements", "Iron", "Its atomic number is 27.", "atomic number"),
    ],
)
def test_verdicts_of_tables_tell_the_relation(domain, subject, text, told):
    found = load_domain(domain).scorer().judge(text, {"subject": subject})
    assert [relation(one) for one in found] == [told]


def test_other_verdicts_tell_none(scored_row):
    judged = scored_row(["The sum: 3."], "+").fragments[0]
    assert relation(judged) is None
    assert relation(dataclasses.replace(judged, verifier="maths/3", evidence="sum: 3")) is None


def evaluation(tmp_path, name, role, answers):
    scorer = load_domain("countries").scorer()
    rows = []
    for n, text in enumerate(answers):
        reference = {"subject": "Kenya", "n_asked": 2}
        prompt = [{"role": "user", "content": f"State two facts about Kenya, {n}."}]
        fragments = scorer.judge(text, reference)
        rows.append(
            Scored(
                key=f"{n}",
                prompt_key=f"{n}",
                index=0,
                prompt=prompt,
                response=text,
                reference=reference,
                domain="countries",
                split="heldout",
                n_tokens=9,
                finish_reason="stop",
                sampler={"temperature": 0.0},
                fragments=fragments,
            )
        )
    sure = {row.key: Confidence(row.key, [0.5] * len(row.fragments), [0.5] * len(row.fragments)) for row in rows}
    return Evaluation(
        folder=tmp_path / name, name=name, role=role, role_told=True, threshold=None, seed=0, model=name,
        identity=name, started_from=(), decoded=False, few_shot=role == "base", halting="independent", fragmenter=None,
        budget=None, seconds=1.0, scored=rows, confidence=sure, continuation={}, certainty={}, general=None,
    )  # fmt: skip


def test_facts_are_counted_by_relation_as_they_count(tmp_path):
    """Beyond the two facts that were asked for a right one is none, and a wrong one is wrong."""
    region, capital, wrong = "Kenya is in East Africa.", "Its capital is Nairobi.", "Its capital is Mombasa."
    base = evaluation(tmp_path, "base", "base", [f"{region} {wrong}", region])
    more = "Kenya borders Uganda. Kenya borders Norway."
    own = evaluation(tmp_path, "M", "trained", [f"{region} {capital} {more}", f"{region} {capital} {more}"])
    both = [base, own]
    found = compare(both, resamples=10)
    counts = {
        (one.model, one.relation): (one.right.value, one.wrong.value)
        for one in found.relations
        if one.decoding == "greedy"
    }
    assert counts == {
        ("base", "region"): (1, 0),
        ("base", "capital"): (0, 0.5),
        ("M", "region"): (1, 0),
        ("M", "capital"): (1, 0),
        ("M", "neighbour"): (0, 1),
    }
    assert "| capital | 0.00 / 0.50 | 1.00 / 0.00 |" in markdown(found)
    assert 'id="relations"' in render(found, both)
    causal = [dataclasses.replace(one, halting="causal") for one in both]
    assert compare(causal, resamples=10).relations == []
