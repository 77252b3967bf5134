"""Medicine: exam questions with an expert's explanation, from files in the form of MedMCQA (arXiv 2203.14371).

A file is JSON lines of {question, opa, opb, opc, opd, exp}. Questions without an explanation are left out: nothing says
what is right about them.
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import distinct, field, fields, split_of, text_field
from rlhalt.domains.task import AnySplit, Task, user
from rlhalt.records import Prompt, content_key, iter_json

DOMAIN = "medicine"
_OPTIONS = {"A": "opa", "B": "opb", "C": "opc", "D": "opd"}


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a question, in the order of the file, one in five held out; a question that stands twice comes once.

    `reference` is `{"question": question with its options, "explanation": text}`.

    Raises:
        InputError: no such file, no row with an explanation, or a row without a question or an option.
    """
    path = Path(path)
    rows: dict[str, tuple[int, Prompt]] = {}
    for row, data in iter_json(path):
        if not str(field(data, "exp", path, row) or "").strip():
            continue
        options = [f"{letter}. {text_field(data, name, path, row)}" for letter, name in _OPTIONS.items()]
        question = "\n".join([text_field(data, "question", path, row).strip(), *options])
        messages = user(f"{question}\nGive the answer and explain it.")
        reference = {"question": question, "explanation": text_field(data, "exp", path, row)}
        key = content_key(messages, DOMAIN)
        rows.setdefault(key, (row, Prompt(key, messages, reference, DOMAIN, split_of(messages))))
    return distinct(list(rows.values()), path)


class Medicine(Task):
    """The questions of MedMCQA, and any file in its form."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """The questions of a file with the fields of MedMCQA."""
        return prompts(file) if {"question", "exp", *_OPTIONS.values()} <= fields(file) else None
