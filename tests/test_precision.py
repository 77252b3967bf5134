"""bfloat16 only where the machine computes it."""

import os
import subprocess
import sys

import pytest
import torch

from rlhalt.models import precision
from rlhalt.training import setup


@pytest.mark.parametrize(("gpu", "cpu", "expected"), [
    (True, False, torch.bfloat16), (False, True, torch.bfloat16), (False, False, torch.float32),
])  # fmt: skip
def test_inference(monkeypatch, gpu, cpu, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(precision, "cpu_computes_bfloat16", lambda: cpu)
    assert precision.inference_dtype() == expected


@pytest.mark.parametrize("computes", [True, False])
def test_a_training_is_told_where_bfloat16_would_be_emulated(monkeypatch, capsys, tmp_path, computes):
    from trl import ModelConfig, SFTConfig

    from rlhalt.training.sft import SftData

    monkeypatch.setattr(setup, "cpu_computes_bfloat16", lambda: computes)
    argv = ["--bf16", "true", "--use_cpu", "true", "--output_dir", str(tmp_path), "--train_file", "t.jsonl"]
    _, args, _ = setup.parse((SftData, SFTConfig, ModelConfig), argv)
    assert args.bf16 == computes
    assert ("float32" in capsys.readouterr().err) == (not computes)


def test_waiting_threads_sleep():
    code = "import os; from rlhalt.cli import main; main(['list', 'styles']); print(os.environ['OMP_WAIT_POLICY'])"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split()[-1] == "passive"
