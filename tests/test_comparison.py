"""Evaluation folders in, a paired comparison and its files out."""

import csv
import dataclasses
import io
import json
import math
import random
import shutil

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from evaluation_folders import build
from rlhalt.errors import InputError
from rlhalt.evaluation import compare, load, table, write
from rlhalt.evaluation.arms import BY_THRESHOLD
from rlhalt.evaluation.design import Model, contrasts
from rlhalt.evaluation.metrics import DEFINITIONS
from rlhalt.evaluation.significance import holm
from rlhalt.evaluation.tables import caption
from rlhalt.report.summary import sentences
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
    assert pairs[5:] == [(f"{model} + cut", "base + cut") for model in comparison.models[1:]]
    assert pairs[:5] == [
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


def test_what_was_planned_is_tested_over_prompts_and_corrected_for_these_tests_alone(evaluations, comparison):
    """Three models less base, two less the SFT they started from, three + cut less base + cut; greedy alone."""
    tested = {
        (one.model, one.versus, name): test
        for one in comparison.differences
        for name, test in one.tests.items()
        if test.p is not None
    }
    assert tested.keys() == {
        ("SFT", "base", "correctness"), ("SFT", "base", "utility@0.5"),
        ("DPO τ=0.5", "base", "correctness"), ("DPO τ=0.5", "base", "utility@0.5"),
        ("DPO τ=0.7", "base", "correctness"), ("DPO τ=0.7", "base", "utility@0.7"),
        ("DPO τ=0.5", "SFT", "utility@0.5"), ("DPO τ=0.7", "SFT", "utility@0.7"),
        ("SFT + cut", "base + cut", "utility@0.5"),
        ("DPO τ=0.5 + cut", "base + cut", "utility@0.5"), ("DPO τ=0.7 + cut", "base + cut", "utility@0.7"),
    }  # fmt: skip
    assert [test.p_holm for test in tested.values()] == holm([test.p for test in tested.values()])
    assert not any(
        test.planned for one in comparison.differences if one.decoding == "sampled" for test in one.tests.values()
    )
    known = {(*key, "greedy") for key in tested}
    assert known == {
        (one.model, one.versus, name, one.decoding)
        for one in comparison.differences
        for name, test in one.tests.items()
        if test.planned
    }
    found = comparison.difference("DPO τ=0.5", "base", "greedy")
    assert found.tests.keys() == {"correctness", "completeness", *(f"utility@{t:g}" for t in comparison.thresholds)}
    dpo, base = ([one for one in evaluations if one.label == label] for label in ("DPO τ=0.5", "base"))
    gains = []
    for key in dict.fromkeys(row.prompt_key for row in base[0].rows("greedy")):
        right = [
            np.mean([
                sum({"correct": 0.5, "incorrect": -0.5}.get(label, 0) for label in counted(row.fragments, one.halting))
                for one in group for row in one.rows("greedy") if row.prompt_key == key
            ])
            for group in (dpo, base)
        ]  # fmt: skip
        gains.append(right[0] - right[1])
    assert found.tests["utility@0.5"].p == pytest.approx(stats.wilcoxon(gains, method=stats.PermutationMethod()).pvalue)
    assert found.tests["utility@0.5"].n_prompts == 12
    assert found.tests["utility@0.5"].detectable > 0


def test_a_model_does_not_differ_from_its_copy(evaluations):
    base = evaluations[0]
    found = compare([base, without(base, name="SFT", role="supervised")], resamples=50).difference(
        "SFT", "base", "greedy"
    )
    assert (found.correctness.value, found.correctness.low, found.correctness.high) == (0, 0, 0)
    assert found.utility[0.5].includes_zero
    assert {(test.p, test.p_holm, test.detectable) for test in found.tests.values() if test.planned} == {(1, 1, 0)}
    assert not any(test.shows(found.estimates[name]) for name, test in found.tests.items())


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


def test_every_model_is_cut_at_every_threshold(comparison):
    assert len(comparison.cuts) == 4 * 2 * 4
    for one in comparison.cuts:
        model = comparison.get(one.model, one.decoding)
        assert model.utility_cut[one.threshold] == one.utility
        assert one.gain.value == pytest.approx(one.utility.value - model.utility[one.threshold].value)
        assert (one.right.value, one.wrong.value) <= (model["right"].value, model["wrong"].value)
        others = [
            other for other in comparison.cuts
            if (other.decoding, other.threshold) == (one.decoding, one.threshold) and other.model != one.model
        ]  # fmt: skip
        best = max(others, key=lambda other: other.utility.value)
        assert one.best_other == best.model
        assert one.beyond_best.value == pytest.approx(one.utility.value - best.utility.value)
    base, dpo = (comparison.cut(label, "greedy", 0.5) for label in ("base", "DPO τ=0.5"))
    difference = comparison.difference("DPO τ=0.5 + cut", "base + cut", "greedy")
    assert difference.utility[0.5].value == pytest.approx(dpo.utility.value - base.utility.value)
    assert difference.correctness.value is None
    less = comparison.less_base_cut("DPO τ=0.5", "greedy", 0.5)
    assert less.value == pytest.approx(comparison.get("DPO τ=0.5", "greedy").utility[0.5].value - base.utility.value)


def test_the_curve_of_a_model_and_its_cut_passes_through_what_is_in_the_table(comparison):
    for one in comparison.metrics:
        shared = [t for t in one.utility_cut if t in one.cut_curve]
        assert shared
        for t in shared:
            assert one.cut_curve[t] == pytest.approx(one.utility_cut[t].value)
        # At low τ nearly all is said and right facts count alone; at high τ there is little to earn.
        assert one["right"].value >= one.cut_curve[0.02] > one.cut_curve[0.98]


def test_shares_are_of_the_best_decisions_of_base_and_of_the_models_own(comparison):
    for one in comparison.metrics:
        base = comparison.get("base", one.decoding)
        for t, earned in one.utility.items():
            for share, best in ((one.share, base.utility_cut), (one.share_own, one.utility_cut)):
                if best[t].value > 0:
                    assert share[t].value == pytest.approx(earned.value / best[t].value)
                else:
                    assert share[t].value is None


def test_the_calibrated_probabilities_have_a_calibration_of_their_own(comparison):
    assert [(one.model, one.confidence) for one in comparison.recalibrations] == [
        (model, "token_probability, Platt") for model in comparison.models
    ]
    before = {one.model: one for one in comparison.calibrations if one.confidence == "token_probability"}
    assert [one.n for one in comparison.recalibrations] == [before[one.model].n for one in comparison.recalibrations]


def test_the_halves_and_the_maps_of_every_cut_are_named(comparison, tmp_path):
    write(comparison, tmp_path)
    rest = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    halves = rest["design"]["halves"]
    assert sorted(halves["first"] + halves["second"]) == sorted(comparison.design.every_prompt)
    assert len(halves["first"]) == len(halves["second"]) == 6
    # Every model, seed, decoding and half.
    assert len(rest["calibrators"]) == (1 + 3 * 2) * 2 * 2
    assert set(rest["calibrators"][0]) == {"model", "decoding", "seed", "fitted_on", "a", "b", "n"}
    assert rest["design"]["models"][2]["started_from"] == ["SFT"]


def test_there_must_be_a_base(evaluations):
    with pytest.raises(InputError, match="expected one model with the role base, found SFT"):
        compare([one for one in evaluations if one.name == "SFT"])
    with pytest.raises(InputError, match="the role base, found no evaluation at all"):
        compare([])
    with pytest.raises(InputError, match="the role base, found SFT, base"):
        compare([evaluations[0], without(evaluations[1], role="base")])


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
    assert found.cuts == found.calibrators == []
    assert {one.no_cut for one in found.metrics} == {"no token probabilities, seed 0"}
    assert "None of base: no token probabilities, seed 0." in (tmp_path / "table.md").read_text(encoding="utf-8")


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
        for name in BY_THRESHOLD:
            assert set(entry[name]) == {"0.3", "0.5", "0.7", "0.8"}
        assert (entry["domain"], entry["n_prompts"]) == ("countries", 12)
    rest = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert rest["differences"][0]["includes_zero"].keys() >= {"correctness", "completeness", "utility@0.5"}
    assert set(rest["differences"][0]["tests"]["utility@0.5"]) == {"n_prompts", "planned", "p", "p_holm", "detectable"}
    assert len(rest["calibration"]) == 8
    with (tmp_path / "out" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        long = list(csv.DictReader(file))
    told = [one for one in long if (one["model"], one["decoding"]) == ("base", "greedy")]
    pooled, own = ({one["measure"]: one for one in told if one["seed"] == seed} for seed in ("all", "0"))
    shown = [("right", metrics[0]["right"])]
    shown += [(f"{name}@0.7", metrics[0][name]["0.7"]) for name in ("utility", "utility_cut", "utility_strict")]
    for name, expected in shown:
        found = [float(pooled[name][end]) for end in ("value", "low", "high")]
        assert found == pytest.approx([expected[end] for end in ("value", "low", "high")])
        assert float(own[name]["value"]) == pytest.approx(expected["value"])
    assert {one["seed"] for one in long if one["model"] == "base"} == {"all", "0"}
    assert all(not one["low"] for one in long if one["seed"] != "all")
    assert {one["threshold"] for one in long if one["name"] == "DPO"} == {"0.5", "0.7"}
    lines = (tmp_path / "out" / "table.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("| correctness, % |") for line in lines)
    assert sum(line.startswith("| DPO τ=0.7 | SFT |") for line in lines) == 2
    assert sum(line.startswith("|   + cut |") for line in lines) == 2 * 4
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


def model(label, role, *ancestors):
    name, _, threshold = label.partition(" τ=")
    return Model(label, name, role, float(threshold) if threshold else None, (), ancestors)


def test_models_are_compared_with_base_with_what_they_started_from_and_with_those_of_their_threshold():
    models = [
        model("B", "base"),
        model("S", "supervised"),
        model("UNIT", "supervised"),
        model("D τ=0.5", "trained", "S"),
        model("D τ=0.8", "trained", "S"),
        model("G τ=0.5", "trained", "D τ=0.5", "S"),
        model("own τ=0.5", "trained"),
    ]
    found = contrasts(models)
    tested = {(one.model, one.versus): one.tested for one in found if one.tested}
    assert tested == {
        **{(one.label, "B"): ("correctness", "utility") for one in models[1:]},
        ("D τ=0.5", "S"): ("utility",),
        ("D τ=0.8", "S"): ("utility",),
        ("G τ=0.5", "S"): ("utility",),
        ("G τ=0.5", "D τ=0.5"): ("utility",),
    }
    assert [(one.model, one.versus) for one in found if not one.tested] == [
        ("UNIT", "S"), ("own τ=0.5", "S"), ("own τ=0.5", "D τ=0.5"), ("own τ=0.5", "G τ=0.5"),
    ]  # fmt: skip


def test_no_name_decides_what_a_model_is(evaluations, comparison):
    """The same folders under other names give the same numbers."""
    names = {"base": "plain", "SFT": "second", "DPO": "third"}
    found = compare([without(one, name=names[one.name]) for one in evaluations], resamples=200)
    assert found.models == ["plain", "second", "third τ=0.5", "third τ=0.7"]
    assert [one.estimates for one in found.differences] == [one.estimates for one in comparison.differences]
    assert [one.tests for one in found.differences] == [one.tests for one in comparison.differences]
    assert found.design.notes == ()


def test_folders_from_before_roles_are_read_by_their_names_and_this_is_said(tmp_path):
    folders = build(tmp_path, n_prompts=6, samples=0, seeds=(0,), thresholds=(0.5,))
    for folder in folders:
        run = json.loads((folder / "run.json").read_text())
        for name in ("role", "started_from"):
            run.pop(name, None)
        (folder / "run.json").write_text(json.dumps(run))
    found = compare([load(folder) for folder in folders], resamples=10)
    assert [one.role for one in found.metrics] == ["base", "supervised", "trained"]
    assert found.design.notes[0].startswith("The roles of base, SFT, DPO τ=0.5 are inferred from their names")
    assert "SFT, the only supervised model, is taken for it" in found.design.notes[1]
    assert found.difference("DPO τ=0.5", "SFT", "greedy").planned


def test_what_started_from_a_model_of_every_threshold_is_compared_with_it_at_its_own(tmp_path):
    """One model told τ is evaluated at each τ; each with all would be many comparisons that nobody asks for."""

    def told(folder, name, model, **keys):
        path = shutil.copytree(folder, tmp_path / f"{name}-{folder.name}") / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name, "config": {"model": model}} | keys))
        return path.parent

    base, _, *trained = build(tmp_path / "evaluation", n_prompts=6, samples=0, seeds=(0,), thresholds=(0.3, 0.5))
    every = [told(one, "distilled", "distilled@1", started_from=[]) for one in trained]
    online = [told(one, "online", "online@1", started_from=["distilled@1"]) for one in trained]
    other = told(trained[1], "other", "other@1", started_from=["distilled@1"], threshold=0.8)
    found = compare([load(folder) for folder in (base, *every, *online, other)], resamples=5).design
    assert {one.label: one.ancestors for one in found.models if one.ancestors} == {
        "online τ=0.3": ("distilled τ=0.3",),
        "online τ=0.5": ("distilled τ=0.5",),
        "other τ=0.8": ("distilled τ=0.3", "distilled τ=0.5"),
    }


