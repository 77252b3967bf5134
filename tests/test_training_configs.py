"""The configurations of training: all parse, their sums are right, and they train as far as a CPU goes."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")

from rlhalt.models.precision import cpu_computes_bfloat16
from rlhalt.records import Decision, Pair, Target, write
from rlhalt.training.decisions import DecisionData
from rlhalt.training.dpo import DpoData
from rlhalt.training.sft import SftData
from tiny_training import ACCELERATE, ROOT, launch, losses

TRAININGS = Path(__file__).parent / "trainings.py"
FILES = {"sft": "targets", "dpo": "pairs", "decisions": "decisions"}
CONFIGS = sorted(path for kind in FILES for path in (ROOT / "configs" / kind).glob("*.yaml"))
LARGE = [path for path in CONFIGS if path.stem not in ("135m", "distilled", "four")]


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_every_configuration_parses_and_says_how_it_is_launched(path, tmp_path):
    from trl import DPOConfig, ModelConfig, SFTConfig

    from rlhalt.training.decision_trees.trainer import DecisionConfig
    from rlhalt.training.setup import parse

    kinds = {"sft": (SftData, SFTConfig), "dpo": (DpoData, DPOConfig), "decisions": (DecisionData, DecisionConfig)}
    text = path.read_text(encoding="utf-8")
    head = text.split("\nmodel_name_or_path")[0]
    script = re.search(r"scripts/\S+\.py --config (\S+)", head)
    assert script is not None
    assert ROOT / script[1] == path
    assert f"scripts/train_{path.parent.name}.py" in script[0]
    for named in re.findall(r"configs/accelerate/\S+\.yaml", head):
        assert (ROOT / named).is_file()
    more = [] if "train_file" in yaml.safe_load(text) else ["--train_file", "x.jsonl", "--output_dir", str(tmp_path)]
    argv = ["--config", str(path), *more, "--use_cpu", "true"]
    data, args, _ = parse((*kinds[path.parent.name], ModelConfig), argv)
    assert not data.resume
    assert args.bf16 == cpu_computes_bfloat16()


@pytest.mark.parametrize("path", LARGE, ids=name)
def test_the_sums_in_the_comments_are_right(path):
    text = path.read_text(encoding="utf-8")
    keys = yaml.safe_load(text)
    said = re.search(r"# (\d+) processes · (\d+) · (\d+) = (\d+) ", text)
    assert said is not None
    processes, batch, accumulated, together = map(int, said.groups())
    assert (batch, accumulated) == (keys["per_device_train_batch_size"], keys["gradient_accumulation_steps"])
    assert processes * batch * accumulated == together
    # What stands in brackets is of another way.
    parts = dict(re.findall(r"^#   (\w\S*) .* = +([\d.]+)$", text, re.MULTILINE))
    whole = float(parts.pop("all"))
    assert sum(map(float, parts.values())) == pytest.approx(whole, abs=0.15)
    assert whole < 72
    kept = re.search(
        r"(\d+) · (?:about )?(2 · )?1024 tokens · \((\d+) layers · (\d+) · (\d) bytes kept \+ ([\d.]+) MB", text
    )
    assert kept is not None
    examples, twice, layers, width, size, again = kept.groups()
    assert int(examples) == batch
    assert keys["max_length"] == 1024
    tokens = batch * 1024 * (2 if twice else 1)
    bytes_each = int(layers) * int(width) * int(size) + float(again) * 1e6
    assert tokens * bytes_each / 1e9 == pytest.approx(float(parts["activations"]), abs=0.06)


def test_accelerate_s_files_are_read_by_accelerate():
    from accelerate.commands.config.config_args import load_config_from_file

    kinds = {path.stem: load_config_from_file(str(path)) for path in ACCELERATE.glob("*.yaml")}
    assert {stem: str(one.distributed_type.value) for stem, one in kinds.items()} == {
        "cpu": "MULTI_GPU",
        "ddp": "MULTI_GPU",
        "fsdp2": "FSDP",
        "zero2": "DEEPSPEED",
        "zero3": "DEEPSPEED",
    }
    assert [kinds[stem].deepspeed_config["zero_stage"] for stem in ("zero2", "zero3")] == [2, 3]
    # Precision is the training's to say.
    assert all(one.mixed_precision is None for one in kinds.values())


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    asked = [{"role": "user", "content": "State five facts about Norway."}]
    right, halted = ([{"role": "assistant", "content": text}] for text in ("Norway is in Europe.", "Unsure from here."))
    rows: dict[str, list[Any]] = {one: [] for one in FILES}
    for number in range(8):
        key = str(number)
        rows["sft"].append(Target(key, asked, right, "remove", key))
        rows["dpo"].append(Pair(key, asked, right, halted, 0.5, "unsure", 0.5, 0, key))
        rows["decisions"].append(
            Decision(key, asked, "", right[0]["content"], [halted[0]["content"]], 0.5, "unsure", 0.5, key)
        )
    for kind, file in FILES.items():
        write(folder / f"{file}.jsonl", rows[kind])
    return folder


def two_steps(path: Path, model: Path, data: Path, folder: Path, *more: str) -> list[str]:
    kind = path.parent.name
    return [
        *(kind, "--config", str(path), "--model_name_or_path", str(model), "--output_dir", str(folder / name(path))),
        *("--train_file", str(data / f"{FILES[kind]}.jsonl"), "--max_steps", "2", "--logging_steps", "1"),
        *("--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1", "--save_strategy", "no", *more),
    ]


def run(settings: str, configs: list[Path], model: Path, data: Path, folder: Path, *more: str) -> str:
    argvs = [two_steps(path, model, data, folder, *more) for path in configs]
    done = launch(2, TRAININGS, json.dumps(argvs), settings=ACCELERATE / f"{settings}.yaml")
    assert done.returncode == 0, done.stderr[-6000:]
    for path in configs:
        assert len(losses(folder / name(path))) == 2
    return done.stderr


def test_with_lora_they_train_on_two_processes(tiny_model, data, tmp_path):
    configs = [path for path in LARGE if path.stem == "8b_lora"]
    said = run("ddp", configs, tiny_model, data, tmp_path, "--use_cpu", "true")
    precision = "bf16" if cpu_computes_bfloat16() else "no"
    assert said.count(f"MULTI_CPU, 2 process(es) on cpu, {precision} precision") == len(configs) == 3


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
@pytest.mark.parametrize(("settings", "stem"), [("zero2", "8b_full"), ("zero3", "8b_full"), ("zero3", "70b")])
def test_whole_models_train_with_deepspeed(tiny_model, data, tmp_path, monkeypatch, settings, stem):
    # Reference values of another run would spare asking for them.
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path / "cache"))
    configs = [path for path in LARGE if path.stem == stem]
    # transformers has bfloat16 on a CPU with use_cpu alone, which turns DeepSpeed off.
    said = run(settings, configs, tiny_model, data, tmp_path, "--ddp_backend", "gloo", "--bf16", "false")
    assert said.count("DEEPSPEED, 2 process(es) on cpu, no precision, 0.1 of 0 M") == len(configs) == 3


@pytest.mark.slow
def test_fsdp_is_refused_where_accelerate_leaves_it_out(tiny_model, data, tmp_path):
    """accelerate 1.15 has FSDP on accelerators alone: on a CPU it would train without, and say nothing."""
    path = ROOT / "configs" / "sft" / "8b_full.yaml"
    argv = two_steps(path, tiny_model, data, tmp_path, "--use_cpu", "true")
    done = launch(2, TRAININGS, json.dumps([argv]), settings=ACCELERATE / "fsdp2.yaml")
    assert done.returncode != 0
    assert "field 'distributed_type': expected FSDP, as accelerate's file says, found MULTI_CPU" in done.stderr


def test_the_slurm_script_starts_a_launcher_on_each_node(cluster):
    commands = {
        "accelerate": 'echo "$RLHALT_CACHE $*" >> "$CALLS"',
        # srun --nodes N --ntasks N --kill-on-bad-exit=1 COMMAND: on each node.
        "srun": '[ "$1 $2 $3 $4" = "--nodes 2 --ntasks 2" ]; shift 5; for n in 0 1; do SLURM_PROCID=$n "$@"; done',
    }
    argv = ["scripts/train.slurm", "dpo", "configs/dpo/70b.yaml", "--seed", "1"]
    assert cluster(*argv, nodes=["a", "b"], commands=commands, RLHALT_CACHE="/shared") == [
        "/shared launch --config_file configs/accelerate/zero3.yaml --num_machines 2 --num_processes 16 "
        f"--machine_rank {rank} --main_process_ip a --main_process_port 29500 "
        "scripts/train_dpo.py --config configs/dpo/70b.yaml --resume --seed 1"
        for rank in (0, 1)
    ]
