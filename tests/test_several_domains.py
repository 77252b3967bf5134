"""One model on several domains: trained on all of them, evaluated on each, and their mean."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.several_domains import MACRO, markdown, mean, overview
from rlhalt.recipes.recipe import load_recipe
from rlhalt.recipes.run import run
from rlhalt.records import Pair, Target, read
from taught_model import taught_several
from test_recipes import recipe

ONE_AT_A_TIME = {"grpo": None, "online_thresholds": None}


def about_a_country(reference):
    name = reference["subject"]
    return f"{name} is in Africa. The official language of {name} is English. {name} is in Asia."


def about_an_element(reference):
    name = reference["subject"]
    return f"The symbol of {name} is H. {name} is a gas. {name} has atomic number 6."


@pytest.fixture(scope="module")
def talking_about_two(tiny_model, tmp_path_factory):
    answers = {"countries": about_a_country, "elements": about_an_element}
    return taught_several(tiny_model, answers, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def trained(talking_about_two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    path = recipe(
        folder, talking_about_two, domain=["countries", "elements"], max_tokens=96, responses=4, **ONE_AT_A_TIME
    )
    assert main(["run", str(path)]) == 0
    return folder / "out"


def test_training_reads_the_rows_of_every_domain(trained):
    for name in ("targets", "targets-reference"):
        rows = list(read(trained / "joined" / f"{name}.jsonl", Target))
        apart = [list(read(trained / one / "base" / f"{name}.jsonl", Target)) for one in ("countries", "elements")]
        assert rows == [*apart[0], *apart[1]]
        assert all(apart)


def test_pairs_of_every_domain_weigh_the_same(trained):
    joined = list(read(trained / "joined" / "pairs-0.5.jsonl", Pair))
    weights = {}
    for domain in ("countries", "elements"):
        keys = {one.key for one in read(trained / domain / "base" / "pairs-0.5.jsonl", Pair)}
        assert keys
        weights[domain] = sum(one.weight for one in joined if one.key in keys)
    assert math.isclose(*weights.values(), rel_tol=1e-6)


def test_every_model_is_evaluated_on_every_domain_and_in_the_mean(trained):
    rows = json.loads((trained / "report" / "domains.json").read_text())
    models = {row["model"] for row in rows}
    assert {"base", "SFT", "DPO τ=0.5", "reference", "decisions τ=0.5", "conditioned τ=0.5"} <= models
    for model in models:
        found = {row["domain"]: row for row in rows if (row["model"], row["decoding"]) == (model, "greedy")}
        assert set(found) == {"countries", "elements", MACRO}
        values = [found[one]["utility@0.5"]["value"] for one in ("countries", "elements")]
        assert found[MACRO]["utility@0.5"]["value"] == pytest.approx(sum(values) / 2, abs=1e-5)
    text = (trained / "report" / "domains.md").read_text()
    assert "| DPO τ=0.5 | all (macro) |" in text
    page = (trained / "report" / "report.html").read_text()
    for one in ("countries", "elements"):
        [link] = re.findall(rf'href="([^"]*/{one}/[^"]*)"', page)
        assert (trained / "report" / link).resolve() == trained / one / "report" / "report.html"
        assert (trained / one / "report" / "report.html").is_file()


def test_nothing_is_done_twice(trained, capfd):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*.safetensors")}
    assert main(["run", str(trained.parent / "recipe.yaml")]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in trained.rglob("*.safetensors")}
    assert "already done" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"domain": ["countries", "countries"], **ONE_AT_A_TIME}, "domain"),
        ({"domain": [], **ONE_AT_A_TIME}, "domain"),
        ({"domain": ["countries", "elements"]}, "grpo"),
        ({"domain": ["countries", "elements"], "train_file": "rows.jsonl", **ONE_AT_A_TIME}, "train_file"),
        ({"domain": ["countries", 3], **ONE_AT_A_TIME}, "domain"),
        ({"calibrated": "reference", "annotated": ["labels.jsonl"], **ONE_AT_A_TIME}, "calibrated"),
    ],
)
def test_what_does_not_go_with_several_domains(tmp_path, changes, field):
    path = recipe(tmp_path, tmp_path, **changes)
    with pytest.raises(InputError) as error:
        load_recipe(path)
    assert str(error.value.field).startswith(field)


@pytest.mark.parametrize(("name", "expected"), [("halt", "sft, reference"), ("conditioned-0.5", "states no τ")])
def test_a_calibrated_model_is_one_of_the_recipe(tmp_path, talking_about_two, name, expected):
    keys = {"supervised": ["reference"], "calibrated": name, **ONE_AT_A_TIME}
    path = recipe(tmp_path, talking_about_two, domain=["countries", "elements"], **keys)
    with pytest.raises(InputError, match=expected):
        run(load_recipe(path))
    assert not list(tmp_path.rglob("responses.jsonl"))


def test_rounds_deal_the_prompts_of_one_domain(tmp_path, capfd):
    path = recipe(tmp_path, tmp_path, domain=["countries", "elements"], **ONE_AT_A_TIME)
    assert main(["rounds", "--config", str(path), "--rounds", "2"]) == 2
    assert "one domain" in capfd.readouterr().err


def test_the_interval_of_a_mean_is_that_of_independent_means():
    rng = np.random.default_rng(0)
    scales = [0.5, 1.0, 2.0]
    sampled = np.mean([rng.normal(1.0, scale, 400_000) for scale in scales], axis=0)
    low, high = np.quantile(sampled, [0.025, 0.975])
    found = mean([Estimate(1.0, 1.0 - 1.96 * scale, 1.0 + 1.96 * scale) for scale in scales])
    assert found["value"] == 1.0
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.01)


def test_a_mean_is_over_what_is_defined():
    assert mean([Estimate(None), Estimate(0.5, 0.4, 0.6)]) == {
        "value": 0.5, "low": 0.4, "high": 0.6, "over": 1, "of": 2
    }  # fmt: skip
    assert mean([Estimate(None)])["value"] is None
    assert mean([Estimate(0.5), Estimate(0.7, 0.6, 0.8)])["low"] is None


def test_a_model_that_lacks_a_domain_has_no_mean():
    estimate = {"value": 0.5, "low": None, "high": None}
    measures = ("correctness", "completeness", "completeness_full", "f1_full", "halt_rate", "over_abstention")
    row = {"decoding": "greedy", "n_prompts": 3, "seeds": [0], "utility": {"0.5": estimate}}
    row |= dict.fromkeys(measures, estimate)
    rows = overview({"a": [row | {"model": "base"}, row | {"model": "SFT"}], "b": [row | {"model": "base"}]})
    assert [(one["model"], one["domain"]) for one in rows] == [
        ("base", "a"), ("base", "b"), ("base", MACRO), ("SFT", "a")
    ]  # fmt: skip
    assert "| SFT | a | 3 | 50 % |" in markdown(rows)


def test_a_mean_says_of_how_many_domains_it_is():
    """A model that always halts has no correctness: its mean is over the other domains, and does not hide that."""
    known, unknown = {"value": 0.5, "low": 0.4, "high": 0.6}, {"value": None, "low": None, "high": None}
    measures = ("completeness", "completeness_full", "f1_full", "halt_rate", "over_abstention")
    row = {"model": "SFT", "decoding": "greedy", "n_prompts": 3, "seeds": [0], "utility": {"0.5": known}}
    row |= dict.fromkeys(measures, known)
    rows = overview({"a": [row | {"correctness": known}], "b": [row | {"correctness": unknown}]})
    assert "| SFT | all (macro) | 6 | 50 % (40 to 60), 1 of 2 domains |" in markdown(rows)