def test_an_unknown_role_is_refused(tmp_path):
    folder = build(tmp_path, n_prompts=2, samples=0, seeds=())[0]
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"role": "base"', '"role": "best"'))
    with pytest.raises(InputError, match="field 'role': expected one of base, supervised, trained, found 'best'"):
        load(folder)


def test_intervals_cover_the_seeds_too(evaluations):
    """Two seeds that differ on every prompt alike: over prompts alone the interval of their mean has no width."""

    def saying(evaluation, n):
        """Every response with n facts, all right."""
        first = evaluation.scored[0].fragments[0]
        fragments = [dataclasses.replace(first, text=f"{first.text} {i}", label="correct") for i in range(n)]
        given = {key: dataclasses.replace(one, token_probability=[0.5] * n, halt_probability=[0.1] * n)
                 for key, one in evaluation.confidence.items()}  # fmt: skip
        rows = [dataclasses.replace(row, fragments=fragments) for row in evaluation.scored]
        return without(evaluation, scored=rows, confidence=given)

    base, *sft = evaluations[0], *(one for one in evaluations if one.name == "SFT")
    found = compare([base, saying(sft[0], 2), saying(sft[1], 4)], resamples=300).get("SFT", "greedy")["right"]
    assert (found.value, found.low, found.high) == (3, 2, 4)
    alone = compare([base, saying(sft[0], 2)], resamples=300)
    assert (alone.get("SFT", "greedy")["right"].low, alone.get("SFT", "greedy")["right"].high) == (2, 2)
    assert "95 % intervals over prompts, not over training seeds" in caption(alone)


