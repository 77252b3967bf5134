"""`rlhalt run methods` on a tiny model: every method makes its data, trains for a step, and has a row in the table."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.decoding.setup import NAMES
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.recipes.recipe import load_recipe
from rlhalt.recipes.untrained import why
from rlhalt.records import Pair, Response, Target, read
from rlhalt.sampling import Completion
from rlhalt.training.fragment_grpo.methods import REWARDS
from rlhalt.training_data.preferences.grath import WRONGLY
from rlhalt.training_data.preferences.methods import PREFERENCES
from rlhalt.training_data.targets.methods import METHODS
from test_recipes import recipe

SHIPPED = yaml.safe_load((Path(__file__).parents[1] / "configs" / "recipes" / "methods.yaml").read_text())
FEW = {
    "supervised": ["r-tuning", "instruction-modelling"],
    "preferences": ["f-dpo", "mask-dpo", "mrpo", "own-pairs", "temporal", "grath"],
}
OFF = dict.fromkeys(("decisions", "threshold_in_prompt", "grpo"))


class Answers:
    """In a model's place: answers of which some are right, some wrong, and some stop, in turns."""

    def __init__(self) -> None:
        references = {one.prompt[-1]["content"]: one.reference for one in load_domain("countries").prompts(None, "all")}
        self._subject = {question: its["subject"] for question, its in references.items()}
        self._turn = itertools.count()

    def complete(self, chats: Any, **_: object) -> list[Completion]:
        asked = [[one["content"] for one in chat if one["role"] == "user"][-1] for chat in chats]
        return [Completion(self._answer(one), 9, "stop") for one in asked]

    def _answer(self, question: str) -> str:
        name = self._subject[question.removeprefix(WRONGLY)]
        if question.startswith(WRONGLY):
            return f"{name} is in Antarctica."
        africa, asia = f"{name} is in Africa.", f"{name} is in Asia."
        english = f"The official language of {name} is English."
        turns = [f"{africa} {english} {asia}", asia, africa, "Unsure from here.", f"{english} {asia}"]
        return turns[next(self._turn) % len(turns)]


@pytest.fixture
def answering(monkeypatch) -> None:
    from rlhalt.sampling import local

    monkeypatch.setattr(local.TransformersEngine, "complete", Answers().complete)


def run(folder: Path, model: Path, **changes: object) -> Path:
    keys = {"supervised": None, "online_thresholds": [], "responses": 5, "evaluation_responses": 0}
    path = recipe(folder, model, **{**OFF, **keys, **changes})
    assert main(["run", str(path)]) == 0
    return folder / "out"


def named(out: Path) -> set[str]:
    return {one["model"] for one in json.loads((out / "report" / "metrics.json").read_text())}


