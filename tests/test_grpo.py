"""Online training as a whole: configurations, a run, resuming, several processes, the Slurm script."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import reward_rows
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.records import Prompt, read, write
from rlhalt.training.fragment_grpo import reward
from rlhalt.training.grpo import GrpoData, main
from tiny_training import ONLINE, ROOT, TRAININGS, launch

CONFIGS = sorted((ROOT / "configs" / "grpo").glob("*.yaml"))
KEYS = {
    "domain": "countries",
    "threshold": 0.5,
    **ONLINE,
    "per_device_train_batch_size": 8,
    "max_completion_length": 40,
    "learning_rate": 1.0e-3,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "logging_steps": 1,
    "save_strategy": "no",
    "max_steps": 2,
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    write(path, load_domain("countries").prompts(split="train")[:8])
    return path


@pytest.fixture(scope="module")
def speaking_model(tiny_model, tmp_path_factory) -> Path:
    """The tiny model after it has been taught a few answers: it ends its turns, and is right sometimes."""
    answers = [
        "It is in Europe.",
        "It is in Asia.",
        "It is in Africa.",
        "It is in Asia. Unsure from here.",
        "Unsure from here.",
    ]
    return speaking(tiny_model, answers, tmp_path_factory.mktemp("speaking"))


def speaking(tiny_model: Path, answers: list[str], folder: Path) -> Path:
    """The tiny model, taught these answers to one question."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    asked = {"role": "user", "content": "State five facts about Norway."}
    rows = [
        tokenizer.apply_chat_template(
            [asked, {"role": "assistant", "content": answer}], return_dict=False, add_generation_prompt=False
        )
        for answer in answers
    ]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    labels = ids.masked_fill(ids == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=(labels != -100).long(), labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def config(folder: Path, **keys: object) -> str:
    (folder / "grpo.yaml").write_text(yaml.safe_dump({**KEYS, **keys}))
    return str(folder / "grpo.yaml")


def arguments(folder: Path, model: Path, prompts: Path, *more: str, **keys: object) -> list[str]:
    return [
        *("--config", config(folder, **keys), "--train_file", str(prompts)),
        *("--output_dir", str(folder / "out"), "--model_name_or_path", str(model), *more),
    ]


def record(folder: Path) -> dict:
    return json.loads((folder / "out" / "run.json").read_text())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_can_be_parsed_and_makes_whole_groups(path, tmp_path):
    from trl import GRPOConfig, ModelConfig

    from rlhalt.training.fragment_grpo.trainer import check_arguments
    from rlhalt.training.setup import parse

    text = path.read_text()
    assert "train_grpo" in text.split("\nmodel_name_or_path")[0]
    more = [] if "train_file" in yaml.safe_load(text) else ["--train_file", "p.jsonl", "--output_dir", str(tmp_path)]
    data, args, _ = parse((GrpoData, GRPOConfig, ModelConfig), ["--config", str(path), *more, "--use_cpu", "true"])
    check_arguments(args)
    assert data.credit == "fragment"
    # The only loss that keeps τ where wrong fragments are longer.
    assert args.loss_type == "dr_grpo"
    assert (data.repeated, data.unfinished) == (-0.5, -1.0)
    processes = {"countries": 1, "distilled": 1, "gsm8k": 1, "one_gpu": 1, "node": 6, "nodes": 16}[path.stem]
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * processes
    assert batch % args.num_generations == 0
    # On-policy: what is generated for a step is used in that step.
    assert args.steps_per_generation == args.gradient_accumulation_steps


def test_two_steps_say_what_they_did(speaking_model, prompts, tmp_path, capsys):
    more = ("--use_peft", "true", "--lora_target_modules", "all-linear")
    main(arguments(tmp_path, speaking_model, prompts, *more, beta=0.01))
    found = record(tmp_path)
    assert found["steps"] == 2
    assert found["thresholds"] == [0.5]
    assert found["verifier"].startswith("knowledge/")
    assert len(found["prompts"]) == 8
    assert found["parameters"]["domain"] == "countries"
    first = found["log"][0]
    for name in ("rewards/FragmentReward/mean", "fragments/correct", "fragments/failure_share", "responses/halted"):
        assert name in first
    assert first["groups/empty"] < 1
    assert first["grad_norm"] > 0
    assert first["fragments/failed"] == 0
    assert "kl" in first
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert "FragmentGRPOTrainer: NO, 1 process(es) on cpu" in capsys.readouterr().err


def test_every_group_is_paid_at_the_threshold_that_its_prompt_states(speaking_model, prompts, tmp_path, monkeypatch):
    paid, original = [], reward.earned

    def earned(fragments, pay, *args, **keys):
        paid.append(pay.threshold)
        return original(fragments, pay, *args, **keys)

    monkeypatch.setattr(reward, "earned", earned)
    main(arguments(tmp_path, speaking_model, prompts, threshold=None, draws=3))
    thresholds = record(tmp_path)["thresholds"]
    assert len(thresholds) > 3 * 4  # three for each of eight prompts, a few of them equal
    assert set(paid) <= set(thresholds)
    assert len(set(paid)) > 1


def test_it_learns_to_halt_where_it_is_wrong_and_to_be_vague_without_the_guard(speaking_model, prompts, tmp_path):
    """At τ = 0.9 the tiny model had better say nothing; where vagueness costs nothing, it does that instead."""
    refused = {}
    for price in (-0.2, 0.0):
        folder = tmp_path / str(price)
        folder.mkdir()
        keys = {"max_steps": 40, "learning_rate": 3.0e-4, "lr_scheduler_type": "constant", "max_empty": 1.1}
        keys |= {"per_device_train_batch_size": 32, "num_generations": 8, "threshold": 0.9, "unverifiable": price}
        # Saying something vague again has a price of its own, which is part of the guard.
        keys |= {"repeated": price} if price == 0 else {}
        main(arguments(folder, speaking_model, prompts, **keys))
        log = [one for one in record(folder)["log"] if "reward" in one]
        assert mean(log[-5:], "fragments/incorrect") < mean(log[:5], "fragments/incorrect")
        refused[price] = mean(log[:5], "responses/refused"), mean(log[-5:], "responses/refused")
        vague = mean(log[:5], "fragments/unverifiable"), mean(log[-5:], "fragments/unverifiable")
    assert refused[-0.2][1] > 0.3 > refused[-0.2][0]
    assert refused[0.0][1] < 0.15
    assert vague[1] > 1.5 * vague[0]


def test_it_learns_to_end_and_not_to_say_it_again_at_a_low_threshold(tiny_model, prompts, tmp_path):
    """Half of the answers list to the limit, where one wrong claim of eight costs 0.1, and a right one earns 0.9."""
    rambles = "It is in Asia. It is in Europe. It is in Africa. It is in Asia. It is in Europe. It is in Africa. It is"
    answers = ["It is in Europe.", rambles, "It is in Asia.", rambles.replace("Africa", "Asia")]
    model = speaking(tiny_model, answers, tmp_path / "rambling")
    keys = {"max_steps": 40, "learning_rate": 3.0e-4, "lr_scheduler_type": "constant", "max_empty": 1.1}
    keys |= {"per_device_train_batch_size": 32, "num_generations": 8, "threshold": 0.1, "max_completion_length": 30}
    main(arguments(tmp_path, model, prompts, **keys))
    log = [one for one in record(tmp_path)["log"] if "reward" in one]
    for name in ("completions/clipped_ratio", "fragments/repeated", "completions/mean_length"):
        print(name, mean(log[:5], name), mean(log[-5:], name))
    assert mean(log[:5], "completions/clipped_ratio") > 0.2
    for name in ("completions/clipped_ratio", "fragments/repeated"):
        assert mean(log[-5:], name) < 0.5 * mean(log[:5], name)
    assert mean(log[-5:], "reward") > mean(log[:5], "reward")


@pytest.mark.slow
def test_memory_is_flat_over_200_steps(speaking_model, prompts, tmp_path, monkeypatch, capsys):
    """A judged response is some 10 KiB; kept, those of 150 steps would be 12 MiB."""
    from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer

    train, at = FragmentGRPOTrainer.training_step, []

    def watched(*args, **named):
        status = Path("/proc/self/status").read_text()
        at.append(int(status.partition("RssAnon:")[2].split()[0]) / 1024)
        return train(*args, **named)

    monkeypatch.setattr(FragmentGRPOTrainer, "training_step", watched)
    keys = {"max_steps": 201, "learning_rate": 1.0e-5, "beta": 0.01, "max_empty": 1.1, "max_drift": 100}
    main(arguments(tmp_path, speaking_model, prompts, **keys))
    with capsys.disabled():
        print({step: round(at[step]) for step in (1, 50, 100, 150, 200)})
    assert at[200] - at[50] < 8


def mean(log: list[dict], name: str) -> float:
    return sum(one[name] for one in log) / len(log)


@pytest.mark.parametrize("credit", ["sum", "response", "mixed", "flip"])
def test_the_other_ways_of_crediting_run_too(speaking_model, prompts, tmp_path, credit):
    main(arguments(tmp_path, speaking_model, prompts, "--credit", credit, max_steps=1, unverifiable=-0.1))
    assert record(tmp_path)["log"][0]["grad_norm"] > 0


def test_a_price_that_a_reward_model_never_asks_is_said(tiny_model, tmp_path, capsys):
    """It calls every fragment correct or incorrect: what cannot be checked is paid by what it guesses."""
    asked, told = tmp_path / "prompts.jsonl", tmp_path / "ink"
    write(asked, reward_rows.prompts(4))
    write(tmp_path / "scored.jsonl", reward_rows.rows())
    reward_rows.trained(tiny_model, tmp_path / "scored.jsonl", tmp_path / "probe")
    told.mkdir()
    settings = {"domain": "ink", "fragmenter": "sentences", "verifier": "model", "reward_model": "../probe"}
    settings |= {"halting": "independent", "threshold": 0.5}
    (told / "domain.yaml").write_text(yaml.safe_dump(settings))
    for number, price in enumerate((-0.1, 0.0)):
        folder = tmp_path / str(number)
        folder.mkdir()
        main(arguments(folder, tiny_model, asked, domain=str(told), max_steps=1, unverifiable=price))
        assert ("never paid" in capsys.readouterr().err) == (price < 0)
        assert record(folder)["log"][0]["fragments/unverifiable"] == 0


def curve(folder: Path) -> list[dict]:
    timeless = (
        "step_time",
        "epoch",
        "train_runtime",
        "train_steps_per_second",
        "train_samples_per_second",
        "num_tokens",
    )
    steps = [one for one in record(folder)["log"] if "loss" in one]
    # What is no number, as of no tokens, is null in the record.
    return [{k: math.nan if v is None else v for k, v in one.items() if k not in timeless} for one in steps]


@pytest.fixture(scope="module")
def adapter(speaking_model, tmp_path_factory) -> Path:
    """An adapter to go on with, as DPO leaves one: not what it was begun with."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(speaking_model, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(speaking_model).save_pretrained(folder)
    return folder


def train(processes: int, argv: list[str], capfd) -> str:
    """Train here, or in several processes; what was said on standard error."""
    if processes == 1:
        main(argv[1:])
        return capfd.readouterr().err
    done = launch(processes, TRAININGS, json.dumps([argv]))
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


LORA = {"use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear", "lora_dropout": 0.0}


# Of 8 prompts, in groups of 4. Where one generation serves two steps, a run is killed between them.
@pytest.mark.parametrize(
    ("begun", "processes", "saved", "keys"),
    [
        ("speaking_model", 1, 2, {"per_device_train_batch_size": 4, "num_iterations": 2}),
        ("adapter", 1, 3, {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, **LORA}),
        pytest.param("speaking_model", 1, 2, {"steps_per_generation": 2}, marks=pytest.mark.slow),
        pytest.param("speaking_model", 2, 2, {}, marks=pytest.mark.slow),
        pytest.param("adapter", 2, 3, LORA, marks=pytest.mark.slow),
    ],
    ids=["amid a generation", "adapter, in its second epoch", "another", "two, after an epoch", "two, adapter"],
)
def test_a_killed_run_goes_on_as_if_it_had_not_been(request, prompts, tmp_path, capfd, begun, processes, saved, keys):
    """What is sampled is the same, what it earns, and what is learnt of it."""
    from safetensors.torch import load_file

    model, argvs = request.getfixturevalue(begun), []
    keys = {"max_steps": 5, "save_strategy": "steps", "save_steps": saved, "beta": 0.01, **keys}
    for folder in (tmp_path / "straight", tmp_path / "killed"):
        folder.mkdir()
        argvs.append(["grpo", *arguments(folder, model, prompts, **keys)])
    straight, killed = argvs
    train(processes, straight, capfd)
    done = launch(processes, TRAININGS, json.dumps([killed]), str(saved + 1))
    assert done.returncode == -signal.SIGKILL or "Signal 9 (SIGKILL)" in done.stderr, done.stderr[-3000:]
    assert not (tmp_path / "killed" / "out" / "run.json").exists()
    said = train(processes, [*killed, "--resume"], capfd)
    assert f"resuming from {tmp_path / 'killed' / 'out' / f'checkpoint-{saved}'}" in said
    one, other = curve(tmp_path / "straight"), curve(tmp_path / "killed")
    assert len(one) == 5
    assert any(step["grad_norm"] > 0 for step in one[saved:])
    assert other == [pytest.approx(step, rel=1e-4, abs=1e-6, nan_ok=True) for step in one]
    name = "adapter_model.safetensors" if begun == "adapter" else "model.safetensors"
    one, other = (load_file(folder / "out" / name) for folder in (tmp_path / "straight", tmp_path / "killed"))
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert torch.allclose(weight, other[name], rtol=0, atol=1e-6), name


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"thresold": 0.5}, "did you mean 'threshold'?"),
        ({"threshold": 1.0}, "both excluded"),
        ({"threshold": 0.5, "draws": 3}, "either a threshold or draws"),
        ({"credited": "words"}, "field 'credited': expected fragment, opening"),
        ({"credit": "fragments"}, "field 'credit': expected fragment, sum, response, mixed, flip"),
        ({"domain": "contries"}, "expected a domain"),
        ({"unverifiable": 0.5}, "a positive value would reward statements that cannot be checked"),
        ({"patience": 0}, "expected a patience of at least 1"),
        ({"judge_address": "http://127.0.0.1:1/v1"}, "field 'judge_model'"),
        ({"domain": "medicine"}, "is judged by a language model"),
        ({"scale_rewards": "group"}, "field 'scale_rewards': expected none"),
        (
            {"save_strategy": "steps", "save_steps": 2, "num_iterations": 4},
            "field 'save_steps': expected a multiple of 4",
        ),
        ({"use_vllm": True, "vllm_mode": "server"}, "field 'vllm_mode': expected colocate on a CPU"),
    ],
)
def test_what_a_user_can_mend_is_said(tiny_model, prompts, tmp_path, keys, says):
    with pytest.raises(InputError) as caught:
        main(arguments(tmp_path, tiny_model, prompts, **keys))
    assert says in str(caught.value)
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_missing_vllm_is_said(tiny_model, prompts, tmp_path):
    with pytest.raises(InputError, match="field 'use_vllm': vLLM is not installed here"):
        main(arguments(tmp_path, tiny_model, prompts, use_vllm=True))


def test_held_out_prompts_are_not_trained_on(tiny_model, tmp_path):
    path = tmp_path / "prompts.jsonl"
    write(path, load_domain("countries").prompts(split="all"))
    first = next(row for row, one in enumerate(read(path, Prompt), start=1) if one.split != "train")
    with pytest.raises(InputError, match=f"prompts.jsonl:{first}: field 'split': expected prompts of the split train"):
        main(arguments(tmp_path, tiny_model, path))
    write(path, [])
    with pytest.raises(InputError, match="at least one prompt"):
        main(arguments(tmp_path, tiny_model, path))


ON_EACH = """
import os, runpy, sys
sys.path.insert(0, sys.argv.pop(1))
script, model = sys.argv.pop(1), sys.argv.pop(1)
from pathlib import Path
from test_grpo_trainer import SAID, rows, trainer
from transformers import AutoTokenizer
rank = int(os.environ["RANK"])
mine = SAID[2 * rank : 2 * rank + 2]
one = trainer(model, Path("unused"), mine, per_device_train_batch_size=2)
one.model.train()
batch = one._generate_and_score_completions(rows(mine))
firsts = [round(float(row[0]), 4) for row in batch["advantages"]]
print(f"advantages {rank} {firsts} {one._metrics['train']['groups/empty']}", flush=True)
sys.argv[0] = script
runpy.run_path(script, run_name="__main__")
"""


def test_two_processes_share_a_group_and_train_with_the_script(speaking_model, tiny_model, prompts, tmp_path):
    """A group lies on both: 2 · 2 responses of one prompt."""
    (tmp_path / "on_each.py").write_text(ON_EACH)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--main_process_port", "0", str(tmp_path / "on_each.py"), str(ROOT / "tests")]
    command += [str(ROOT / "scripts" / "train_grpo.py"), str(tiny_model)]
    command += arguments(tmp_path, speaking_model, prompts, per_device_train_batch_size=2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    # Those of test_grpo_trainer, where one process has the whole group; the last response was cut off.
    assert "advantages 0 [1.0, -1.1333] [0.0]" in done.stdout
    assert "advantages 1 [1.2667, -1.1333] [0.0]" in done.stdout
    assert "FragmentGRPOTrainer: MULTI_CPU, 2 process(es) on cpu" in done.stderr
    assert "effective batch 4" in done.stderr
    assert record(tmp_path)["steps"] == 2


def test_the_slurm_script_starts_a_server_and_the_training(cluster):
    commands = {
        "vllm": 'echo "vllm $*" >> "$CALLS"',
        "accelerate": 'echo "accelerate $*" >> "$CALLS"',
        # srun --nodes N --ntasks N --nodelist L COMMAND: once here.
        "srun": 'echo "srun $1 $2 $5 $6" >> "$CALLS"; shift 6; SLURM_PROCID=0 "$@"',
    }
    argv = ["scripts/train_grpo.slurm", "configs/grpo/nodes.yaml", "--seed", "1"]
    said = cluster(*argv, nodes=["a", "b", "c"], commands=commands)
    assert "srun --nodes 1 --nodelist a" in said
    assert "srun --nodes 2 --nodelist b,c" in said
    called = next(one for one in said if one.startswith("accelerate"))
    for part in (
        "--num_machines 2 --num_processes 16 --machine_rank 0 --main_process_ip b",
        "scripts/train_grpo.py --config configs/grpo/nodes.yaml --vllm_server_host a --seed 1",
    ):
        assert part in called
    assert any(one.startswith("vllm serve Qwen/Qwen2.5-32B-Instruct --tensor-parallel-size 8") for one in said)
