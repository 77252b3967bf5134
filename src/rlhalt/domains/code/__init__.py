"""Code: Python functions with unit tests, from files in the form of HumanEval, MBPP or APPS."""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.code import apps, humaneval, mbpp
from rlhalt.domains.files import fields
from rlhalt.domains.task import AnySplit, Task
from rlhalt.records import Prompt


class Code(Task):
    """HumanEval, MBPP, APPS, and any file in their form."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """Problems of a file with the fields of HumanEval (plain or compressed with gzip), of MBPP or of APPS."""
        found = set() if file.suffix == ".gz" else fields(file)
        if file.suffix == ".gz" or {"prompt", "canonical_solution", "entry_point"} <= found:
            return humaneval.prompts(file)
        if {"question", "input_output", "solutions"} <= found:
            return apps.prompts(file)
        return mbpp.prompts(file) if {"code", "test_list"} <= found else None
