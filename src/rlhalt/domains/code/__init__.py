"""Code: Python functions with unit tests, from files in the form of HumanEval or MBPP."""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.code import humaneval
from rlhalt.domains.task import AnySplit, Task
from rlhalt.records import Prompt


class Code(Task):
    """HumanEval, MBPP, and any file in their form."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """Problems of a file with the fields of HumanEval (plain or compressed with gzip) or of MBPP."""
        return humaneval.prompts(file)
