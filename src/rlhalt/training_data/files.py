"""From file to file: pairs, decisions and targets of the responses to training prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.provenance import once
from rlhalt.records import Scored, read
from rlhalt.training_data.decisions import conditioned_decisions, decisions
from rlhalt.training_data.styles import Style, pairs, targets
from rlhalt.training_data.targets.methods import Method, supervised
from rlhalt.training_data.targets.selection import best


def training_rows(path: str | Path) -> Iterator[Scored]:
    """The scored responses of a file, all to training prompts.

    Raises:
        InputError: a response to a prompt of another split. What is trained on held-out prompts cannot be measured on
            them.
    """
    for number, row in enumerate(read(path, Scored), start=1):
        if row.split != "train":
            raise InputError(
                f"expected responses to prompts of the split train, found '{row.split}' (key {row.key}); "
                "leave these prompts to the evaluation",
                path=path,
                row=number,
                field="split",
            )
        yield row


def write_pairs(scored: str | Path, output: str | Path, threshold: float, style: Style) -> None:
    """The pairs of a file of scored responses, into a file; see `rlhalt.training_data.pairs`.

    Raises:
        InputError: see `training_rows` and `pairs`.
    """
    config = {"style": style, "threshold": threshold}
    once("pairs", output, [scored], config, lambda: pairs(training_rows(scored), threshold, style))


def write_decisions(scored: str | Path, output: str | Path, threshold: float, style: Style) -> None:
    """The decisions of a file of scored responses, into a file; see `rlhalt.training_data.decisions`.

    Raises:
        InputError: see `training_rows` and `decisions`.
    """
    config = {"style": style, "threshold": threshold, "decisions": True}
    once("decisions", output, [scored], config, lambda: decisions(training_rows(scored), threshold, style))


def write_conditioned_decisions(
    scored: str | Path, output: str | Path, thresholds: list[float], style: Style, seed: int
) -> None:
    """The decisions of a file of scored responses at many thresholds, into a file; see `rlhalt.threshold_prompt`.

    Raises:
        InputError: see `training_rows` and `conditioned_decisions`.
    """
    config = {"style": style, "thresholds": thresholds, "seed": seed}
    once(
        "decisions",
        output,
        [scored],
        config,
        lambda: conditioned_decisions(training_rows(scored), thresholds, style, seed),
    )


def write_targets(scored: str | Path, output: str | Path, style: Style, share: float) -> None:
    """The targets of the best responses of a file of scored responses, into a file; see `best` and `targets`.

    Raises:
        InputError: see `training_rows`, `best` and `targets`.
    """
    config = {"style": style, "best": share}
    once("targets", output, [scored], config, lambda: targets(best(training_rows(scored), share), style))


def write_supervised(scored: str | Path, output: str | Path, method: Method) -> None:
    """The targets of a method, of a file of scored responses, into a file; see `supervised`.

    Raises:
        InputError: see `training_rows` and `supervised`.
    """
    config = dataclasses.asdict(method)
    once("targets", output, [scored], config, lambda: supervised(training_rows(scored), method))
