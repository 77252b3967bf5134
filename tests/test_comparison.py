"""Evaluation folders in, a paired comparison and its files out."""

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from evaluation_folders import build
from rlhalt.errors import InputError
from rlhalt.evaluation import compare, load, table, write
from rlhalt.evaluation.differences import contrasts
from rlhalt.evaluation.metrics import DEFINITIONS
from rlhalt.evaluation.significance import holm
from rlhalt.evaluation.tables import caption
from rlhalt.rewards import counted


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    folders = build(tmp_path_factory.mktemp("runs"), n_prompts=12, samples=1, thresholds=(0.5, 0.7))
    return [load(folder) for folder in folders]


@pytest.fixture(scope="module")
def comparison(evaluations):
    return compare(evaluations, resamples=200)


def without(evaluation, **changes):
    return dataclasses.replace(evaluation, **changes)


def relabelled(evaluation, label):
    """The same evaluation, every fragment with another label."""
    rows = [
        dataclasses.replace(row, fragments=[dataclasses.replace(f, label=label, error=None) for f in row.fragments])
        for row in evaluation.scored
    ]
    return without(evaluation, scored=rows)


def test_models_come_in_order_and_seeds_are_pooled(comparison):
    assert comparison.models == ["base", "SFT", "DPO τ=0.5", "DPO τ=0.7"]
    assert comparison.decodings == ["greedy", "sampled"]
    sft = comparison.get("SFT", "greedy")
    assert sft.seeds == (0, 1)
    # Prompts answered once a seed: the pooled count is the mean of the seeds'.
    assert sft["right"].value == pytest.approx(sum(one["right"] for one in sft.by_seed.values()) / 2)


def test_utilities_are_given_at_every_threshold_asked_for_or_trained_at(comparison):
    assert comparison.thresholds == (0.3, 0.5, 0.7, 0.8)
    assert set(comparison.get("base", "greedy").utility) == {0.3, 0.5, 0.7, 0.8}


def test_base_is_complete_and_abstains_from_nothing(comparison):
    base = comparison.get("base", "sampled")
    assert base["completeness"].value == 1
    assert base["over_abstention"].value is None
    assert base.n_over_abstention == 0


def test_over_abstention_is_about_greedy_endings_only(evaluations, comparison):
    said = [one for e in evaluations if e.name == "SFT" for one in e.continuation.values() if one.text and one.label]
    greedy = comparison.get("SFT", "greedy")
    assert greedy.n_over_abstention == len(said)
    assert greedy["over_abstention"].value == pytest.approx(sum(one.label == "correct" for one in said) / len(said))
    assert comparison.get("SFT", "sampled")["over_abstention"].value is None


def test_over_abstention_is_not_defined_without_continuations(evaluations):
    found = compare([without(one, continuation={}) for one in evaluations], resamples=10)
    assert found.get("SFT", "greedy")["over_abstention"].value is None


def test_differences_are_paired(comparison):
    pairs = [(one.model, one.versus) for one in comparison.differences if one.decoding == "greedy"]
    assert pairs == [
        ("SFT", "base"),
        ("DPO τ=0.5", "base"),
        ("DPO τ=0.7", "base"),
        ("DPO τ=0.5", "SFT"),
        ("DPO τ=0.7", "SFT"),
    ]
    dpo, base = comparison.get("DPO τ=0.7", "greedy"), comparison.get("base", "greedy")
    found = comparison.difference("DPO τ=0.7", "base", "greedy")
    assert found.correctness.value == pytest.approx(dpo["correctness"].value - base["correctness"].value)
    assert found.utility[0.7].value == pytest.approx(dpo.utility[0.7].value - base.utility[0.7].value)


