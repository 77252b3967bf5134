"""MATH (Hendrycks et al., arXiv 2103.03874): competition problems; the result is in a box in the last line.

A file is JSON lines of {problem, solution}, as the data set is published.
"""

from __future__ import annotations

import re
from pathlib import Path

from rlhalt.domains.files import distinct, named_split, text_field
from rlhalt.domains.task import AnySplit, user
from rlhalt.errors import InputError
from rlhalt.records import Prompt, content_key, iter_json

DOMAIN = "maths"
_BOX = re.compile(r"\\(?:boxed|fbox)\s*")


def prompts(path: str | Path, split: AnySplit) -> list[Prompt]:
    """One prompt per problem, in the order of the file; `reference` is `{"question": problem, "answer": solution,
    "n_desired": its lines}`; the answer ends with the result of the last box after ####, as the verifier reads it.

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
        result = _result(solution)
        if not result:
            raise InputError("expected a result in \\boxed{}, found none", path=path, row=row, field="solution")
        messages = user(question)
        desired = sum(bool(line.strip()) for line in solution.splitlines())
        reference = {"question": question, "answer": f"{solution}\n#### {result}", "n_desired": desired}
        rows.append((row, Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, side)))
    return distinct(rows, path)


def _result(solution: str) -> str:
    r"""What stands in the last box of a solution, on one line; empty where there is none.

    >>> _result(r"It is $\boxed{\frac{1}{2}}$."), _result(r"It is $\boxed 5$.")
    ('\\frac{1}{2}', '5')
    """
    found = list(_BOX.finditer(solution))
    if not found:
        return ""
    rest = solution[found[-1].end() :]
    if not rest.startswith("{"):
        return (rest.split() or [""])[0].strip("$.")
    depth = 0
    for place, sign in enumerate(rest):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return " ".join(rest[1:place].split())
    return ""
