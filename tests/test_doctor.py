"""What the doctor says of configurations, beside what is really there."""

from __future__ import annotations

import http.server
import shutil
import socket
import threading
from pathlib import Path

import pytest
import torch
import yaml

from rlhalt.cli import main
from rlhalt.doctor import examine, read_plan
from rlhalt.doctor.memory import estimate, size
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.records import write
from tiny_training import ONLINE

ROOT = Path(__file__).parents[1]
GRPO = {
    "domain": "countries",
    **ONLINE,
    "per_device_train_batch_size": 8,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
}


@pytest.fixture
def prompts(tmp_path) -> Path:
    write(tmp_path / "prompts.jsonl", load_domain("countries").prompts(split="train")[:8])
    return tmp_path / "prompts.jsonl"


@pytest.fixture
def plan(tiny_model, tmp_path, prompts):
    def make(kind: str = "grpo", accelerate: dict | None = None, **keys):
        config = tmp_path / f"{kind}.yaml"
        shared = {"model_name_or_path": str(tiny_model), "train_file": str(prompts)}
        config.write_text(yaml.safe_dump({**shared, **(GRPO if kind == "grpo" else {"use_cpu": True}), **keys}))
        file = tmp_path / "accelerate.yaml"
        file.write_text(yaml.safe_dump(accelerate or {}))
        return read_plan(kind, config, [], file if accelerate else None)

    return make


def found(plan) -> dict[str, tuple[str, str]]:
    return {one.about: (one.verdict, one.says) for one in examine(plan)}


def test_a_run_that_would_go_well(plan):
    findings = found(plan())
    assert {name for name, (verdict, _) in findings.items() if verdict == "fail"} == set()
    assert findings["data"] == ("pass", f"8 rows in {plan().get('train_file')}")
    assert findings["generation"][0] == "warn"
    assert findings["template"] == ("pass", "the model's own")
    assert findings["tokens"] == ("pass", "a turn ends with <|im_end|>; padded with <|endoftext|>")
    assert "asks no language model" in findings["domain"][1]


@pytest.mark.parametrize(
    ("keys", "about", "says"),
    [
        ({"learning_rte": 1e-5}, "configuration", "did you mean 'learning_rate'?"),
        ({"credit": "fragments"}, "configuration", "expected fragment, sum"),
        ({"loss_type": "grpo"}, "configuration", "weigh tokens by their response"),
        ({"train_file": "nowhere.jsonl"}, "data", "found no such file"),
        ({"model_name_or_path": "./nowhere"}, "memory", "expected a model folder"),
        ({"domain": "cuntries"}, "domain", "cuntries"),
        ({"domain": "biography"}, "judge", "judge_address"),
        ({"use_vllm": True, "vllm_mode": "server"}, "generation", "colocate"),
    ],
)
def test_what_is_wrong_is_named(plan, keys, about, says):
    verdict, said = found(plan(**keys))[about]
    assert verdict == "fail"
    assert says in said


@pytest.fixture
def base_model(tiny_model, tmp_path) -> Path:
    """The tiny model without its chat template."""
    folder = tmp_path / "base_model"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink()
    return folder


def test_a_model_without_a_template_needs_one_to_be_trained(plan, base_model):
    verdict, says = found(plan("sft", model_name_or_path=str(base_model)))["template"]
    assert verdict == "fail"
    assert "base_template: plain" in says
    findings = found(plan("sft", model_name_or_path=str(base_model), base_template="plain"))
    assert findings["template"] == ("pass", "plain, since the model has none")
    assert findings["tokens"][0] == "pass"


def test_an_argument_that_the_template_does_not_know(plan):
    verdict, says = found(plan("sft", chat_template_kwargs={"enable_thinking": False}))["template"]
    assert verdict == "fail"
    assert "enable_thinking" in says


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there(plan):
    findings = found(plan(use_cpu=False))
    assert findings["devices"] == ("fail", "expected 1 GPU(s), found none; on a CPU: use_cpu: true")
    assert findings["memory"][0] == "warn"