def test_every_difference_is_tested_over_prompts_and_corrected_for_all_that_are_shown(evaluations, comparison):
    ps = [test.p for one in comparison.differences for test in one.tests.values()]
    corrected = [test.p_holm for one in comparison.differences for test in one.tests.values()]
    assert corrected == holm(ps)
    assert len(ps) == 2 * 5 * 6
    found = comparison.difference("DPO τ=0.5", "base", "greedy")
    assert found.tests.keys() == {"correctness", "completeness", *(f"utility@{t:g}" for t in comparison.thresholds)}
    dpo, base = ([one for one in evaluations if one.label == label] for label in ("DPO τ=0.5", "base"))
    gains = []
    for key in dict.fromkeys(row.prompt_key for row in base[0].rows("greedy")):
        right = [
            np.mean([
                sum(label == "correct" for label in counted(row.fragments, one.halting))
                for one in group for row in one.rows("greedy") if row.prompt_key == key
            ])
            for group in (dpo, base)
        ]  # fmt: skip
        gains.append(right[0] - right[1])
    assert found.tests["completeness"].p == pytest.approx(
        stats.wilcoxon(gains, method=stats.PermutationMethod()).pvalue
    )
    assert found.tests["utility@0.5"].n_prompts == 12
    assert found.tests["utility@0.5"].detectable > 0


def test_a_model_does_not_differ_from_its_copy(evaluations):
    base = evaluations[0]
    found = compare([base, without(base, name="SFT")], resamples=50).difference("SFT", "base", "greedy")
    assert (found.correctness.value, found.correctness.low, found.correctness.high) == (0, 0, 0)
    assert found.utility[0.5].includes_zero
    assert {(test.p, test.p_holm, test.detectable) for test in found.tests.values()} == {(1, 1, 0)}


def test_the_result_does_not_depend_on_the_order_of_the_folders(evaluations, comparison):
    assert compare(evaluations[::-1], resamples=200).get("SFT", "greedy").by_seed == (
        comparison.get("SFT", "greedy").by_seed
    )


def test_calibration_is_over_the_decided_fragments_of_all_responses(evaluations, comparison):
    sft = [one for one in evaluations if one.name == "SFT"]
    decided = [f for one in sft for row in one.scored for f in row.fragments if f.label in ("correct", "incorrect")]
    found = [one for one in comparison.calibrations if one.model == "SFT"]
    assert [one.confidence for one in found] == ["token_probability", "1 - halt_probability"]
    assert {one.n for one in found} == {len(decided)}
    assert sum(b.n for b in found[0].bins) == len(decided)


def test_base_is_recalibrated_and_cut_at_every_threshold(comparison):
    assert [(one.model, one.confidence) for one in comparison.recalibrations] == [
        ("base", f"{confidence}, {method}")
        for confidence in ("token_probability", "1 - halt_probability")
        for method in ("temperature", "Platt", "isotonic")
    ]
    assert {one.n for one in comparison.recalibrations} == {
        one.n for one in comparison.calibrations if one.model == "base"
    }
    assert len(comparison.baselines) == 2 * 3 * 2 * 4
    for one in comparison.baselines:
        base, dpo = (comparison.get(model, one.decoding) for model in ("base", "DPO τ=0.5"))
        assert one.gains.keys() == set(comparison.models) - {"base"}
        earned = one.utility.value + one.gains["DPO τ=0.5"].value
        assert earned == pytest.approx(dpo.utility[one.threshold].value)
        assert one.completeness.value <= base["completeness"].value == 1


def test_there_must_be_a_base(evaluations):
    with pytest.raises(InputError, match="one evaluation must be called base, found SFT"):
        compare([one for one in evaluations if one.name == "SFT"])
    with pytest.raises(InputError, match="must be called base, found no evaluation at all"):
        compare([])


def test_the_same_model_and_seed_twice_is_refused(evaluations):
    with pytest.raises(InputError, match="a second evaluation of SFT, seed 0"):
        compare([*evaluations, evaluations[1]])


