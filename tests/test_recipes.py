"""The whole chain on a tiny model: every file it promises, nothing done twice, nothing lost when it is killed."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from transformers import HfArgumentParser

from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.judge_arguments import JudgeArguments
from rlhalt.recipes.recipe import load_recipe
from rlhalt.recipes.training import judge_keys, training_stage
from rlhalt.records import Decision, Pair, Response, Scored, Target, read
from rlhalt.scoring import Scorer
from taught_model import taught
from tiny_training import ONLINE, TRAINING

KEYS = {**TRAINING, "num_train_epochs": 1, "per_device_train_batch_size": 4, "learning_rate": 1.0e-3}
SHARED = {key: value for key, value in KEYS.items() if key not in ("max_length", "num_train_epochs")}
GRPO = {**ONLINE, "domain": "biography", "max_steps": 1, "max_completion_length": 20}
LORA = {"use_peft": True, "lora_r": 4, "lora_dropout": 0.0, "lora_target_modules": "all-linear"}


def recipe(folder: Path, model: Path, **changes: object) -> Path:
    (folder / "sft.yaml").write_text(yaml.safe_dump({**KEYS, **LORA, "model_name_or_path": "m", "max_steps": 3}))
    (folder / "dpo.yaml").write_text(yaml.safe_dump({**KEYS, **LORA, "model_name_or_path": "m", "draws": 8}))
    (folder / "decisions.yaml").write_text(yaml.safe_dump({**KEYS, **LORA, "model_name_or_path": "m", "max_steps": 2}))
    (folder / "grpo.yaml").write_text(yaml.safe_dump({**SHARED, **LORA, **GRPO, "model_name_or_path": "m"}))
    whole = {
        "model": str(model),
        "domain": "countries",
        "output": str(folder / "out"),
        "thresholds": [0.5],
        "seeds": [0],
        "responses": 2,
        "best": 1.0,
        "temperature": 0.7,
        "evaluation_responses": 1,
        "sft": "sft.yaml",
        "dpo": "dpo.yaml",
        "decisions": "decisions.yaml",
        "threshold_in_prompt": "decisions.yaml",
        "grpo": "grpo.yaml",
        "online_thresholds": [0.5],
        "supervised": ["reference", "halt-per-tau"],
        "prompts": 4,
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in whole.items() if value is not None}))
    return path


@pytest.fixture(scope="module")
def talking_model(tiny_model, tmp_path_factory) -> Path:
    """The tiny model, taught by rote a few sentences about countries, some of them wrong, so that it says something."""

    def answer(reference):
        name = reference["subject"]
        return f"{name} is in Africa. The official language of {name} is English. {name} is in Asia."

    return taught(tiny_model, "countries", answer, tmp_path_factory.mktemp("talking"))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every row file, by name; what training wrote is compared by its weights."""
    kept = [*folder.rglob("*.jsonl"), *folder.rglob("*.safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def straight(talking_model, tmp_path_factory) -> Path:
    """A run that was not disturbed; its output folder."""
    folder = tmp_path_factory.mktemp("straight")
    assert main(["quickstart", "--config", str(recipe(folder, talking_model))]) == 0
    return folder / "out"


def test_the_chain_makes_every_file_it_promises(straight):
    scored = list(read(straight / "base" / "scored.jsonl", Scored))
    assert len(scored) == 8
    assert {one.label for row in scored for one in row.fragments} >= {"correct", "incorrect"}
    assert len(list(read(straight / "base" / "targets.jsonl", Target))) == 8
    assert {one.style for one in read(straight / "base" / "pairs-0.5.jsonl", Pair)} == {"keep", "remove"}
    assert {one.style for one in read(straight / "base" / "decisions-0.5.jsonl", Decision)} == {"remove"}
    made = ("responses", "scored", "targets", "pairs-0.5", "decisions-0.5", "conditioned")
    files = (*made, "targets-reference", "targets-halt-per-tau-0.5")
    for made in (f"base/{name}.jsonl" for name in files):
        assert json.loads((straight / made).with_suffix(".run.json").read_text())["versions"]["rlhalt"]
    trained = ("sft", "dpo-0.5", "grpo-0.5", "decisions-0.5", "conditioned", "reference", "halt-per-tau-0.5")
    evaluated = ("evaluation/base", "evaluation/dpo-0.5-seed0", "evaluation/conditioned-0.5-seed0")
    for made in (*(f"seed0/{name}" for name in trained), *evaluated, "report"):
        assert json.loads((straight / made / "run.json").read_text())["seconds"] >= 0
    metrics = json.loads((straight / "report" / "metrics.json").read_text())
    at_half = {f"{name} τ=0.5" for name in ("DPO", "GRPO", "decisions", "conditioned", "halt-per-tau")}
    assert {one["model"] for one in metrics} == {"base", "SFT", "reference"} | at_half
    assert "<html" in (straight / "report" / "report.html").read_text(encoding="utf-8")
    assert not list(straight.rglob("*.part"))


def test_a_model_with_tau_in_its_prompt_never_saw_what_it_is_asked_for_and_is_told_it(straight):
    told = {one.prompt[0]["content"] for one in read(straight / "base" / "conditioned.jsonl", Decision)}
    assert all(one.startswith("Reliability: 0.") for one in told)
    # Eight answers draw eight of them: what they were drawn from says more.
    drawn_from = json.loads((straight / "base" / "conditioned.run.json").read_text())["config"]["thresholds"]
    assert len(drawn_from) > 90
    assert 0.5 not in drawn_from
    asked = {
        row.prompt[0]["content"]
        for row in read(straight / "evaluation" / "conditioned-0.5-seed0" / "scored.jsonl", Scored)
    }
    assert asked == {"Reliability: 0.50"}


def test_the_online_training_goes_on_from_the_preferences_at_their_threshold_by_the_verifier_of_the_recipe(straight):
    record = json.loads((straight / "seed0" / "grpo-0.5" / "run.json").read_text())
    assert record["parameters"]["model_name_or_path"] == str(straight / "seed0" / "dpo-0.5")
    assert (record["thresholds"], record["verifier"].split("/")[0]) == ([0.5], "knowledge")


def test_training_moved_the_adapters(straight):
    from safetensors.torch import load_file

    sft = load_file(straight / "seed0" / "sft" / "adapter_model.safetensors")
    dpo = load_file(straight / "seed0" / "dpo-0.5" / "adapter_model.safetensors")
    assert sft.keys() == dpo.keys()
    assert all((sft[name] != dpo[name]).any() for name in sft)
    assert all(sft[name].abs().sum() > 0 for name in sft)


def test_dpo_can_start_from_the_pretrained_model(talking_model, straight, tmp_path):
    from safetensors.torch import load_file

    assert main(["quickstart", "--config", str(recipe(tmp_path, talking_model, dpo_from="base"))]) == 0
    record = json.loads((tmp_path / "out" / "seed0" / "dpo-0.5" / "run.json").read_text())
    assert record["parameters"]["model_name_or_path"] == str(talking_model)
    from_base = load_file(tmp_path / "out" / "seed0" / "dpo-0.5" / "adapter_model.safetensors")
    from_sft = load_file(straight / "seed0" / "dpo-0.5" / "adapter_model.safetensors")
    assert any((from_base[name] != from_sft[name]).any() for name in from_sft)


def test_each_training_of_a_recipe_logs_to_tensorboard_with_samples_and_their_verdicts(
    talking_model, straight, tmp_path
):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    less = dict.fromkeys(("decisions", "threshold_in_prompt", "supervised"))
    assert main(["run", str(recipe(tmp_path, talking_model, report_to="tensorboard", **less))]) == 0
    logs = {}
    for name in ("sft", "dpo-0.5", "grpo-0.5"):
        trained = Path("seed0", name, "adapter_model.safetensors")
        # The same model, wherever it logs.
        assert (tmp_path / "out" / trained).read_bytes() == (straight / trained).read_bytes()
        (events,) = (tmp_path / "out" / "seed0" / name).rglob("events.out.tfevents.*")
        logs[name] = EventAccumulator(str(events)).Reload()
        assert "train/loss" in logs[name].Tags()["scalars"]
    online = logs["grpo-0.5"]
    assert {"train/fragments/correct", "train/earned/correct"} <= set(online.Tags()["scalars"])
    written = [online.Tensors(tag) for tag in online.Tags()["tensors"] if tag.startswith("completions/")]
    samples = [one.tensor_proto.string_val[0].decode() for events in written for one in events]
    assert samples
    assert all(one.startswith("**State five facts about ") for one in samples)
    assert any("\n- " in one for one in samples)


@pytest.mark.parametrize("logger", ["trackio", "wandb"])
def test_each_training_of_a_recipe_has_a_run_of_its_own(talking_model, tmp_path, monkeypatch, logger):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path / "trackio")
    less = dict.fromkeys(("decisions", "threshold_in_prompt", "supervised", "grpo", "online_thresholds", "dpo"), None)
    path = recipe(tmp_path, talking_model, report_to=logger, seeds=[0, 1], **less)
    assert main(["run", str(path)]) == 0
    if logger == "wandb":
        assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2
    else:
        import trackio

        assert {one.name for one in trackio.Api().runs("huggingface")} == {"out/seed0/sft", "out/seed1/sft"}


def test_a_logger_that_is_not_installed_is_named_before_anything_runs(talking_model, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"'report_to': wandb is not installed: pip install wandb"):
        load_recipe(recipe(tmp_path, talking_model, report_to="wandb"))
    with pytest.raises(InputError, match=r"'report_to': expected wandb, .*, found 'trakio'; did you mean 'trackio'"):
        load_recipe(recipe(tmp_path, talking_model, report_to="trakio"))


def test_a_second_run_does_nothing_again(straight, monkeypatch):
    import rlhalt.training.dpo
    import rlhalt.training.sft
    import rlhalt.uncertainty.token_probability
    from rlhalt.sampling.local import TransformersEngine

    before = snapshot(straight)
    monkeypatch.setattr(TransformersEngine, "__init__", lambda *_: pytest.fail("sampled again"))
    monkeypatch.setattr(rlhalt.uncertainty.token_probability, "load_policy", lambda *_: pytest.fail("evaluated again"))
    monkeypatch.setattr(rlhalt.training.dpo, "main", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(rlhalt.training.sft, "main", lambda *_: pytest.fail("trained again"))
    assert main(["quickstart", "--config", str(straight.parent / "recipe.yaml")]) == 0
    assert snapshot(straight) == before


def test_another_verifier_trains_again_what_it_rewards(talking_model, straight, tmp_path, monkeypatch):
    """Its verdicts on the base model's responses are the same here, and with them the data of all other trainings."""
    import rlhalt.training.dpo
    import rlhalt.training.grpo
    import rlhalt.training.sft

    shutil.copytree(straight, tmp_path / "out")
    argv = ["quickstart", "--config", str(recipe(tmp_path, talking_model))]
    trained: list[str] = []
    for kind in (rlhalt.training.dpo, rlhalt.training.grpo, rlhalt.training.sft):
        monkeypatch.setattr(kind, "main", lambda argv: trained.append(Path(argv[5]).name))
    assert main(argv) == 0
    assert trained == []
    monkeypatch.setattr(Scorer, "fingerprint", "another")
    assert main(argv) == 0
    assert trained == ["grpo-0.5"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["base/responses.jsonl", "base/scored.jsonl", "seed0/sft", "evaluation/base"])
def test_killed_at_any_stage_it_finishes_with_the_same_rows(talking_model, straight, tmp_path, stage):
    command = [sys.executable, "-m", "rlhalt", "quickstart", "--config", str(recipe(tmp_path, talking_model))]
    out = tmp_path / "out"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    # The stage has begun when its output, or the journal of it, is there.
    while not any((out / stage).parent.glob(f"{Path(stage).name}*")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert snapshot(out) == snapshot(straight)


@pytest.mark.slow
def test_two_processes_share_the_stages_and_make_the_rows_of_one(talking_model, straight, tmp_path):
    command = [sys.executable, "-m", "rlhalt", "quickstart", "--config", str(recipe(tmp_path, talking_model))]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes) for _ in range(2)]
    told = [one.communicate()[1] for one in processes]
    assert [one.returncode for one in processes] == [0, 0], told
    out = tmp_path / "out"
    assert snapshot(out) == snapshot(straight)
    for made in ("base/scored.jsonl", "seed0/sft", "seed0/dpo-0.5", "seed0/grpo-0.5", "evaluation/base"):
        # One of them has made it, and the other one has found it.
        assert sum(f"already done: {out / made}\n" in one for one in told) == 1, told
    assert not list(out.rglob("*.lock"))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"thresholds": [1.0]}, "threshold"),
        ({"thresholds": 0.5}, "thresholds"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [0.5]}, "seeds"),
        ({"thresholds": ["high"]}, "thresholds"),
        ({"responses": "many"}, "responses"),
        ({"temperature": True}, "temperature"),
        ({"engine": "steam"}, "engine"),
        ({"style": "hedge"}, "style"),
        ({"dpo_from": "grpo"}, "dpo_from"),
        ({"respnses": 3}, "respnses"),
        ({"best": None}, "best"),
        ({"supervised": ["halt", "hope"]}, "supervised"),
        ({"online_thresholds": [0.8]}, "online_thresholds"),
        ({"online_thresholds": []}, "online_thresholds"),
        ({"grpo": None}, "online_thresholds"),
        ({"distilled_online": "grpo.yaml"}, r"distilled_online \(only with distilled\)"),
        ({"draws": 4}, r"draws \(only with distilled\)"),
        ({"calibration": 20}, r"calibration \(only with calibrated\)"),
        ({"dpo": None, "grpo": None, "online_thresholds": [], "dpo_from": "base"}, r"dpo_from \(only with dpo\)"),
    ],
)
def test_a_wrong_recipe_is_one_line_naming_the_key(tmp_path, change, names):
    with pytest.raises(InputError, match=names) as caught:
        load_recipe(recipe(tmp_path, tmp_path, **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "own", "added"),
    [("transformers", None, False), ("vllm", None, True), ("vllm", False, False), ("vllm", True, False)],
)
def test_online_training_generates_with_the_engine_of_the_recipe(tmp_path, monkeypatch, engine, own, added):
    made = load_recipe(recipe(tmp_path, tmp_path, engine=engine))
    if own is not None:
        Path(str(made.grpo)).write_text(yaml.safe_dump({**GRPO, "use_vllm": own}))
    given: dict[str, list[str]] = {}
    for kind in ("grpo", "sft"):
        monkeypatch.setattr(f"rlhalt.training.{kind}.main", functools.partial(given.__setitem__, kind))
    (tmp_path / "rows.jsonl").touch()
    for kind, config in (("grpo", made.grpo), ("sft", made.sft)):
        training_stage(made, kind, str(config), tmp_path / "rows.jsonl", tmp_path / kind, 0, "model").work()
    assert "--use_vllm" not in given["sft"]
    assert ("--use_vllm" in given["grpo"]) == ("colocate" in given["grpo"]) == added