@pytest.mark.parametrize("label", ["halt", "unverifiable", None])
def test_where_nothing_has_a_verdict_no_confidence_has_an_error(evaluations, tmp_path, label):
    base, sft = evaluations[:2]
    found = compare([base, relabelled(sft, label)], resamples=20)
    its = [one for one in [*found.calibrations, *found.recalibrations, *found.sources] if one.model == "SFT"]
    assert {one.ece.value for one in its} == {None}
    write(found, tmp_path)
    rest = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert {one["ece"]["value"] for one in rest["sources"] if one["model"] == "SFT"} == {None}


def by_place(evaluation, verifier):
    """The same evaluation, judged by the place of each fragment."""
    labels = ("correct", "incorrect", "unverifiable")
    rows = [
        dataclasses.replace(
            row,
            fragments=[
                dataclasses.replace(one, kind="sentence", label=labels[place % 3], error=None, verifier=verifier)
                for place, one in enumerate(row.fragments)
            ],
        )
        for row in evaluation.scored
    ]
    return without(evaluation, scored=rows)


def test_verdicts_that_follow_from_the_place_alone_are_doubted_before_anything_is_found(evaluations):
    """A model that learns to say one sentence is then 'correct' in all of them."""
    found = compare([by_place(one, "judge/4-abc/m") for one in evaluations], resamples=50)
    assert "The judge says the same of all fragments that stand at the same place" in found.doubted
    assert sentences(found)[0] == found.doubted
    assert found.doubted in found.design.notes
    assert not compare([by_place(one, "countries 1") for one in evaluations], resamples=50).doubted


