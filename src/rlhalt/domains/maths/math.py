"""MATH (Hendrycks et al., arXiv 2103.03874): competition problems; the result is in a box in the last line.

A file is JSON lines of {problem, solution}, as the data set is published.
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import distinct, named_split, text_field
from rlhalt.domains.task import AnySplit, user
from rlhalt.errors import InputError
from rlhalt.records import Prompt, content_key, iter_json

DOMAIN = "maths"


def prompts(path: str | Path, split: AnySplit) -> list[Prompt]:
    """One prompt per problem, in the order of the file; `reference` is `{"question": problem, "answer": solution}`.

    Args:
        split: of all of them: a file of MATH is for training or held out, and does not say which.

    Raises:
        InputError: no such file, no rows, no split, a row without problem or solution, a solution without a box, or a
            problem twice.
    """
    path, side = Path(path), named_split(split)
    rows = []
    for row, data in iter_json(path):
        question, solution = (text_field(data, name, path, row) for name in ("problem", "solution"))
        if "\\boxed" not in solution:
            raise InputError("expected a result in \\boxed{}, found none", path=path, row=row, field="solution")
        messages = user(question)
        reference = {"question": question, "answer": solution}
        rows.append((row, Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, side)))
    return distinct(rows, path)
