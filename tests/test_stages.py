"""A recipe says what it is about to do: number, name and a time that was measured, before each stage."""

from __future__ import annotations

import json
import shutil
import weakref

import pytest

from rlhalt.cli import main
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.files.provenance import run_file
from rlhalt.recipes.recipe import load_recipe
from rlhalt.recipes.run import run
from rlhalt.records import write
from rlhalt.running.stages import Stage, run_stages
from test_recipes import recipe


@pytest.fixture
def stage(tmp_path, capsys):
    """Makes stages whose work says on standard error that it began, and takes so many seconds by its run.json."""

    def make(kind: str, detail: str, seconds: float | None) -> Stage:
        output = tmp_path / f"{kind}{detail}"

        def work() -> None:
            import sys

            print("working", file=sys.stderr)
            output.mkdir(exist_ok=True)
            if seconds is not None:
                run_file(output).write_text(json.dumps({"seconds": seconds}))

        return Stage(kind, detail, output, work)

    return make


def test_each_stage_is_announced_before_it_begins_with_a_time_where_one_was_measured(stage, capsys):
    stages = [stage("prompts", "", None), *(stage("SFT", f"seed {n}", 300.0 + n) for n in range(2))]
    run_stages(stages)
    assert capsys.readouterr().err.splitlines() == [
        "[1/3] prompts …",
        "working",
        "[2/3] SFT seed 0 …",
        "working",
        "[3/3] SFT seed 1 (about 5 min, as the last SFT) …",
        "working",
    ]
    run_stages(stages)
    told = capsys.readouterr().err
    assert "[1/3] prompts …" in told
    assert "[2/3] SFT seed 0 (took 5 min last time) …" in told


def test_a_recipe_numbers_all_of_its_stages_and_says_what_is_done_already(tiny_model, tmp_path, capsys, monkeypatch):
    """Training and evaluation are stood in for: what is tested is what is said."""
    less = dict.fromkeys(("decisions", "threshold_in_prompt", "grpo", "online_thresholds", "supervised"))
    read = load_recipe(recipe(tmp_path, tiny_model, prompts=2, **less))
    monkeypatch.setattr("rlhalt.recipes.training.trained", lambda *_: None)
    monkeypatch.setattr("rlhalt.recipes.comparing.evaluate", lambda *_, **__: None)
    monkeypatch.setattr("rlhalt.recipes.comparing.report", lambda *_, **__: None)
    monkeypatch.setattr("rlhalt.recipes.run.example", lambda *_: None)
    begun = []
    for _ in range(2):
        run(read)
        told = capsys.readouterr().err
        begun.append([line.removesuffix(" …").split(" (")[0] for line in told.splitlines() if line.startswith("[")])
    names = ["prompts", "sample base", "score base", "targets", "pairs τ = 0.5", "SFT seed 0", "DPO τ = 0.5 seed 0"]
    names += ["evaluate base", "evaluate sft-seed0", "evaluate dpo-0.5-seed0", "compare"]
    assert begun == [[f"[{n}/11] {name}" for n, name in enumerate(names, start=1)]] * 2
    for file in ("prompts", "base/responses", "base/scored", "base/targets", "base/pairs-0.5"):
        assert f"already done: {tmp_path / 'out' / file}.jsonl" in told


def test_a_recipe_looks_for_template_and_base_template_before_the_first_response_is_drawn(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    path = recipe(tmp_path, tmp_path / "model")
    with pytest.raises(InputError, match=r"sft\.yaml.*base_template: plain"):
        run(load_recipe(path))
    with pytest.raises(InputError, match="enable_thinking"):
        run(load_recipe(recipe(tmp_path, tiny_model, chat_template_kwargs={"enable_thinking": True})))
    assert not (tmp_path / "out").exists()


def test_evaluate_looks_for_the_base_model_before_the_first_response_is_drawn(tiny_model, tmp_path, capsys):
    write(tmp_path / "prompts.jsonl", load_domain("countries").prompts(split="heldout")[:1])
    argv = ["evaluate", "--model", str(tiny_model), "--base", str(tmp_path / "nowhere"), "--name", "SFT"]
    argv += ["--prompts", str(tmp_path / "prompts.jsonl"), "--output", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.jsonl*"))


def test_what_a_stage_leaves_in_a_circle_is_gone_before_the_next_begins(tmp_path):
    class Trainer:
        def __init__(self):
            self.model = self

    left = []

    def train():
        left.append(weakref.ref(Trainer()))

    def look():
        assert left[0]() is None

    run_stages([Stage("SFT", "", tmp_path / "a", train), Stage("DPO", "", tmp_path / "b", look)])