def test_length_and_template_reach_sampling_training_and_evaluation(talking_model, tmp_path, monkeypatch, capsys):
    """With a template that has an argument; a recipe without online training and other methods is enough."""
    import shutil

    from rlhalt.training import template as rows

    model = tmp_path / "model"
    shutil.copytree(talking_model, model)
    tagged = (model / "chat_template.jinja").read_text() + "{% if enable_thinking is defined %}{% endif %}"
    (model / "chat_template.jinja").write_text(tagged)
    given = {"enable_thinking": False}
    off = dict.fromkeys(("decisions", "threshold_in_prompt", "grpo"))
    less = {**off, "online_thresholds": [], "supervised": [], "prompts": 2}
    path = recipe(tmp_path, model, max_tokens=30, chat_template_kwargs=given, **less)
    rendered = []
    template = rows.Template
    monkeypatch.setattr(rows, "Template", lambda made, told: (rendered.append(told), template(made, told))[1])
    assert main(["quickstart", "--config", str(path)]) == 0
    assert rendered == [given, given]
    out = tmp_path / "out"
    files = [out / "base" / "responses.jsonl", *(out / "evaluation").glob("*/greedy.jsonl")]
    assert len(files) == 4
    for file in files:
        for row in read(file, Response):
            assert row.n_tokens <= 30
            assert row.sampler["max_tokens"] == 30
            assert row.sampler["template_args"] == json.dumps(given)
    assert "were cut off at 30 tokens" in capsys.readouterr().err
    record = json.loads((out / "evaluation" / "base" / "run.json").read_text())
    assert record["cut_off"]["greedy"] > 0.1