def test_other_prompts_are_refused_saying_which(evaluations):
    base, sft = evaluations[:2]
    key = sft.scored[0].prompt_key
    shorter = without(sft, scored=[row for row in sft.scored if row.prompt_key != key])
    with pytest.raises(InputError, match=rf"1 missing \({key}\), 0 more \(none\)"):
        compare([base, shorter])


def test_a_model_that_was_not_sampled_is_refused_where_base_was(evaluations):
    base, sft = evaluations[:2]
    with pytest.raises(InputError, match="its sampled responses do not answer the same prompts"):
        compare([base, without(sft, scored=sft.rows("greedy"))])


@pytest.mark.parametrize("label", ["halt", "unverifiable", "correct", "incorrect"])
def test_every_degenerate_model_gives_a_comparison_and_files(evaluations, tmp_path, label):
    base, sft = evaluations[:2]
    found = compare([base, relabelled(sft, label)], resamples=20)
    write(found, tmp_path)
    entry = next(one for one in json.loads((tmp_path / "metrics.json").read_text()) if one["model"] == "SFT")
    assert (entry["correctness"]["value"] is None) == (label in ("halt", "unverifiable"))
    assert entry["utility"]["0.5"]["value"] is not None


def test_confidences_that_are_no_numbers_give_a_comparison_and_files(evaluations, tmp_path):
    def unknown(one):
        nothing = [math.nan] * len(one.token_probability)
        return dataclasses.replace(one, token_probability=nothing, halt_probability=nothing)

    both = [without(e, confidence={key: unknown(one) for key, one in e.confidence.items()}) for e in evaluations[:2]]
    found = compare(both, resamples=20)
    write(found, tmp_path)
    assert {one.n for one in found.calibrations + found.recalibrations} == {0}
    assert {one.accuracy for one in found.calibrations + found.recalibrations} == {None}
    # What has no confidence is left out, and saying nothing is worth 0.
    assert {one.utility.value for one in found.baselines} == {0}
    assert {one.correctness.value for one in found.baselines} == {None}


def test_seeds_are_told_and_so_is_that_they_are_few(evaluations):
    assert caption(compare(evaluations, resamples=2)).endswith("; seeds: base 1, SFT 2, DPO 2 (fewer than 3)")
    again = [without(one, seed=2) for one in evaluations if one.seed == 1]
    assert caption(compare([*evaluations, *again], resamples=2)).endswith("; seeds: base 1, SFT 3, DPO 3")


def test_one_prompt_has_values_but_no_intervals(evaluations):
    key = evaluations[0].scored[0].prompt_key
    one_prompt = [without(e, scored=[row for row in e.scored if row.prompt_key == key]) for e in evaluations[:2]]
    found = compare(one_prompt).get("base", "greedy")
    assert found["right"].value is not None
    assert found["right"].low is None


def test_greedy_alone_is_a_comparison(evaluations):
    found = compare([without(e, scored=e.rows("greedy")) for e in evaluations[:2]], resamples=10)
    assert found.decodings == ["greedy"]
    assert table(found).row_count


