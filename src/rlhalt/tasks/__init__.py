"""Prompts with references: one module a source, each file of others checked row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from rlhalt.errors import InputError
from rlhalt.records import Prompt

Task = Literal["countries", "gsm8k", "truthfulqa", "biography", "humaneval", "jsonl"]
TASKS: tuple[str, ...] = get_args(Task)
Split = Literal["train", "heldout", "all"]


def load(task: Task, file: str | Path | None, split: Split = "all", domain: str | None = None) -> Sequence[Prompt]:
    """The prompts of a task, of one split or of both.

    Args:
        file: where the task's own file lies; `countries` are built in.
        split: GSM8K comes in a file for training and another held out, and does not say which this one is.
        domain: the folder under `reward/` that judges the answers to the prompts of `jsonl`.

    Raises:
        InputError: a file or domain missing, or see the task's module.
    """
    if domain is not None and task != "jsonl":
        raise InputError(f"only used with --task jsonl; {task} has a domain of its own", field="--domain")
    if task == "countries":
        if file is not None:
            raise InputError("countries are built in; expected no file", field="--file")

        from rlhalt.tasks import countries

        found = countries.prompts()
    else:
        if file is None:
            raise InputError(f"expected the file that {task} is read from, found none", field="--file")
        found = _read(task, Path(file), split, domain)
    return [one for one in found if split in (one.split, "all")]


def _read(task: Task, file: Path, split: Split, domain: str | None) -> list[Prompt]:
    if task == "gsm8k":
        from rlhalt.tasks import gsm8k

        if split == "all":
            raise InputError("expected train or heldout, as the file is meant; found all", field="--split")
        return gsm8k.prompts(file, split)
    if task == "jsonl":
        from rlhalt.tasks import jsonl

        if domain is None:
            raise InputError("expected the domain that judges the answers, found none", field="--domain")
        return jsonl.prompts(file, domain)
    if task == "truthfulqa":
        from rlhalt.tasks import truthfulqa

        return truthfulqa.prompts(file)
    if task == "biography":
        from rlhalt.tasks import biography

        return biography.prompts(file)
    from rlhalt.tasks import humaneval

    return humaneval.prompts(file)