def test_the_recipes_of_the_project_are_read():
    root = Path(__file__).parents[1] / "configs" / "recipes"
    names = ("full.yaml", "unsure.yaml", "decide.yaml", "online.yaml")
    assert {load_recipe(root / name).domain for name in names} == {"countries"}
    quickstart = load_recipe(None)
    assert (quickstart.domain, quickstart.thresholds) == (["countries", "arithmetic"], [0.5])


def half_wrong(reference):
    """A worked solution whose first step is right and whose second one is wrong."""
    first, second, *_ = reference["answer"].splitlines()
    return f"{first}\n{second}1\nUnsure from here."


def test_a_recipe_runs_a_causal_domain(tiny_model, tmp_path):
    model = taught(tiny_model, "arithmetic", half_wrong, tmp_path / "model")
    off = dict.fromkeys(("decisions", "threshold_in_prompt", "grpo", "online_thresholds", "supervised"))
    path = recipe(tmp_path, model, domain="arithmetic", responses=4, **off)
    assert main(["run", str(path)]) == 0
    scored = list(read(tmp_path / "out" / "base" / "scored.jsonl", Scored))
    assert {row.domain for row in scored} == {"arithmetic"}
    assert {one.label for row in scored for one in row.fragments} >= {"correct", "incorrect"}
    assert {one.style for one in read(tmp_path / "out" / "base" / "pairs-0.5.jsonl", Pair)} <= {"unsure", "keep"}
    assert (tmp_path / "out" / "report" / "report.html").is_file()


def test_the_judge_of_a_recipe_is_the_judge_of_its_online_training():
    judge = {
        "judge_address": "http://localhost:8000/v1",
        "judge_model": "judge",
        "judge_prices": [0.5, 1.5],
        "judge_rate": None,
        "judge_body": '{"reasoning_effort": "low"}',
        "budget_calls": 100,
    }
    recipe = dataclasses.replace(load_recipe("online"), judge=judge)
    (found,) = HfArgumentParser(JudgeArguments).parse_args_into_dataclasses(judge_keys(recipe))
    assert found == JudgeArguments(**judge)
