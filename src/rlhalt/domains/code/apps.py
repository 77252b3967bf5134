"""APPS (Hendrycks et al., arXiv 2105.09938): a problem in words, and inputs with the outputs that they have to give.

A file is JSON lines of {problem_id, question, starter_code, solutions, input_output}. The last two are JSON in a text,
as they are published. Read are the problems that ask for a function (`fn_name` in `input_output`, no class in
`starter_code`), because a fragment is judged by calls of one function. Problems that read standard input are left out;
their number is printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rlhalt.domains.files import distinct, field, split_of, text_field
from rlhalt.domains.task import user
from rlhalt.errors import InputError
from rlhalt.records import Json, Prompt, content_key, iter_json

DOMAIN = "code"


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a problem that asks for a function; `reference` is as HumanEval's; one problem in five is held out.

    Raises:
        InputError: no such file, no problem that asks for a function, a row that is none of APPS's, or a problem twice.
    """
    path = Path(path)
    read = [(row, _prompt(data, path, row)) for row, data in iter_json(path)]
    rows = [(row, prompt) for row, prompt in read if prompt is not None]
    if read and not rows:
        raise InputError(
            f"expected problems that ask for a function (fn_name in input_output), found {len(read)} without",
            path=path,
            field="input_output",
        )
    if len(rows) < len(read):
        print(f"{path}: {len(read) - len(rows)} of {len(read)} problems ask for no function: left out", file=sys.stderr)
    return distinct(rows, path)


def _prompt(data: Json, path: Path, row: int) -> Prompt | None:
    question, tests = text_field(data, "question", path, row), _stated(data, "input_output", path, row)
    starter, solutions = field(data, "starter_code", path, row), _stated(data, "solutions", path, row)
    if not isinstance(starter, str):
        raise InputError("expected text", path=path, row=row, field="starter_code")
    if not isinstance(solutions or [], list) or not all(isinstance(one, str) for one in solutions or []):
        raise InputError("expected a list of texts", path=path, row=row, field="solutions")
    name = tests.get("fn_name") if isinstance(tests, dict) else None
    if not isinstance(name, str) or not name.isidentifier() or "class " in starter:
        return None
    given, expected = tests.get("inputs"), tests.get("outputs")
    if not isinstance(given, list) or not isinstance(expected, list) or len(given) != len(expected) or not given:
        raise InputError("expected as many inputs as outputs, at least one", path=path, row=row, field="input_output")
    if not all(isinstance(one, list) for one in given):
        raise InputError("expected a list of arguments for each call", path=path, row=row, field="input_output.inputs")
    messages = user(
        f"{question.strip()}\nReply with the whole function {name} in one code block."
        + (f"\n\n```python\n{starter.strip()}\n```" if starter.strip() else "")
    )
    checks = [_check(arguments, output) for arguments, output in zip(given, expected, strict=True)]
    reference = {
        "task_id": f"APPS/{data.get('problem_id', row)}",
        "prompt": "",
        "test": "\n".join(["def check(candidate):", *(f"    {one}" for one in checks), ""]),
        "entry_point": name,
        "canonical_solution": solutions[0] if solutions else "",
    }
    return Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, split_of(messages))


def _check(arguments: list[Any], output: Any) -> str:
    """An assert; an output in a list of its own stands for itself too, as in the judge that APPS comes with."""
    call = f"candidate({', '.join(map(repr, arguments))})"
    if isinstance(output, list) and len(output) == 1:
        return f"assert {call} in ({output!r}, {output[0]!r})"
    return f"assert {call} == {output!r}"


def _stated(data: Json, name: str, path: Path, row: int) -> Any:
    """A field that holds JSON in a text; as it is where it has been read already."""
    value = field(data, name, path, row)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON in a text, found: {error}", path=path, row=row, field=name) from None
