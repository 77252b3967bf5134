"""Maths: word problems with worked solutions, from files in the form of GSM8K or MATH."""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import fields
from rlhalt.domains.maths import gsm8k, math
from rlhalt.domains.task import AnySplit, Task
from rlhalt.records import Json, Prompt


class Maths(Task):
    """GSM8K, MATH, and any file in their form."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """Problems of a file with the fields of GSM8K (question, answer) or of MATH (problem, solution)."""
        found = fields(file)
        if {"question", "answer"} <= found:
            return gsm8k.prompts(file, split)
        if {"problem", "solution"} <= found:
            return math.prompts(file, split)
        return None

    def n_desired(self, reference: Json) -> int | None:
        """The lines of the worked solution, its result among them."""
        return sum(bool(line.strip()) for line in str(reference.get("answer", "")).splitlines()) or None
