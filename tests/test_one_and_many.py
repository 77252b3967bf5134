"""One process and several: the same losses, the same after a kill, and what runs is what was asked for."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace as Found
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")

from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.records import Decision, Pair, Target, write
from rlhalt.training import training_run
from rlhalt.training.checkpoints import newest
from rlhalt.training.launch import check_accelerator, check_processes
from tiny_training import ACCELERATE, ROOT, TRAINING, TRAININGS, launch, losses

KINDS = ("sft", "dpo", "decisions")
KEYS: dict[str, dict[str, Any]] = {"sft": {}, "dpo": {"draws": 24, "beta": 0.5}, "decisions": {}}
# What gives the same losses in two processes as in one without it.
SAME = {
    "sft": [{}],
    "dpo": [{}, {"precompute_ref_log_probs": True}, {"precompute_ref_log_probs": True, "shared": False}],
    "decisions": [{}],
}


def said(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """24 targets, pairs and decisions of unlike length."""
    folder = tmp_path_factory.mktemp("data")
    facts = ["Norway is in Europe.", "Its capital is Oslo.", "Its currency is the krone.", "It is large."]
    targets, pairs, decisions = [], [], []
    for number in range(24):
        asked = said("user", f"State {number} facts about Norway.")
        before, speak = " ".join(facts[: number % 4]), facts[(5 * number + 1) % 4]
        spoken, halted = (f"{before} {words}".strip() for words in (speak, "Unsure from here."))
        key = str(number)
        targets.append(Target(key, asked, said("assistant", spoken), "remove", key))
        cut = len(before)
        pairs.append(
            Pair(key, asked, said("assistant", spoken), said("assistant", halted), 0.5, "unsure", 0.5, cut, key)
        )
        gap = " " if before else ""
        worth = 0.5 if number % 3 else -0.5
        decisions.append(
            Decision(key, asked, before, f"{gap}{speak}", [f"{gap}Unsure from here."], worth, "unsure", 0.5, key)
        )
    for kind, rows in zip(KINDS, (targets, pairs, decisions), strict=True):
        write(folder / f"{kind}.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
def arguments(tiny_model, data, tmp_path_factory):
    """The command line of a training into a folder of its own: 6 steps of 8 examples in all."""

    def make(kind: str, processes: int, **keys: Any) -> tuple[list[str], Path]:
        folder = tmp_path_factory.mktemp(kind)
        whole = {
            **TRAINING,
            "model_name_or_path": str(tiny_model),
            "train_file": str(data / f"{kind}.jsonl"),
            "output_dir": str(folder / "out"),
            "per_device_train_batch_size": 8 // processes,
            "learning_rate": 3.0e-3,
            "max_steps": 6,
            **KEYS[kind],
            **keys,
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(whole))
        return [kind, "--config", str(folder / "config.yaml")], folder / "out"

    return make


@pytest.fixture(scope="module")
def straight(arguments) -> dict[tuple[str, int], list[Path]]:
    """Each kind, trained in one process and in two, and in two with what changes nothing."""
    made: dict[tuple[str, int], list[Path]] = {}
    several = []
    for kind in KINDS:
        argv, folder = arguments(kind, 1)
        assert main(["train", *argv]) == 0
        made[kind, 1] = [folder]
        again = [arguments(kind, 2, **keys) for keys in SAME[kind]]
        made[kind, 2] = [folder for _, folder in again]
        several += [argv for argv, _ in again]
    done = launch(2, TRAININGS, json.dumps(several))
    assert done.returncode == 0, done.stderr[-3000:]
    for trainer in ("SFTTrainer", "SharedDPOTrainer", "DPOTrainer", "DecisionTrainer"):
        assert f"{trainer}: MULTI_CPU, 2 process(es) on cpu" in done.stderr
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one_does(straight, kind):
    """1 · 8 examples and 2 · 4; reference values asked beforehand too, by either trainer."""
    [one] = map(losses, straight[kind, 1])
    assert len(one) == 6
    assert one[-1] < one[0]
    assert [losses(folder) for folder in straight[kind, 2]] == [pytest.approx(one, rel=1e-4)] * len(SAME[kind])


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["dpo", "decisions"])
def test_less_memory_gives_the_same_losses(arguments, kind, lora):
    found = []
    frugal = {"gradient_checkpointing": True, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    for keys in ({}, frugal):
        # Adapters begin at random.
        torch.manual_seed(0)
        adapter = {"use_peft": lora, "lora_target_modules": "all-linear", "lora_dropout": 0.0}
        argv, folder = arguments(kind, 1, **adapter, **keys)
        assert main(["train", *argv]) == 0
        found.append(losses(folder))
    plain, small = found
    assert len(set(plain)) == 6
    assert small == pytest.approx(plain, rel=1e-4)


SAVED = {"save_strategy": "steps", "save_steps": 2}


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


# The others take as long and go the same way.
@pytest.mark.parametrize(
    ("kind", "processes"),
    [
        ("sft", 1),
        ("dpo", 2),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("sft", 2), ("dpo", 1), ("decisions", 1))),
        pytest.param("decisions", 2, marks=pytest.mark.slow),
    ],
)
def test_a_killed_training_goes_on_as_if_it_had_not_been(straight, arguments, kind, processes):
    argv, folder = arguments(kind, processes, **SAVED)
    killed = launch(processes, TRAININGS, json.dumps([argv]), "3")
    assert killed.returncode == -signal.SIGKILL or "Signal 9 (SIGKILL)" in killed.stderr, killed.stderr[-3000:]
    assert [one.name for one in folder.glob("checkpoint-*")] == ["checkpoint-2"]
    assert not (folder / "run.json").exists()
    again = launch(processes, TRAININGS, json.dumps([[*argv, "--resume"]]))
    assert again.returncode == 0, again.stderr[-3000:]
    assert f"resuming from {folder / 'checkpoint-2'}" in again.stderr
    whole_run = straight[kind, processes][0]
    assert losses(folder) == pytest.approx(losses(whole_run), rel=1e-5)
    resumed, whole = weights(folder), weights(whole_run)
    assert resumed.keys() == whole.keys()
    for name, weight in whole.items():
        assert torch.allclose(resumed[name], weight, rtol=0, atol=1e-6), name


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_zero_3_trains_as_one_process_does_killed_or_not(straight, arguments, kind):
    zero3 = ACCELERATE / "zero3.yaml"
    # With use_cpu: true accelerate has no DeepSpeed, and without a backend no second process.
    argv, folder = arguments(kind, 2, use_cpu=False, ddp_backend="gloo", **SAVED)
    killed = launch(2, TRAININGS, json.dumps([argv]), "3", settings=zero3)
    assert "Signal 9 (SIGKILL)" in killed.stderr, killed.stderr[-3000:]
    again = launch(2, TRAININGS, json.dumps([[*argv, "--resume"]]), settings=zero3)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "DEEPSPEED, 2 process(es) on cpu" in again.stderr
    assert losses(folder) == pytest.approx(losses(straight[kind, 1][0]), rel=1e-4)


def test_an_adapter_that_was_gone_on_with_is_gone_on_with_again(arguments):
    """TRL keeps its beginning as a second adapter, the reference."""
    from safetensors.torch import load_file

    adapter = {"use_peft": True, "lora_target_modules": "all-linear", "lora_dropout": 0.0}
    argv, begun = arguments("sft", 1, **adapter)
    assert main(["train", *argv]) == 0
    folders = []
    for resumed in (False, True):
        argv, folder = arguments("dpo", 1, model_name_or_path=str(begun), **SAVED)
        if resumed:
            # As if killed in its fourth step.
            shutil.copytree(folders[0] / "checkpoint-2", folder / "checkpoint-2")
        assert main(["train", *argv, "--resume"]) == 0
        folders.append(folder)
    straight, again = map(losses, folders)
    assert straight[-1] < straight[2] < straight[0]
    assert again == pytest.approx(straight, rel=1e-5)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in folders)
    for name, weight in one.items():
        assert torch.allclose(weight, other[name], rtol=0, atol=1e-6), name


def checkpoint(folder: Path, step: int, processes: int, state: str | None = "{}") -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    for number in range(processes):
        (path / f"rng_state{f'_{number}' if processes > 1 else ''}.pth").touch()
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_the_newest_whole_checkpoint_is_gone_on_from(tmp_path):
    assert newest(tmp_path / "none", 1) is None
    assert newest(tmp_path, 1) is None
    nine, ten = (checkpoint(tmp_path, step, 1) for step in (9, 10))
    assert newest(tmp_path, 1) == ten
    # Killed while it was written: before its end, halfway through it, and with save_only_model.
    checkpoint(tmp_path, 11, 1, None)
    checkpoint(tmp_path, 12, 1, '{"global_step"')
    checkpoint(tmp_path, 13, 0)
    (tmp_path / "checkpoint-best").mkdir()
    assert newest(tmp_path, 1) == ten
    (ten / "trainer_state.json").unlink()
    assert newest(tmp_path, 1) == nine


def test_a_checkpoint_that_one_of_two_processes_had_written_is_passed_over(tmp_path):
    torn = checkpoint(tmp_path, 4, 2)
    (torn / "rng_state_1.pth").unlink()
    assert newest(tmp_path, 2) is None
    before = checkpoint(tmp_path, 3, 2)
    assert newest(tmp_path, 2) == before


def test_a_checkpoint_of_other_processes_is_refused(tmp_path):
    checkpoint(tmp_path, 4, 1)
    with pytest.raises(InputError, match=r"checkpoint of 2 process\(es\), found one of 1; start as many"):
        newest(tmp_path, 2)


def test_nothing_is_gone_on_with_where_only_the_model_is_kept(arguments, capsys):
    argv, folder = arguments("sft", 1, save_only_model=True)
    assert main(["train", *argv, "--resume"]) == 2
    assert "field 'save_only_model': expected checkpoints to resume from" in capsys.readouterr().err
    assert not (folder / "run.json").exists()


def test_a_resumed_run_is_the_same_run(data, tmp_path):
    def made(*more: str) -> str:
        argv = ["--train_file", str(data / "sft.jsonl"), *more, "--seed", "1"]
        return training_run("sft", argv, data / "sft.jsonl", tmp_path, "m")._record["fingerprint"]

    assert made() == made("--resume") == made("--resume", "true") == made("--resume_from_checkpoint", "x")
    assert made() != made("--bf16")


# What was asked for, and what runs.

ARGS = {"device": torch.device("cpu"), "world_size": 1, "n_gpu": 0, "use_cpu": False, "bf16": False, "fp16": False}


@pytest.mark.parametrize(
    ("environment", "found", "says"),
    [
        ({}, {}, None),
        ({"WORLD_SIZE": "2", "MASTER_ADDR": "here"}, {"world_size": 2}, None),
        ({"MASTER_ADDR": "here"}, {}, "expected several processes, since MASTER_ADDR is set"),
        ({"WORLD_SIZE": "2", "MASTER_ADDR": "here"}, {}, "expected 2 processes that train together, found 1 on cpu"),
        ({}, {"n_gpu": 4}, "expected a process for each GPU, found one for 4"),
    ],
)
def test_fewer_processes_than_were_started_are_refused(environment, found, says):
    args = Found(**{**ARGS, **found})
    if says is None:
        check_processes(args, environment)
    else:
        with pytest.raises(InputError, match=says):
            check_processes(args, environment)


@pytest.mark.parametrize(
    ("environment", "args", "found", "says"),
    [
        ({}, {}, ("NO", "no"), None),
        ({"ACCELERATE_USE_FSDP": "true"}, {"bf16": True}, ("FSDP", "bf16"), None),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, {}, ("DEEPSPEED", "no"), None),
        ({"ACCELERATE_USE_FSDP": "true"}, {}, ("MULTI_CPU", "no"), "expected FSDP, .* found MULTI_CPU: not available"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, {"use_cpu": True}, ("MULTI_CPU", "no"), "use_cpu: true turns it off"),
        ({}, {"bf16": True}, ("NO", "no"), "expected mixed precision 'bf16', .* found 'no'"),
        ({}, {}, ("NO", "bf16"), "expected mixed precision 'no', .* found 'bf16'"),
    ],
)
def test_another_way_or_precision_than_asked_for_is_refused(environment, args, found, says):
    kind, precision = found
    accelerator = Found(
        distributed_type=Found(value=kind), mixed_precision=precision, device=torch.device("cpu"), num_processes=1
    )
    if says is None:
        check_accelerator(Found(**{**ARGS, **args}), accelerator, environment)
    else:
        with pytest.raises(InputError, match=says):
            check_accelerator(Found(**{**ARGS, **args}), accelerator, environment)


def test_a_launcher_that_starts_one_process_of_two_is_found_out(arguments, tmp_path):
    """accelerate's MULTI_CPU."""
    settings = tmp_path / "multi_cpu.yaml"
    settings.write_text("compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nuse_cpu: true\n")
    argv, folder = arguments("sft", 2)
    done = launch(2, ROOT / "scripts" / "train_sft.py", *argv[1:], settings=settings)
    assert done.returncode != 0
    assert "rlhalt: field 'num_processes': expected several processes" in done.stderr
    assert not folder.exists()


def test_a_precision_that_only_the_launcher_was_told_is_found_out(arguments, monkeypatch, capsys):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    argv, folder = arguments("sft", 1)
    assert main(["train", *argv]) == 2
    assert "expected mixed precision 'no'" in capsys.readouterr().err
    assert not (folder / "run.json").exists()
