"""Training on TRL's own trainers: strict configuration, data drawn by weight, a run.json beside the model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from rlhalt.models import identity
from rlhalt.provenance import Run

# Where things lie, and from where a training goes on: it becomes the same.
_ELSEWHERE = ("train_file", "output_dir", "model_name_or_path", "resume", "resume_from_checkpoint")


def secret(key: str) -> bool:
    """Whether the value of a key of a configuration is a secret; `judge_key` names an environment variable only."""
    return key.endswith(("_token", "_key", "_keys")) and key != "judge_key"


def training_run(kind: str, argv: Sequence[str], data: str | Path, output: str | Path, model: str) -> Run:
    """The run of a training, known before anything heavy is imported.

    Its fingerprint covers the data, the configuration file, the keys given beside it, and the weights it starts from;
    not where these lie, nor whether it was stopped on the way.
    """
    keys, config = [], []
    rest = list(argv)
    while rest:
        word, *rest = rest
        # The parser takes `--hub-token` for `--hub_token`.
        name = word.partition("=")[0].removeprefix("--").replace("-", "_") if word.startswith("--") else ""
        if word == "--config":
            config, rest = rest[:1], rest[1:]
        elif name in _ELSEWHERE or secret(name):
            # With its value, where it has one; and no secret is written down.
            if "=" in word:
                continue
            rest = list(itertools.dropwhile(lambda one: not one.startswith("--"), rest))
        else:
            keys.append(word)
    return Run(f"train {kind}", output, inputs=[data, *config], config={"keys": keys, "model": identity(model)})