def test_files(comparison, tmp_path):
    write(comparison, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert [(one["model"], one["decoding"]) for one in metrics][:2] == [("base", "greedy"), ("SFT", "greedy")]
    assert len(metrics) == 8
    for entry in metrics:
        assert DEFINITIONS.keys() <= entry.keys()
        assert all(set(entry[name]) == {"value", "low", "high"} for name in DEFINITIONS)
        assert set(entry["utility"]) == {"0.3", "0.5", "0.7", "0.8"}
        assert (entry["domain"], entry["n_prompts"]) == ("countries", 12)
    rest = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert rest["differences"][0]["includes_zero"].keys() >= {"correctness", "completeness", "utility@0.5"}
    assert set(rest["differences"][0]["tests"]["utility@0.5"]) == {"n_prompts", "p", "p_holm", "detectable"}
    assert len(rest["calibration"]) == 8
    with (tmp_path / "out" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        long = list(csv.DictReader(file))
    told = [one for one in long if (one["model"], one["decoding"]) == ("base", "greedy")]
    pooled, own = ({one["measure"]: one for one in told if one["seed"] == seed} for seed in ("all", "0"))
    for name, expected in (("right", metrics[0]["right"]), ("utility@0.7", metrics[0]["utility"]["0.7"])):
        found = [float(pooled[name][end]) for end in ("value", "low", "high")]
        assert found == pytest.approx([expected[end] for end in ("value", "low", "high")])
        assert float(own[name]["value"]) == pytest.approx(expected["value"])
    assert {one["seed"] for one in long if one["model"] == "base"} == {"all", "0"}
    assert all(not one["low"] for one in long if one["seed"] != "all")
    assert {one["threshold"] for one in long if one["name"] == "DPO"} == {"0.5", "0.7"}
    lines = (tmp_path / "out" / "table.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("| correctness, % |") for line in lines)
    assert sum(line.startswith("| DPO τ=0.7 | SFT |") for line in lines) == 2
    assert sum(line.startswith("| token probability, isotonic |") for line in lines) == 2
    blocks = "\n".join(lines).split("\n\n")
    for table_ in (block.splitlines() for block in blocks if block.startswith("|")):
        assert len({line.count("|") for line in table_}) == 1


def test_the_table_fits_into_a_hundred_columns(comparison):
    console = Console(width=100, file=io.StringIO())
    console.print(table(comparison))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in console.file.getvalue()
    assert any("utility at τ = 0.8" in line for line in lines)


def test_many_models_stand_below_each_other(evaluations, tmp_path):
    dpo = next(one for one in evaluations if one.name == "DPO")
    more = [without(dpo, name=f"method number {n}", threshold=None) for n in range(7)]
    found = compare([*evaluations, *more], resamples=10)
    console = Console(width=100, file=io.StringIO())
    console.print(table(found))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in console.file.getvalue()
    assert sum(line.strip().startswith("method number 6 ") for line in lines) == 2
    write(found, tmp_path)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| greedy | right facts | wrong facts | correctness, % |" in text


def test_a_folder_without_run_json_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"run\.json: expected an evaluation folder with a run\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("run.json", lambda text: text.replace('"seed"', '"sead"'), "field 'seed': expected the field 'seed'"),
        ("run.json", lambda text: text.replace('"name": "base"', '"name": 3'), "field 'name': expected text, found 3"),
        ("run.json", lambda text: text[:-1], "expected JSON"),
        ("scored.jsonl", lambda text: "", "expected scored responses, found none"),
        (
            "scored.jsonl",
            lambda text: text.replace('"temperature"', '"heat"'),
            "field 'sampler': expected a temperature",
        ),
        ("confidence.jsonl", lambda text: "".join(text.splitlines(True)[1:]), "no confidence for response"),
        (
            "confidence.jsonl",
            lambda text: text.replace('_probability":[', '_probability":[0.5,', 1),
            "found 6 token and 5",
        ),
    ],
)
def test_a_broken_folder_is_refused_by_name(tmp_path, file, change, message):
    folder = build(tmp_path, n_prompts=2, samples=0, seeds=())[0]
    path = folder / file
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load(folder)


def test_models_of_one_threshold_are_held_against_each_other():
    trained_at = {"base": None, "SFT": None, "UNIT": None, "DPO τ=0.5": 0.5, "DPO τ=0.8": 0.8, "GRPO τ=0.5": 0.5}
    found = contrasts(trained_at)
    assert [one for one in found if one[1] not in ("base", "SFT")] == [("GRPO τ=0.5", "DPO τ=0.5")]
    assert [one for one, versus in found if versus == "base"] == ["SFT", "UNIT", "DPO τ=0.5", "DPO τ=0.8", "GRPO τ=0.5"]
    assert [one for one, versus in found if versus == "SFT"] == ["UNIT", "DPO τ=0.5", "DPO τ=0.8", "GRPO τ=0.5"]
