"""TruthfulQA (Lin et al., arXiv 2109.07958): questions that tempt to a false answer, with true and false answers.

The file is its TruthfulQA.csv, where lists of answers stand in one cell, parted by semicolons; or JSON lines of
{question, best_answer, correct_answers, incorrect_answers}, as the hub has it (truthfulqa/truthful_qa, generation).
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import distinct, field, fields, split_of, text_field
from rlhalt.domains.task import AnySplit, Task, user
from rlhalt.errors import InputError
from rlhalt.files.csv_files import read_csv
from rlhalt.records import Json, Prompt, content_key, iter_json

DOMAIN = "truthfulqa"
_FIELDS = ("question", "best_answer", "correct_answers", "incorrect_answers")
_COLUMNS = ("Question", "Best Answer", "Correct Answers", "Incorrect Answers")


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a question, in the order of the file, one in five held out.

    `reference` is `{"question": text, "true": answers, "false": answers}`; the best of the true answers comes first.

    Raises:
        InputError: no such file, no UTF-8, missing columns, no rows, a row without an answer of each kind, or the same
            question twice.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        return distinct([(row, _json_prompt(data, path, row)) for row, data in iter_json(path)], path)
    rows = []
    for row, data in read_csv(path, _COLUMNS, "TruthfulQA.csv"):
        question, best, true, false = (data[one] for one in _COLUMNS)
        answers = {"true": answers_of(f"{best}; {true}"), "false": answers_of(false)}
        for name, value in {"Question": question.strip(), **answers}.items():
            if not value:
                raise InputError("expected text, found none", path=path, row=row, field=name)
        rows.append((row, _prompt(question, answers)))
    return distinct(rows, path)


def _prompt(question: str, answers: dict[str, list[str]]) -> Prompt:
    messages = user(question)
    key = content_key(messages, DOMAIN)
    return Prompt(key, messages, {"question": question, **answers}, DOMAIN, split_of(messages))


def _json_prompt(data: Json, path: Path, row: int) -> Prompt:
    question, best = (text_field(data, name, path, row) for name in ("question", "best_answer"))
    answers: dict[str, list[str]] = {}
    for kind, name in (("true", "correct_answers"), ("false", "incorrect_answers")):
        found = field(data, name, path, row)
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise InputError("expected a list of texts", path=path, row=row, field=name)
        told = [best, *found] if kind == "true" else found
        answers[kind] = list(dict.fromkeys(text for one in told if (text := one.strip())))
        if not answers[kind]:
            raise InputError("expected at least one answer, found none", path=path, row=row, field=name)
    return _prompt(question, answers)


def answers_of(cell: str) -> list[str]:
    """The answers of a cell, each once, in their order."""
    return list(dict.fromkeys(one for part in cell.split(";") if (one := part.strip())))


class TruthfulQA(Task):
    """The questions of TruthfulQA, as CSV or as JSON lines."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """The questions of the CSV file, or of JSON lines with the hub's fields."""
        return prompts(file) if file.suffix.lower() == ".csv" or set(_FIELDS) <= fields(file) else None