def test_a_few_methods_share_one_set_of_answers_and_one_table(answering, tiny_model, tmp_path, monkeypatch):
    out = run(tmp_path, tiny_model, **FEW)
    # Pairs that know no τ say ½, and their model has none.
    at_half = {f"{name} τ=0.5" for name in ("DPO", "mrpo", "own-pairs", "temporal")}
    assert named(out) == {"base", "SFT", *FEW["supervised"], "f-dpo", "mask-dpo", "grath"} | at_half
    assert {one.style for one in read(out / "base" / "targets-r-tuning.jsonl", Target)} == {"r-tuning"}
    assert {one.margin for one in read(out / "preferences" / "f-dpo.jsonl", Pair)} >= {1.0}
    # The untruthful answers were asked for, and their pairs have the prompt as it is.
    asked = {row.prompt[-1]["content"] for row in read(out / "preferences" / "grath" / "responses.jsonl", Response)}
    assert all(one.startswith(WRONGLY) for one in asked)
    assert not any(one.prompt[-1]["content"] in asked for one in read(out / "preferences" / "grath.jsonl", Pair))
    # The future model is the one that own-pairs trained.
    answers = out / "seed0" / "temporal-0.5-answers" / "responses.jsonl"
    (future,) = {row.sampler["model"] for row in read(answers, Response)}
    (first,) = {row.sampler["model"] for row in read(out / "base" / "responses.jsonl", Response)}
    assert future != first
    config = json.loads((out / "seed0" / "instruction-modelling" / "run.json").read_text())["parameters"]
    assert config["completion_only_loss"] is False
    config = json.loads((out / "seed0" / "mrpo-0.5" / "run.json").read_text())["parameters"]
    assert config["second_reference"] == str(tiny_model)
    for name in ("f-dpo", "temporal-0.5"):
        record = json.loads((out / "seed0" / name / "run.json").read_text())
        assert record["parameters"]["model_name_or_path"] == str(out / "seed0" / "sft")
    # Resumed, nothing is done again.
    import rlhalt.training.dpo
    import rlhalt.training.sft

    before = {path: path.read_bytes() for path in out.rglob("*.jsonl")}
    monkeypatch.setattr(rlhalt.training.dpo, "main", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(rlhalt.training.sft, "main", lambda *_: pytest.fail("trained again"))
    assert main(["run", str(tmp_path / "recipe.yaml")]) == 0
    assert {path: path.read_bytes() for path in out.rglob("*.jsonl")} == before


def test_a_method_that_makes_nothing_has_a_row_that_says_why(answering, tiny_model, tmp_path, monkeypatch):
    for table, name in ((METHODS, "r-tuning"), (PREFERENCES, "own-pairs")):
        nothing = dataclasses.replace(table[name], make=lambda *_: iter(()))
        monkeypatch.setitem(table, name, nothing)
    out = run(tmp_path, tiny_model, supervised=["r-tuning"], preferences=["own-pairs", "temporal"])
    assert named(out) == {"base", "SFT", "DPO τ=0.5"}
    notes = json.loads((out / "report" / "comparison.json").read_text())["design"]["notes"]
    said = "is left out (not trained: the method made no"
    assert notes == [
        f"r-tuning {said} targets of these responses).",
        f"own-pairs τ=0.5 {said} pairs of these responses).",
        "temporal τ=0.5 is left out (not trained: own-pairs, whose answers it reads, was not trained).",
    ]
    assert f"r-tuning {said} targets" in (out / "report" / "table.md").read_text()
    # With something to learn from it is trained after all.
    monkeypatch.undo()
    assert why(out / "seed0" / "r-tuning") is not None
    from rlhalt.recipes.untrained import training
    from rlhalt.running.stages import Stage

    training(Stage("SFT", "", out / "seed0" / "r-tuning", lambda: None), lambda: None).work()
    assert why(out / "seed0" / "r-tuning") is None


def test_the_pretrained_model_is_decoded_by_what_the_recipe_makes(answering, tiny_model, tmp_path):
    names = ["dola", "icd", "iti", "best-of-n"]
    out = run(tmp_path, tiny_model, decodings=names, prompts=30, responses=12, max_tokens=8)
    assert named(out) == {"base", "SFT", "DPO τ=0.5", *(f"base {one}" for one in names)}
    config = {
        name: json.loads((out / "evaluation" / f"base-{name}" / "run.json").read_text())["config"]["decoding"]
        for name in ("icd", "iti", "best-of-n")
    }
    assert {"against"} < set(config["icd"])
    assert {"scored"} < set(config["iti"])
    assert {"reward_model", "samples"} < set(config["best-of-n"])
    # The second model of icd has learnt what was rejected as wrong, and nothing that was rejected for being short.
    wrong = {one.completion[-1]["content"] for one in read(out / "decoding" / "wrong.jsonl", Target)}
    pairs = list(read(out / "base" / "pairs-0.5.jsonl", Pair))
    assert wrong == {one.rejected[-1]["content"] for one in pairs if one.style != "keep"}
    assert {one.style for one in pairs} > {"keep"}


def test_a_decoding_whose_reward_model_has_too_little_to_learn_from_has_a_row_that_says_why(
    answering, tiny_model, tmp_path
):
    out = run(tmp_path, tiny_model, decodings=["best-of-n"])
    assert "base best-of-n" not in named(out)
    (note,) = json.loads((out / "report" / "comparison.json").read_text())["design"]["notes"]
    assert note.startswith("base best-of-n is left out (what it reads was not trained: expected")


@pytest.mark.slow
def test_every_method_of_the_recipe_has_a_row(answering, tiny_model, tmp_path):
    methods = {key: SHIPPED[key] for key in ("supervised", "preferences", "decodings")}
    out = run(tmp_path, tiny_model, **methods, prompts=30, responses=12, max_tokens=8, other_model=str(tiny_model))
    rows = {name.removeprefix("base ").partition(" ")[0] for name in named(out)}
    assert rows == {"base", "SFT", "DPO", *(one for names in methods.values() for one in names)}


def test_online_methods_start_from_a_supervised_model_and_have_a_threshold_where_they_know_one(
    answering, tiny_model, tmp_path, monkeypatch
):
    from rlhalt.training import grpo

    asked = []

    def trained(argv):
        keys = dict(zip(argv[::2], argv[1::2], strict=True))
        asked.append((keys["--method"], keys.get("--threshold"), Path(keys["--model_name_or_path"]).name))
        return real(argv)

    real, names = grpo.main, ["truth-rl", "reinforced-hesitation", "rlcr"]
    monkeypatch.setattr(grpo, "main", trained)
    path = tmp_path / "grpo.yaml"
    out = run(tmp_path, tiny_model, supervised=["confidence-num"], grpo="grpo.yaml", online=names)
    assert yaml.safe_load(path.read_text())["max_steps"] == 1
    assert asked == [
        ("truth-rl", None, "sft"), ("reinforced-hesitation", "0.5", "sft"), ("rlcr", None, "confidence-num")
    ]  # fmt: skip
    rows = {"base", "SFT", "DPO τ=0.5", "confidence-num", "truth-rl", "reinforced-hesitation τ=0.5", "rlcr"}
    assert named(out) == rows
    folders = ("truth-rl", "rlcr", "reinforced-hesitation-0.5")
    told = [json.loads((out / "seed0" / one / "run.json").read_text())["thresholds"] for one in folders]
    assert told == [[], [], [0.5]]


def test_the_recipe_that_comes_with_rlhalt_has_every_method():
    assert set(SHIPPED["supervised"]) == set(METHODS)
    assert set(SHIPPED["preferences"]) == set(PREFERENCES)
    assert set(SHIPPED["decodings"]) == set(NAMES)
    assert load_recipe("methods").preferences == SHIPPED["preferences"]
    offline, online = load_recipe("methods"), load_recipe("methods-online")
    assert set(online.online) == {name for name, one in REWARDS.items() if one.rewards}
    # In one folder, of the same answers: rows of one table.
    alike = ("model", "domain", "output", "thresholds", "seeds", "responses", "best", "max_tokens", "sft", "dpo")
    assert {name for name in alike if getattr(online, name) != getattr(offline, name)} == set()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"preferences": ["rlkff"]}, "did you mean 'rlkf'"),
        ({"preferences": ["temporal"]}, "own-pairs"),
        ({"preferences": ["other-chosen"]}, "other_model"),
        ({"other_model": "m"}, "other_model"),
        ({"preferences": ["rlkf"], "dpo": None}, "dpo"),
        ({"preferences": ["rlkf"], "domain": ["countries", "elements"]}, "preferences"),
        ({"preferences": ["rlkf", "rlkf"]}, "preferences"),
        ({"online": ["truth-rl"]}, "online_thresholds"),
        ({"online": ["utility"], "grpo": "grpo.yaml"}, "expected one of truth-rl"),
        ({"online": ["rlcr"], "grpo": "grpo.yaml"}, "confidence-num"),
        ({"decodings": ["dolla"]}, "decodings"),
        ({"decodings": ["icd"], "dpo": None}, "dpo"),
        ({"decodings": ["dola"], "domain": ["countries", "elements"]}, "decodings"),
        ({"decodings": ["dola", "dola"]}, "decodings"),
    ],
)
def test_a_recipe_whose_methods_lack_something_is_one_line(tmp_path, change, names):
    with pytest.raises(InputError, match=names) as caught:
        load_recipe(recipe(tmp_path, tmp_path, **{**OFF, "online_thresholds": [], **change}))
    assert "\n" not in str(caught.value)
