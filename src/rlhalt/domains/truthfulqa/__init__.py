"""TruthfulQA (Lin et al., arXiv 2109.07958): questions that tempt to a false answer, with true and false answers.

The file is its TruthfulQA.csv. Lists of answers stand in one cell, parted by semicolons.
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.csv_files import read_csv
from rlhalt.domains.files import distinct, split_of
from rlhalt.domains.task import AnySplit, Task, user
from rlhalt.errors import InputError
from rlhalt.records import Prompt, content_key

DOMAIN = "truthfulqa"
_COLUMNS = ("Question", "Best Answer", "Correct Answers", "Incorrect Answers")


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a question, in the order of the file, one in five held out.

    `reference` is `{"question": text, "true": answers, "false": answers}`; the best of the true answers comes first.

    Raises:
        InputError: no such file, no UTF-8, missing columns, no rows, a row without an answer of each kind, or the same
            question twice.
    """
    path = Path(path)
    rows = []
    for row, data in read_csv(path, _COLUMNS, "TruthfulQA.csv"):
        question, best, true, false = (data[one] for one in _COLUMNS)
        answers = {"true": answers_of(f"{best}; {true}"), "false": answers_of(false)}
        for name, value in {"Question": question.strip(), **answers}.items():
            if not value:
                raise InputError("expected text, found none", path=path, row=row, field=name)
        reference = {"question": question, **answers}
        messages = user(question)
        key = content_key(messages, DOMAIN)
        rows.append((row, Prompt(key, messages, reference, DOMAIN, split_of(messages))))
    return distinct(rows, path)


def answers_of(cell: str) -> list[str]:
    """The answers of a cell, each once, in their order."""
    return list(dict.fromkeys(one for part in cell.split(";") if (one := part.strip())))


class TruthfulQA(Task):
    """The questions of TruthfulQA.csv."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """The questions of the CSV file."""
        return prompts(file) if file.suffix.lower() == ".csv" else None
