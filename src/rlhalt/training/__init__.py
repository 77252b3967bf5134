"""Training on TRL's own trainers: strict configuration, data drawn by weight, a run.json beside the model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from rlhalt.files.provenance import Run
from rlhalt.files.strict_yaml import read_yaml
from rlhalt.models.names import identity
from rlhalt.records import Json, content_key

# Where things lie, from where a training resumes, and where it logs: it becomes the same.
_ELSEWHERE = (
    *("train_file", "mix_file", "output_dir", "model_name_or_path", "resume", "resume_from_checkpoint"),
    *("report_to", "run_name", "log_completions", "num_completions_to_print"),
)


# The value of `mix_file` that means the model's own answers to the general instructions.
OWN = "own"


def general_instructions() -> list[str]:
    """The instructions that a model is asked for answers of its own, see `rlhalt.training.mixing`."""
    return files("rlhalt.training").joinpath("instructions.txt").read_text(encoding="utf-8").splitlines()


def secret(key: str) -> bool:
    """Whether the value of a key of a configuration is a secret; `judge_key` names an environment variable only."""
    return key.endswith(("_token", "_key", "_keys")) and key != "judge_key"


def training_run(
    kind: str, argv: Sequence[str], data: str | Path, output: str | Path, model: str, judged_by: str = ""
) -> Run:
    """The run of a training, known before anything heavy is imported.

    Its fingerprint covers the data, what is mixed in, the configuration file, the keys given beside it, and the weights
    it starts from; not where these lie, nor whether it was stopped on the way.

    Args:
        judged_by: the fingerprint of the scorer that judges in online training, `rlhalt.scoring.Scorer.fingerprint`.
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
    settings: Json = {"keys": keys, "model": identity(model)}
    if judged_by:
        settings["scorer"] = judged_by
    inputs = [data, *config]
    mixed = _mix_file(argv, config)
    if mixed == OWN:
        settings["general"] = content_key(general_instructions())
    elif mixed:
        inputs.append(mixed)
    return Run(f"train {kind}", output, inputs=inputs, config=settings)


def _mix_file(argv: Sequence[str], config: Sequence[str]) -> str | None:
    """The value of the key `mix_file`: the last on the command line, or else the configuration's."""
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--mix") else [word])]
    places = [place for place, word in enumerate(words[:-1]) if word in ("--mix_file", "--mix-file")]
    if places:
        return words[places[-1] + 1]
    found = read_yaml(config[0]).get("mix_file") if config else None
    return found if isinstance(found, str) else None
