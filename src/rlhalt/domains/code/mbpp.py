"""MBPP (Austin et al., arXiv 2108.07732): a short task, a function that does it, and asserts to judge it by.

A file is JSON lines of {task_id, text, code, test_list}, with test_setup_code and challenge_test_list where there are
some; the sanitized rows have `prompt` for `text`, and test_imports. The prompt shows one assert, for the name of the
function and its arguments; the others are held back, so that a program cannot learn their values by heart.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

from rlhalt.domains.files import distinct, split_of, text_field
from rlhalt.domains.task import user
from rlhalt.errors import InputError
from rlhalt.fragments.code_names import bound, called
from rlhalt.records import Json, Prompt, content_key, iter_json

DOMAIN = "code"


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a task, in the order of the file; `reference` is as HumanEval's; one task in five is held out.

    Raises:
        InputError: no such file, no rows, one that is none of MBPP's, or a task twice.
    """
    path = Path(path)
    rows: list[tuple[int, Prompt]] = []
    seen: set[str] = set()
    for row, data in iter_json(path):
        rows.append((row, _prompt(data, path, row, seen)))
        seen.add(rows[-1][1].key)
    return distinct(rows, path)


def _prompt(data: Json, path: Path, row: int, seen: set[str]) -> Prompt:
    asked = text_field(data, "prompt" if "prompt" in data else "text", path, row)
    code = text_field(data, "code", path, row)
    tests = _texts(data, "test_list", path, row)
    if not tests:
        raise InputError("expected at least one assert, found none", path=path, row=row, field="test_list")
    setup = [*_texts(data, "test_imports", path, row), _setup(data, path, row)]
    every = [_parsed(one, "test_list", path, row) for one in tests]
    every += [_parsed(one, "challenge_test_list", path, row) for one in _texts(data, "challenge_test_list", path, row)]
    # Printed again, a test has no line that would lose its place in an indented block.
    body = textwrap.indent("\n".join(map(ast.unparse, every)), "    ")
    # Two tasks of MBPP (76 and 347) have the same text and the same first test.
    shown = [
        user(
            f"{asked.strip()}\nReply with the whole function in one code block. It has to pass this test:\n\n"
            f"```python\n{one.strip()}\n```"
        )
        for one in tests
    ]
    messages = next((one for one in shown if content_key(one, DOMAIN) not in seen), shown[0])
    reference = {
        "task_id": f"MBPP/{data.get('task_id', row)}",
        "prompt": "",
        "test": "\n".join([*filter(None, setup), f"def check(candidate):\n{body}\n"]).replace("\r\n", "\n"),
        "entry_point": _entry_point(code, every, path, row),
        "canonical_solution": code.replace("\r\n", "\n"),
    }
    return Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, split_of(messages))


def _setup(data: Json, path: Path, row: int) -> str:
    setup = data.get("test_setup_code", "")
    if not isinstance(setup, str):
        raise InputError("expected text", path=path, row=row, field="test_setup_code")
    return setup.strip()


def _texts(data: Json, name: str, path: Path, row: int) -> list[str]:
    found: Any = data.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
        raise InputError("expected a list of texts", path=path, row=row, field=name)
    return found


def _parsed(text: str, name: str, path: Path, row: int) -> ast.Module:
    try:
        return ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"expected Python, found: {error}", path=path, row=row, field=name) from None


def _entry_point(code: str, tests: list[ast.Module], path: Path, row: int) -> str:
    """The function of the solution that most tests call; the last that it defines where several are called as often."""
    defined = [name for one in _parsed(code, "code", path, row).body for name in sorted(bound(one))]
    calls = {name: sum(name in called(one) for one in tests) for name in defined}
    name = max(reversed(defined), key=lambda one: calls[one], default="")
    if not calls.get(name):
        raise InputError("expected tests that call a function of the solution, found none", path=path, row=row)
    return name
