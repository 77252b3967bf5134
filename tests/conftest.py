"""What the tests share: a tiny model built on the spot, and hand-made rows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from hypothesis import settings

# Timings are not asserted in tests: a busy machine is no failure.
settings.register_profile("rlhalt", deadline=None)
# The same examples in every run, so that the tests do not fail by chance; slow tests draw many random ones.
settings.register_profile("ci", settings.get_profile("rlhalt"), derandomize=True)
settings.load_profile("ci")

from rlhalt.running import heartbeat

# On a busy machine a test of exact lines may take longer than a command may be silent.
heartbeat.QUIET_S = 3600.0

from judge_server import PATIENT, JudgeServer
from rlhalt.llm import Client, Server
from rlhalt.records import Fragment, Scored, content_key
from watched_stages import watching

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session", autouse=True)
def _stages_name_what_they_read() -> Iterator[None]:
    """Whatever recipe a test runs, several processes could share its stages."""
    with watching():
        yield


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    """A judge over HTTP."""
    with JudgeServer() as running:
        yield running


@pytest.fixture
def client(server: JudgeServer) -> Iterator[Client]:
    """What asks it, once and patiently."""
    with Client(Server(server.address, "m"), PATIENT) as one:
        yield one


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer Llama of 100 thousand parameters and a byte-level BPE tokenizer; weights are random."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from rlhalt.domains.countries import FEW_SHOT

    folder = tmp_path_factory.mktemp("tiny")
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(
        [*FEW_SHOT.values(), "State five facts about Norway. Unsure from here."],
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def scored_row() -> Callable[..., Scored]:
    """Sentences and their marks ('+' right, '-' wrong, '?' unverifiable, '!' failed, '.' halt) → a scored row."""
    labels = {"+": "correct", "-": "incorrect", "?": "unverifiable", ".": "halt", "!": None}

    def make(sentences: Sequence[str], marks: str, finish_reason: str = "stop", between: str = " ") -> Scored:
        text, fragments = "", []
        for sentence, mark in zip(sentences, marks, strict=True):
            text += between if text else ""
            fragments.append(
                Fragment(
                    start=len(text),
                    end=len(text) + len(sentence),
                    kind="halt" if mark == "." else "sentence",
                    text=sentence,
                    label=labels[mark],  # type: ignore[arg-type]
                    verifier="hand/1",
                    error="broke" if mark == "!" else None,
                )
            )
            text += sentence
        return Scored(
            key=content_key(text, marks),
            prompt_key="p",
            index=0,
            prompt=[{"role": "user", "content": "State five facts about A."}],
            response=text,
            reference={"subject": "A"},
            domain="countries",
            split="train",
            finish_reason=finish_reason,
            sampler={"temperature": 0.7},
            n_tokens=10,
            fragments=fragments,
        )

    return make


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., list[str]]:
    """Run a Slurm script with stand-ins for the commands of a cluster; what these wrote down, a line a call.

    A stand-in is the body of a bash script that appends to the file "$CALLS".
    """

    def run(script: str, *argv: str, nodes: Sequence[str], commands: Mapping[str, str], **variables: str) -> list[str]:
        tools, calls = tmp_path / "bin", tmp_path / "calls"
        tools.mkdir()
        for name, body in {"scontrol": f"printf '%s\\n' {' '.join(nodes)}", **commands}.items():
            (tools / name).write_text(f"#!/bin/bash\nset -e\n{body}\n")
            (tools / name).chmod(0o755)
        path = f"{tools}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", script, *argv],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PATH": path, "CALLS": str(calls), "SLURM_JOB_NODELIST": "x", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return calls.read_text().splitlines()

    return run
