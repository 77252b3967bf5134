"""Where a training logs to, as its key `report_to` says: TensorBoard, Trackio, Weights & Biases and others."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

# What logs to each name that `report_to` takes: one of these modules.
MODULES = {
    "wandb": ("wandb",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "mlflow": ("mlflow",),
    "comet_ml": ("comet_ml",),
    "clearml": ("clearml",),
    "swanlab": ("swanlab",),
    "dvclive": ("dvclive",),
}


def names(report_to: object) -> list[str]:
    """The loggers of a value of `report_to`: a name, a list of them, or nothing."""
    found = [report_to] if isinstance(report_to, str) else report_to if isinstance(report_to, list) else []
    return [str(one) for one in found if one and one != "none"]


def not_installed(name: str) -> str | None:
    """What to do where the package of a logger is missing; None where it is there, or the name is not one of ours."""
    modules = MODULES.get(name, ())
    if not modules or any(importlib.util.find_spec(one) for one in modules):
        return None
    return f"{name} is not installed: pip install {modules[0].replace('_', '-')}, or leave report_to out"


@contextlib.contextmanager
def one_run(report_to: object) -> Iterator[None]:
    """Let a training have a run of its own at Weights & Biases.

    transformers leaves its run open, so the next training of the same process would log into it. A run that was open
    before, as that of a sweep, stays open.
    """
    if "wandb" not in names(report_to) or not_installed("wandb"):
        yield
        return
    import wandb

    ours = wandb.run is None
    try:
        yield
    finally:
        if ours and wandb.run is not None:
            wandb.finish()


def to_tensorboard(callbacks: Sequence[Any], step: int, texts: Sequence[str]) -> None:
    """Write sample texts to the TensorBoard of a training, where it has one; TRL writes its table to others alone.

    Args:
        callbacks: those of the trainer.
        texts: in Markdown, one a sample.
    """
    for one in callbacks:
        writer = getattr(one, "tb_writer", None)
        if writer is not None:
            for number, text in enumerate(texts):
                writer.add_text(f"completions/{number}", text, step)
