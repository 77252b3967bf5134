"""Every recipe that comes with rlhalt: read, and run for two steps of each training on a tiny model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.domains import countries, load_domain
from rlhalt.domains.hub import hub_name, on_hub
from rlhalt.errors import InputError
from rlhalt.recipes.recipe import load_recipe, recipe_names
from rlhalt.records import Pair, Prompt, Scored, Target, read
from rlhalt.sampling import Completion
from tiny_training import TRAINING

FOLDER = Path(__file__).parents[1] / "configs" / "recipes"
RECIPES = {name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) for name in recipe_names()}
# The others ask the same domains for data of the same kind; countries and arithmetic are run in test_pipeline, several
# domains at once and the methods of the field elsewhere.
OTHERS = (
    *("arithmetic", "decide", "distilled-online", "four", "full", "medicine", "methods", "online", "quickstart"),
    *("truthfulqa", "unsure"),
)
RUN = [name for name in RECIPES if name not in OTHERS]
KEYS = {**TRAINING, "max_steps": 2, "per_device_train_batch_size": 2, "learning_rate": 1e-3, "max_length": 512}
ASSERT = "assert add(2, 3) == 5"


def lines(make: Callable[[int], dict[str, Any]], count: int = 16) -> list[dict[str, Any]]:
    return [make(number) for number in range(2, 2 + count)]


def labelled(number: int) -> dict[str, Any]:
    """A biography as FActScore has it, with a supported and an unsupported sentence."""
    said = [f"Ada {number} is a painter.", f"Ada {number} likes tea."]
    facts = [[{"text": text, "label": label}] for text, label in zip(said, ("S", "NS"), strict=True)]
    noted = [{"text": text, "human-atomic-facts": its} for text, its in zip(said, facts, strict=True)]
    return {"topic": f"Ada {number}", "output": " ".join(said), "annotations": noted}


def worked(n: int, before: str, after: str = "") -> str:
    return f"{n} + 3 = {n + 3}\n{n + 3} * 2 = {2 * n + 6}\n{before}{2 * n + 6}{after}"


# The rows of a file by the recipe that reads it, as the data are published.
FILES: dict[str, list[dict[str, Any]]] = {
    "gsm8k": lines(lambda n: {"question": f"What is {n} + 3, doubled?", "answer": worked(n, "#### ")}),
    "math": lines(
        lambda n: {"problem": f"What is {n} + 3, doubled?", "solution": worked(n, "The answer is \\boxed{", "}")}
    ),
    "humaneval": lines(
        lambda n: {
            "task_id": f"HumanEval/{n}",
            "prompt": f'def add{n}(a, b):\n    """Add."""\n',
            "canonical_solution": "    return a + b\n",
            "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
            "entry_point": f"add{n}",
        }
    ),
    "mbpp": lines(
        lambda n: {
            "task_id": n,
            "text": f"Add two numbers, {n}.",
            "code": "def add(a, b):\n    return a + b",
            "test_list": [ASSERT, "assert add(1, 1) == 2"],
        }
    ),
    "apps": lines(
        lambda n: {
            "problem_id": n,
            "question": f"Add two numbers, {n}.",
            "starter_code": "def add(a, b):\n\t",
            "solutions": '["def add(a, b):\\n    return a + b"]',
            "input_output": '{"fn_name": "add", "inputs": [[2, 3], [1, 1]], "outputs": [5, 2]}',
        }
    ),
    "biography-8b": lines(lambda n: {"topic": f"Ada {n}", "article": f"Ada {n} is a painter."}),
    "medicine": lines(
        lambda n: {"question": f"What is {n}?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "exp": "It is a."}
    ),
    "truthfulqa-8b": lines(
        lambda n: {
            "question": f"Is {n} magic?",
            "best_answer": "No",
            "correct_answers": ["No", "It is not"],
            "incorrect_answers": ["Yes"],
        }
    ),
}


def answer(domain: str, reference: dict[str, Any]) -> str:
    """Something right, then something wrong."""
    if domain in ("countries", "countries-long"):
        return f"{countries.answer(reference['subject']).split('. ')[0]}. Its capital is Paris."
    if domain == "elements":
        return f"{reference['answer'].split('. ')[0]}. Its atomic number is 500."
    if domain in ("arithmetic", "maths"):
        first, second, *_ = reference["answer"].splitlines()
        return f"{first}\n{second}1"
    if domain in ("programs", "code"):
        whole = reference["prompt"] + reference["canonical_solution"]
        broken = whole.replace("return", "unused = 1\n    return 7 #")
        return f"```python\n{broken}\n```"
    return "This is right. This is wrong."


class Answers:
    """Stands in the place of a sampled model: right programs and broken ones in turn, as the domain's prompts ask."""

    def __init__(self, name: str, files: list[Path]) -> None:
        domain = load_domain(name)
        found = [
            one for file in files or [None] for split in ("train", "heldout") for one in domain.prompts(file, split)
        ]
        self._said = {one.prompt[-1]["content"]: one.reference for one in found}
        self._domain, self._asked = name, 0

    def complete(self, chats: Any, **_: object) -> list[Completion]:
        asked = [[one["content"] for one in chat if one["role"] == "user"][-1] for chat in chats]
        return [Completion(self._answer(one), 9, "stop") for one in asked]

    def _answer(self, question: str) -> str:
        self._asked += 1
        reference = self._said[question]
        if self._domain in ("programs", "code") and self._asked % 2:
            return f"```python\n{reference['prompt']}{reference['canonical_solution']}\n```"
        return answer(self._domain, reference)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_read_and_names_a_domain_and_data_that_there_are(name, tmp_path, monkeypatch):
    whole = RECIPES[name]
    monkeypatch.chdir(tmp_path)
    for file in (*whole.get("annotated", ()), whole.get("train_file"), whole.get("heldout_file")):
        if file and not on_hub(file):
            (tmp_path / file).write_text("")
    recipe = load_recipe(name)
    asked = [recipe.domain] if isinstance(recipe.domain, str) else recipe.domain
    assert all(load_domain(one).domain == one for one in asked)
    for file in (recipe.train_file, recipe.heldout_file):
        assert not file or not on_hub(file) or hub_name(file).split
    assert load_domain(asked[0]).asks_a_model == bool(recipe.judge) or recipe.annotated
    assert f"rlhalt run {name}" in (FOLDER / f"{name}.yaml").read_text().splitlines()[0]


