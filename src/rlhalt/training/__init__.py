"""Training on TRL's own trainers: strict configuration, data drawn by weight, a run.json beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhalt.models import identity
from rlhalt.runs import Run

_PATHS = ("--train_file", "--output_dir", "--model_name_or_path")


def training_run(kind: str, argv: Sequence[str], data: str | Path, output: str | Path, model: str) -> Run:
    """The run of a training, known before anything heavy is imported.

    Its fingerprint covers the data, the configuration file, the keys given beside it, and the weights it starts from;
    not where these lie.
    """
    keys, config = [], []
    rest = iter(argv)
    for word in rest:
        if word == "--config":
            config = [next(rest, "")]
        elif word in _PATHS:
            next(rest, "")
        else:
            keys.append(word)
    return Run(f"train {kind}", output, inputs=[data, *config], config={"keys": keys, "model": identity(model)})
