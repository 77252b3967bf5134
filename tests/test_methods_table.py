"""benchmarks/methods_table.py: the table of methods from what is counted of each model and seed."""

from __future__ import annotations

import dataclasses
import json

import pytest
from benchmarks.methods_table import (
    differences,
    doubted,
    evaluated,
    findings,
    grouped,
    kept,
    markdown,
    outside,
    utility,
)

from evaluation_folders import build
from rlhalt.errors import InputError
from rlhalt.evaluation import compare, load
from rlhalt.evaluation.general import General, Window
from rlhalt.files.provenance import Run
from rlhalt.fragments.reflection import reflection

PROMPTS = ["Andorra", "Benin", "Chad"]


def row(model: str, seed: int, right: list[int], wrong: list[int], cut: list[int] | None = None) -> dict:
    """What is counted of one model; + cut nothing wrong is left, and `cut` right facts a prompt."""
    none = [0] * len(PROMPTS)
    its = {"correct": cut, "incorrect": none, "unfinished": none}
    counted = {"correct": right, "incorrect": wrong, "unfinished": none, "unverifiable": none, "tokens": none}
    at = {f"{t:g}": its for t in (0.3, 0.5, 0.8, 0.95)}
    named = {
        "model": model,
        "role": "trained",
        "seed": seed,
        "seconds": 120.0,
        "ece": 0.1,
        "prompts": "three countries",
    }
    return {**named, **counted, "cut": at if cut else {}}


def test_the_table_of_two_seeds_is_the_mean_of_both():
    base = row("base", 0, [2, 2, 2], [2, 2, 2], [1, 1, 1])
    sft = [row("SFT", seed, [3, 3, 3], [1, 1, 1], [2, 2, 2]) for seed in (0, 1)]
    unit = [row("unit", 0, [4, 4, 4], [0, 0, 0], [4, 4, 4]), row("unit", 1, [2, 2, 2], [2, 2, 2], [2, 2, 2])]
    # At ½: 4 · 0.5 in one seed, 2 · 0.5 − 2 · 0.5 in the other.
    assert utility(unit, 0.5, cut=False)[0] == 1.0
    assert utility(unit, 0.5, cut=True)[0] == 1.5
    head, line, *rows = [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in markdown([unit[1], base, *sft, unit[0]]).splitlines()
    ]
    assert head[:4] == ["model", "seeds", "correct", "kept"]
    assert line[1:] == ["--:"] * (len(head) - 1)
    assert [its[0] for its in rows] == ["base", "unit", "SFT"]
    of = {its[0]: dict(zip(head, its, strict=True)) for its in rows}
    assert of["unit"]["correct"].startswith("75 %")
    assert of["unit"]["kept"].startswith("150 %")
    assert of["unit"]["utility at 0.5, + cut"] == "1.00, 1.50"
    assert of["unit"]["less SFT at 0.5"].startswith("0.00 (")
    assert of["SFT"]["less SFT at 0.5"] == ""
    assert of["base"]["minutes"] == "2.0"


def test_a_model_without_a_cut_and_with_fewer_seeds_has_its_row():
    base, sft = row("base", 0, [1, 1, 1], [0, 0, 0]), [row("SFT", seed, [1, 2, 3], [0, 1, 0]) for seed in (0, 1)]
    table = markdown([base, *sft, row("mute", 1, [0, 0, 0], [0, 0, 0])])
    mute = next(text for text in table.splitlines() if text.startswith("| mute"))
    assert "| 0.00, – |" in mute
    # Less SFT of seed 1 alone: 0 − (½ · 6 − ½ · 1) / 3.
    assert "−0.83" in mute


def test_what_was_not_trained_is_compared_with_every_seed():
    base, sft = row("base", 0, [1, 1, 1], [0, 0, 0]), [row("SFT", seed, [1, 2, 3], [0, 1, 0]) for seed in (1, 2)]
    dola = row("base dola", 0, [2, 2, 2], [0, 0, 0]) | {"seconds": None}
    found = differences(grouped([base, *sft, dola]))
    # ½ · 2 − (½ · 6 − ½ · 1) / 3.
    assert found["base dola", False].gain.value == pytest.approx(1 / 6)
    trained = differences(grouped([base, *sft, dola | {"seconds": 9.0}]))
    assert trained["base dola", False].gain.value is None


