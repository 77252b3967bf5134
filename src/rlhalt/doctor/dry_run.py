"""Two real steps of a configuration, with a small model of the same family: data, keys and launcher meet."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rlhalt.doctor.finding import Finding
from rlhalt.doctor.plan import Plan
from rlhalt.files.strict_yaml import read_yaml
from rlhalt.models.names import whole_model

# Enough for a group of responses or a batch on every process.
_ROWS = 64
# What is made small; a family without one of these keeps its own.
_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
_HEADS = {"num_key_value_heads": 2, "head_dim": 16}


def parsed(plan: Plan) -> tuple[Any, ...]:
    """The configuration as the trainer of its kind parses it.

    Raises:
        InputError: an unknown key, or a value that the trainer refuses.
        ValueError, ImportError: what transformers says of a device that is not there.
    """
    from rlhalt.training.kinds import kinds
    from rlhalt.training.setup import parse

    with tempfile.TemporaryDirectory() as scratch:
        # Not every configuration names its data and its output: these come with the command.
        argv = ["--config", str(plan.config), *_argv(plan.keys, plan)]
        for key in ("train_file", "output_dir"):
            if key not in plan.keys:
                argv += [f"--{key}", str(Path(scratch) / key)]
        found = parse(kinds(plan.kind), argv)
    if plan.kind == "grpo":
        from rlhalt.training.fragment_grpo.trainer import check_arguments, check_vllm

        check_arguments(found[1])
        check_vllm(found[1])
    return found


def dry_run(plan: Plan) -> Finding:
    """Two steps in processes of their own, started as the plan says."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            _small_model(plan, folder / "model")
            _some_rows(plan, folder / "rows.jsonl")
        except (OSError, ValueError) as error:
            return Finding("two steps", "warn", f"not tried: {str(error).splitlines()[0]}")
        launch = [sys.executable, "-m", "accelerate.commands.launch"]
        launch += ["--config_file", str(plan.accelerate)] if plan.accelerate else ["--num_processes", "1"]
        small = {
            "model_name_or_path": folder / "model",
            "train_file": folder / "rows.jsonl",
            "output_dir": folder / "out",
            "max_steps": 2,
            "gradient_accumulation_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
        }
        if plan.kind == "grpo":
            small |= {"use_vllm": False, "max_completion_length": 16}
        argv = [*launch, "-m", "rlhalt", "train", plan.kind, "--config", str(plan.config)]
        argv += _argv({**plan.keys, **small}, plan)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding("two steps", "pass", "ran, with a 2-layer model of the same family")
    told = [line for line in done.stderr.splitlines() if line.strip()]
    last = next((line for line in reversed(told) if line.startswith("rlhalt:") or "Error" in line), (told or ["?"])[-1])
    return Finding("two steps", "fail", last.strip())


def _argv(keys: Any, plan: Plan) -> list[str]:
    """What differs from the file, as the command line gives it."""
    there = read_yaml(plan.config)
    differing = [(key, value) for key, value in keys.items() if there.get(key) != value]
    return [word for key, value in differing for word in (f"--{key}", str(value))]


def _small_model(plan: Plan, folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    name, _ = whole_model(str(plan.get("model_name_or_path")))
    config = AutoConfig.from_pretrained(name)
    for key, value in {**_SMALL, **_HEADS}.items():
        if hasattr(config, key):
            setattr(config, key, value)
    # One entry a layer, in families that name the attention of each.
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: _SMALL["num_hidden_layers"]]
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(name).save_pretrained(folder)


def _some_rows(plan: Plan, path: Path) -> None:
    with Path(str(plan.get("train_file"))).open(encoding="utf-8") as lines:
        path.write_text("".join(itertools.islice(lines, _ROWS)), encoding="utf-8")
