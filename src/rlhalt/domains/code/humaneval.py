"""HumanEval (Chen et al., arXiv 2107.03374): a Python function to complete, and the unit tests to judge it by.

A file is JSON lines of {task_id, prompt, canonical_solution, test, entry_point}, plain or
compressed as it is published.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from rlhalt.domains.files import distinct, split_of, text_field
from rlhalt.domains.task import user
from rlhalt.errors import InputError
from rlhalt.records import Json, Prompt, content_key, iter_json, parse_line

DOMAIN = "code"

_FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")


def prompts(path: str | Path) -> list[Prompt]:
    """One prompt a problem, in the order of the file; `reference` is the problem; one problem in five is held out.

    Args:
        path: `HumanEval.jsonl` or `HumanEval.jsonl.gz`.

    Raises:
        InputError: no such file, no rows, one that is none of HumanEval's, or a problem twice.
    """
    path = Path(path)
    rows = []
    for row, data in _rows(path):
        reference = {name: text_field(data, name, path, row) for name in _FIELDS}
        messages = user(
            "Complete this Python function. Reply with the whole function in one code block.\n\n"
            f"```python\n{reference['prompt'].rstrip()}\n```"
        )
        rows.append((row, Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, split_of(messages))))
    return distinct(rows, path)


def _rows(path: Path) -> Iterator[tuple[int, Json]]:
    if path.suffix != ".gz" or not path.is_file():
        yield from iter_json(path)
        return
    try:
        with gzip.open(path) as file:
            for row, line in enumerate(file, start=1):
                if (data := parse_line(line, path, row)) is not None:
                    yield row, data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"expected a file compressed with gzip, found one that breaks: {error}", path=path) from None
