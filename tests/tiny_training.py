"""What trainings of a few steps on the tiny model share, and starting them as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ACCELERATE = ROOT / "configs" / "accelerate"
# A script that trains, and that can be killed while it does.
TRAININGS = ROOT / "tests" / "trainings.py"

TRAINING = {
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 1,
    "max_length": 256,
}

# What the trainer of fragments asks of a configuration.
ONLINE = {
    "loss_type": "dr_grpo",
    "scale_rewards": "none",
    "disable_dropout": True,
    "num_generations": 4,
}


def launch(
    processes: int, script: str | Path, *argv: str, settings: Path = ACCELERATE / "cpu.yaml"
) -> subprocess.CompletedProcess[str]:
    """Start a script under an accelerate file, with as many processes; one needs no launcher."""
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "accelerate.commands.launch", "--config_file", str(settings)]
        # A port of its own: trainings of other tests may run beside.
        command += ["--num_processes", str(processes), "--main_process_port", "0"]
    command += [str(script), *argv]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def losses(folder: Path) -> list[float]:
    """The losses that a run.json tells, a step each."""
    log: list[Mapping[str, Any]] = json.loads((folder / "run.json").read_text(encoding="utf-8"))["log"]
    return [one["loss"] for one in log if "loss" in one]