def test_what_is_shown_is_tested_and_corrected():
    def of(model: str, right: int) -> dict:
        both = [right + n % 2 for n in range(30)]
        none = [0] * 30
        its = {"correct": both, "incorrect": none, "unfinished": none}
        rest = {"unverifiable": none, "tokens": none, "seconds": 60.0, "ece": 0.1, "role": "trained", "seed": 0}
        rest["role"] = "base" if model == "base" else "trained"
        return {
            "model": model,
            **its,
            **rest,
            "prompts": "thirty",
            "cut": {f"{t:g}": its for t in (0.3, 0.5, 0.8, 0.95)},
        }

    found = grouped([of("base", 1), of("SFT", 2), of("reference", 2), of("better", 3), of("worse", 1)])
    less = differences(found)
    assert list(less) == [
        ("SFT", True), ("reference", False), ("better", False), ("better", True), ("worse", False), ("worse", True)
    ]  # fmt: skip
    assert less["better", False].is_shown
    assert less["better", False].gain.value == 0.5
    # Six differences are tested; of 30 prompts that differ alike p is 2 / 2 ** 30.
    assert less["better", False].p == 6 * 2 / 2**30
    assert not less["SFT", True].is_shown
    assert findings(found) == [
        "better: it earns more than SFT: 0.50 (0.50 to 0.50); + cut it earns more than reference + cut: 0.50 (0.50 to "
        "0.50).",
        "SFT: + cut no difference from reference + cut is shown: 0.00 (0.00 to 0.00).",
        "reference: no difference from SFT is shown: 0.00 (0.00 to 0.00).",
        "worse: it earns less than SFT: −0.50 (−0.50 to −0.50); + cut it earns less than reference + cut: −0.50 (−0.50 "
        "to −0.50).",
    ]


def test_what_a_model_does_elsewhere_is_kept_in_two_numbers():
    measured = General("text", "instructions", [Window(10.0, 3, 8), Window(6.0, 2, 8)], [True, False, False, True])
    assert outside(measured) == {"bits": 1.0, "followed": 0.5}
    assert outside(General(None, "instructions", [], [True])) == {"bits": None, "followed": 1.0}
    assert outside(None) == {}
    base, sft = row("base", 0, [1, 1, 1], [0, 0, 0]), row("SFT", 0, [1, 1, 1], [0, 0, 0]) | outside(measured)
    head, _, first, second = [
        [cell.strip() for cell in text.strip("|").split("|")] for text in markdown([base, sft]).splitlines()
    ]
    assert dict(zip(head, second, strict=True))["followed"] == "50 %"
    assert "MC1" not in head
    assert dict(zip(head, first, strict=True))["bits"] == "–"


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"prompts": "others"}, "the same held-out prompts, found those of 2 sets"), ({}, "several of SFT, seed 0")],
)
def test_rows_that_cannot_be_paired_are_refused(changed, told):
    base, sft = (row(name, 0, [1, 1, 1], [0, 0, 0]) for name in ("base", "SFT"))
    with pytest.raises(InputError, match=told):
        markdown([base, sft, sft | changed])


def test_what_is_kept_of_a_run_is_what_its_comparison_says(tmp_path):
    folders = build(tmp_path / "evaluation", n_prompts=12, samples=0, seeds=(0, 1), thresholds=(0.5,))
    unfinished = tmp_path / "evaluation" / "unfinished"
    unfinished.mkdir()
    (unfinished / "greedy.jsonl").touch()
    assert evaluated(tmp_path) == sorted(folders)
    found = compare([load(one) for one in evaluated(tmp_path)], (0.3, 0.5, 0.8, 0.95))
    (tmp_path / "choices" / folders[-1].name).mkdir(parents=True)
    with Run("choose", tmp_path / "choices" / folders[-1].name, inputs=[], config={}):
        estimates = {"mc1": {"value": 0.25}, "mc2": {"value": 0.41}}
        (tmp_path / "choices" / folders[-1].name / "choices.json").write_text(json.dumps({"estimates": estimates}))
    rows = [json.loads(json.dumps(row)) for row in kept(found)]
    assert [(row["mc1"], row["mc2"]) for row in rows if "mc1" in row] == [(0.25, 0.41)]
    assert [(row["model"], row["seed"]) for row in rows if row["model"] == "SFT"] == [("SFT", 0), ("SFT", 1)]
    sft = [row for row in rows if row["model"] == "SFT"]
    assert utility(sft, 0.5, cut=False)[0] == found.get("SFT", "greedy").utility[0.5].value
    assert utility(sft, 0.8, cut=True)[0] == found.get("SFT", "greedy").utility_cut[0.8].value
    assert "| DPO τ=0.5 | 2 |" in markdown(rows)


def test_what_a_response_calls_doubtful_can_be_left_out(scored_row):
    said = ["A is in Asia.", "I am sure.", "Its capital is B.", "I am unsure.", "Its currency is C."]
    assert doubted(scored_row(said, "+?-?+")) == {2}
    unit = scored_row(["A is in Asia.", "Its capital is B."], "+-")
    listed = dataclasses.replace(unit, response=unit.response + "".join(reflection(["Its capital is B."])))
    assert doubted(listed) == {1}
    assert doubted(unit) == set()
    base = row("base", 0, [1, 1, 1], [1, 1, 1])
    counts = {"correct": [1, 1, 1], "incorrect": [0, 0, 0], "unfinished": [0, 0, 0]}
    table = markdown(
        [base, row("SFT", 0, [1, 1, 1], [0, 0, 1]), row("unit", 0, [1, 1, 1], [1, 1, 1]) | {"undoubted": counts}]
    )
    head, _, *rows = [[cell.strip() for cell in text.strip("|").split("|")] for text in table.splitlines()]
    cell = head.index("at 0.5 without what it doubts")
    assert {its[0]: its[cell] for its in rows} == {"base": "–", "SFT": "–", "unit": "0.50"}