@pytest.mark.parametrize("name", RUN)
def test_a_recipe_runs_from_prompts_to_report_in_two_steps_a_training(
    name, tiny_model, tmp_path, monkeypatch, server, capsys
):
    from rlhalt.sampling import local

    monkeypatch.chdir(tmp_path)
    whole = RECIPES[name] | {"model": str(tiny_model), "output": "out", "engine": "transformers", "responses": 2}
    trained = [key for key in ("sft", "dpo", "distilled") if whole.get(key)]
    # Each half of the prompts of a distilled cut has 30 decided fragments or more.
    whole |= {"prompts": 8, "responses": 4} if "distilled" in trained else {"prompts": 3}
    whole |= {key: f"{'dpo' if key == 'dpo' else 'sft'}.yaml" for key in trained}
    rows = FILES.get(name) or FILES.get(f"{name}-8b") or FILES.get(name.removesuffix("-8b"), [])
    files = []
    for key, some in (("train_file", rows[:12]), ("heldout_file", rows[12:])):
        if key in whole:
            written = rows if "heldout_file" not in whole else some
            (tmp_path / f"{key}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in written))
            whole[key] = f"{key}.jsonl"
            files.append(Path(whole[key]))
    if "annotated" in whole:
        (tmp_path / "GPT.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines(labelled)))
        whole["annotated"] = ["GPT.jsonl"]
    if "judge" in whole:
        whole["judge"] |= {"judge_address": server.address}
    Path("sft.yaml").write_text(yaml.safe_dump({**KEYS, "model_name_or_path": "m"}))
    Path("dpo.yaml").write_text(yaml.safe_dump({**KEYS, "model_name_or_path": "m", "draws": 4}))
    Path("recipe.yaml").write_text(yaml.safe_dump(whole))
    if "annotated" not in whole:
        monkeypatch.setattr(local.TransformersEngine, "complete", Answers(whole["domain"], files).complete)
    assert main(["run", "recipe.yaml"]) == 0
    out = tmp_path / "out"
    scored = list(read(out / "base" / "scored.jsonl", Scored))
    assert {one.label for row in scored for one in row.fragments} >= {"correct", "incorrect"}
    assert list(read(out / "base" / "targets.jsonl", Target))
    if "dpo" in trained:
        assert list(read(out / "base" / "pairs-0.5.jsonl", Pair))
    for kind in ("dpo-0.5" if key == "dpo" else key for key in trained):
        assert json.loads((out / "seed0" / kind / "run.json").read_text())["steps"] == 2
    assert (out / "report" / "report.html").is_file() == ("annotated" not in whole)
    left = "trained and not evaluated, for want of a judge: out/seed0/sft, out/seed0/dpo-0.5" in capsys.readouterr().err
    assert left == ("annotated" in whole)


def test_one_model_of_a_recipe_is_calibrated_on_prompts_that_no_model_was_trained_on(
    tiny_model, tmp_path, monkeypatch, capsys
):
    from rlhalt.sampling import local

    monkeypatch.chdir(tmp_path)
    Path("keys.yaml").write_text(yaml.safe_dump({**KEYS, "model_name_or_path": "m"}))
    whole = RECIPES["elements"] | {"model": str(tiny_model), "output": "out", "responses": 2, "prompts": 3}
    whole |= {"sft": "keys.yaml", "dpo": None, "calibrated": "sft", "calibration": 20}
    Path("recipe.yaml").write_text(yaml.safe_dump(whole))
    monkeypatch.setattr(local.TransformersEngine, "complete", Answers("elements", []).complete)
    assert main(["run", "recipe.yaml"]) == 0
    fitted = read_calibration(Path("out/calibration/calibration.json"))
    every = {one.key: one.split for one in read(Path("out/prompts.jsonl"), Prompt)}
    assert [every[key] for key in fitted.prompts] == ["train"] * 20
    assert {one.prompt_key for one in read(Path("out/base/scored.jsonl"), Scored)}.isdisjoint(fitted.prompts)
    printed = capsys.readouterr().out
    assert "with the probability that each fragment is correct" in printed
    assert "τ = 0.95" in printed


def test_a_recipe_with_a_misspelt_key_of_the_judge(tmp_path):
    whole = RECIPES["truthfulqa"] | {"train_file": "rows.csv", "judge": {"judge_adress": "http://localhost"}}
    (tmp_path / "rows.csv").write_text("")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(whole | {"train_file": str(tmp_path / "rows.csv")}))
    with pytest.raises(InputError, match="judge_adress"):
        load_recipe(tmp_path / "recipe.yaml")


def test_the_files_of_a_recipe_are_all_looked_for_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"ChatGPT\.jsonl, InstructGPT\.jsonl"):
        load_recipe("biography")


def test_a_data_set_of_the_hub_is_loaded_before_the_first_stage(tiny_model, tmp_path, monkeypatch, capsys):
    """Offline: the message names the data set and says what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path / "cache"))
    Path("keys.yaml").write_text(yaml.safe_dump({**KEYS, "model_name_or_path": "m"}))
    whole = RECIPES["gsm8k"] | {"model": str(tiny_model), "output": "out", "sft": "keys.yaml", "dpo": "keys.yaml"}
    Path("recipe.yaml").write_text(yaml.safe_dump(whole))

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no network\nat all")

    import datasets

    monkeypatch.setattr(datasets, "load_dataset", offline)
    assert main(["run", "recipe.yaml"]) == 2
    error = capsys.readouterr().err.strip()
    assert "hub://openai/gsm8k/main/train" in error
    assert "name a file with the same rows" in error
    assert "\n" not in error
    assert not Path("out").exists()


def test_the_sampled_settings_of_a_recipe_are_those_of_its_file():
    recipe = load_recipe("gsm8k")
    assert dataclasses.asdict(recipe)["train_file"] == "hub://openai/gsm8k/main/train"
    assert (recipe.max_tokens, recipe.engine) == (512, "vllm")