@pytest.mark.parametrize(("status", "verdict"), [(200, "pass"), (401, "fail"), (404, "warn")])
def test_a_judge_that_answers(plan, status, verdict):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as judge:
        threading.Thread(target=judge.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{judge.server_port}/v1"
        assert found(plan(domain="biography", judge_model="judge", judge_address=address))["judge"][0] == verdict
        judge.shutdown()


def test_a_judge_that_is_not_there(plan):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{one.getsockname()[1]}/v1"
    verdict, says = found(plan(domain="biography", judge_model="judge", judge_address=address))["judge"]
    assert verdict == "fail"
    assert "does not answer" in says


def test_a_taken_port(plan):
    with socket.socket() as one:
        one.bind(("", 0))
        one.listen()
        taken = one.getsockname()[1]
        keys = {"use_cpu": False, "use_vllm": True, "vllm_mode": "server", "vllm_group_port": taken}
        assert found(plan(**keys))["port"][0] == "fail"
    assert found(plan(**keys))["port"][0] == "pass"


def test_versions_are_those_of_trl(plan, monkeypatch):
    import importlib.metadata

    original = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9.1" if name == "vllm" else original(name))
    verdict, says = found(plan(use_vllm=True))["vllm"]
    assert verdict == "fail"
    assert "found 0.9.1" in says


def test_sizes_are_those_of_the_loaded_model(plan, tiny_model):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    counted = size(plan())
    assert counted.parameters == counted.trained == model.num_parameters()
    lora = size(plan(use_peft=True, lora_r=4, lora_target_modules="all-linear"))
    linear = [one for name, one in model.named_modules() if hasattr(one, "in_features") and "lm_head" not in name]
    assert lora.trained == sum(4 * (one.in_features + one.out_features) for one in linear)


def test_what_is_shared_among_processes_is_held_once(plan):
    of = size(plan())
    zero = {"distributed_type": "DEEPSPEED", "num_processes": 4}
    alone, second, third = (
        estimate(plan("dpo", accelerate={**zero, "deepspeed_config": {"zero_stage": stage}}), of) for stage in (0, 2, 3)
    )
    assert alone.weights == alone.reference == 4 * of.parameters
    assert alone.optimiser == 12 * of.parameters
    assert (second.weights, second.optimiser) == (alone.weights, alone.optimiser / 4)
    assert (third.weights, third.optimiser) == (alone.weights / 4, alone.optimiser / 4)
    # A LoRA adapter's reference is the model without it.
    lora = plan("dpo", use_peft=True, lora_target_modules="all-linear")
    assert estimate(lora, size(lora)).reference == 0


def test_by_the_command_line_with_two_real_steps(plan, capsys):
    config = plan(max_completion_length=16, temperature=1.0).config
    assert main(["doctor", "grpo", "--config", str(config), "--dry-run", "--learning_rate", "0.001"]) == 0
    assert "two steps" in capsys.readouterr().out
    assert main(["doctor", "grpo", "--config", str(config), "--loss_type", "grpo"]) == 2
    assert "1 of 15 checks say that this run would fail: configuration" in capsys.readouterr().err
    assert main(["compare", "somewhere", "--output", "out", "--learning_rate", "0.001"]) == 2
    assert "unrecognized arguments: --learning_rate" in capsys.readouterr().err


def test_an_adapter_is_counted_with_the_model_under_it(plan, tiny_model, tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    trained = sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    adapted.save_pretrained(tmp_path / "adapter")
    # The rank is the adapter's own, whatever the configuration would give a new one.
    counted = size(plan("dpo", model_name_or_path=str(tmp_path / "adapter"), use_peft=True, lora_r=64))
    assert (counted.parameters, counted.trained) == (size(plan()).parameters, trained)


def test_failures_are_shown_first_and_are_an_error(capsys):
    from rlhalt.doctor import Finding, shown

    with pytest.raises(InputError, match=r"1 of 3 checks .* fail: memory"):
        shown([Finding("torch", "pass", "2.13"), Finding("data", "warn", "none"), Finding("memory", "fail", "full")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["fail", "memory"], ["warn", "data"], ["pass", "torch"]]


@pytest.mark.parametrize(
    ("free", "keys", "verdict", "says"),
    [
        (1.0, {}, "pass", "each checkpoint of"),
        (1.0, {"save_total_limit": 2}, "pass", "up to 3 checkpoints of"),
        (1.0, {"save_strategy": "no"}, "pass", "GiB of trained weights; "),
        (3 * 4, {}, "warn", "set save_total_limit or save_only_model"),
        (3 * 4, {"save_strategy": "no"}, "pass", "trained weights"),
        (3 * 4, {"save_only_model": True}, "pass", "each checkpoint of"),
        (2, {}, "fail", "choose another output_dir"),
    ],
)
def test_a_disk_that_is_too_small(plan, tmp_path, monkeypatch, free, keys, verdict, says):
    # In bytes for each trained weight: it takes 4 at the end, and 12 in a checkpoint; 1.0 stands for plenty.
    asked = plan("dpo", output_dir=str(tmp_path / "not" / "there" / "yet"), **keys)
    there = 2**50 if isinstance(free, float) else free * size(asked).trained
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(2**50, 0, there))
    found_verdict, said = found(asked)["disk"]
    assert found_verdict == verdict
    assert says in said
    assert f"free in {tmp_path}" in said


@pytest.mark.parametrize(
    ("report_to", "installed", "finding"),
    [
        ("none", False, None),
        ("wandb", False, ("fail", "wandb is not installed: pip install wandb, or leave report_to out")),
        (
            ["none", "comet_ml"],
            False,
            ("fail", "comet_ml is not installed: pip install comet-ml, or leave report_to out"),
        ),
        ("wandb", True, ("pass", "wandb")),
        ("tensorboard", True, ("pass", "tensorboard")),
    ],
)
def test_what_a_run_reports_to_is_installed(plan, monkeypatch, report_to, installed, finding):
    from rlhalt.doctor.checks import _reports

    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    told = {one.about: (one.verdict, one.says) for one in _reports(plan("dpo", report_to=report_to))}
    assert told.get("report_to") == finding


def test_a_token_that_ends_a_turn_is_missing(plan, tiny_model, tmp_path, monkeypatch):
    folder = tmp_path / "endless"
    shutil.copytree(tiny_model, folder)
    monkeypatch.setattr("rlhalt.chat.templates.turn_ends", no_end)
    verdict, says = found(plan("sft", model_name_or_path=str(folder)))["template"]
    assert (verdict, says) == ("fail", "expected a token that ends a turn, found none")


def no_end(*_: object) -> None:
    raise InputError("expected a token that ends a turn, found none")