def test_verdicts_of_a_judge_that_differ_at_one_place_are_not_doubted(evaluations):
    judged = [by_place(one, "judge/4-abc/m") for one in evaluations]
    row = judged[0].scored[0]
    other = dataclasses.replace(row, fragments=[dataclasses.replace(one, label="incorrect") for one in row.fragments])
    judged[0] = without(judged[0], scored=[other, *judged[0].scored[1:]])
    assert not compare(judged, resamples=50).doubted


def test_a_judge_that_says_both_of_one_statement_is_doubted(evaluations):
    def judged(evaluation, verdict):
        rows = []
        for row in evaluation.scored:
            said = ["halt" if one.kind == "halt" else verdict(one) for one in row.fragments]
            fragments = [
                dataclasses.replace(one, label=label, verifier="judge/4-abc/m")
                for one, label in zip(row.fragments, said, strict=True)
            ]
            rows.append(dataclasses.replace(row, fragments=fragments))
        return without(evaluation, scored=rows)

    labels, draw = ("correct", "incorrect"), random.Random(0)
    found = compare([judged(one, lambda _: draw.choice(labels)) for one in evaluations], resamples=50)
    assert "The judge disagrees with itself" in found.doubted
    steady = compare([judged(one, lambda it: labels[len(it.text) % 2]) for one in evaluations], resamples=50)
    assert not steady.doubted
