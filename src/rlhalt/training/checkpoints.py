"""Resuming a training that was stopped."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError


@dataclasses.dataclass(kw_only=True)
class Resumable:
    """Keys that every training has.

    Attributes:
        resume: resume from the newest whole checkpoint in `output_dir`, or begin where there is none: the same command
            starts a training and resumes it.
        base_template: the chat template for a model that has none, `plain` (`rlhalt.chat.plain`) or a .jinja file; it
            is saved with the trained model. A model's own template stays.
    """

    resume: bool = dataclasses.field(
        default=False, metadata={"help": "Resume from the newest whole checkpoint in output_dir, if there is one."}
    )
    base_template: str | None = dataclasses.field(
        default=None, metadata={"help": "Chat template for a model that has none: plain, or a .jinja file."}
    )


def newest(output_dir: str | Path, processes: int) -> Path | None:
    """The newest checkpoint that was written whole; None where there is none.

    Args:
        processes: how many train now.

    Raises:
        InputError: all whole ones are of another number of processes, which would have other data before them.
    """
    found = [path for path in Path(output_dir).glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    whole = sorted(filter(_whole, found), key=lambda path: -int(path.name.rpartition("-")[2]))
    for path in whole:
        if _processes(path) == processes:
            return path
    if whole:
        raise InputError(
            f"expected a checkpoint of {processes} process(es), found one of {_processes(whole[0])}; start as many, or "
            f"train into another output_dir",
            path=whole[0],
        )
    return None


def load_adapter(model: Any, checkpoint: str | Path) -> None:
    """Load a checkpoint's trained adapter, as transformers 5.17 does unless a frozen one stands beside it.

    Where an adapter is trained further, TRL keeps a copy of its first state as the adapter `ref`. peft saves that in a
    folder of its own; transformers loads such folders *instead of* what stands beside them, and training would begin
    anew without a word.
    """
    if hasattr(model, "load_adapter") and (Path(checkpoint) / "adapter_config.json").is_file():
        model.load_adapter(str(checkpoint), model.active_adapters[0], is_trainable=True)


@functools.cache
def load_onto_numbered_cpus() -> None:
    """Have torch load a checkpoint's optimizer onto "cpu:1", which is what accelerate calls a process's CPU.

    torch 2.13 knows "cpu" alone, and transformers 5.17 gives it accelerate's name where several processes go on.
    """
    import torch

    torch.serialization.register_package(
        40,  # behind torch's own
        lambda storage: None,
        lambda storage, location: storage if location.startswith("cpu:") else None,
    )


def _whole(checkpoint: Path) -> bool:
    # transformers writes trainer_state.json last; a kill may come before it or halfway through it.
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return _processes(checkpoint) > 0


def _processes(checkpoint: Path) -> int:
    # Each process keeps its random numbers, one alone without a number in their name; with `save_only_model` none does.
    if (checkpoint / "rng_state.pth").is_file():
        return 1
    several = len(list(checkpoint.glob("rng_state_*.pth")))
    # Of several the others were killed before they wrote theirs.
    return several if several > 1 else 0
