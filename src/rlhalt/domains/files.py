"""Rows that people bring: JSON lines of a prompt and what its answers are judged by.

    {"prompt": "Why do veins appear blue?", "reference": {"question": "…", "true": ["…"], "false": ["…"]}}

`prompt` is text or chat messages; `reference` holds what the domain's verifier needs (the README of the domain says
what), may say how many right fragments a full answer has (`n_desired`, see `rlhalt.reference`), and how many facts
the prompt asks for (`n_asked`, see `rlhalt.rewards`: facts beyond that number earn nothing); `split` is `train` or
`heldout`, and where it is missing one prompt in five is held out, see `split_of`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlhalt.domains.task import AnySplit, Split, chat, user
from rlhalt.errors import InputError
from rlhalt.records import Json, Message, Prompt, content_key, iter_json
from rlhalt.reference import n_desired

_SPLITS = ("train", "heldout")
_ONE_IN = 5


def prompts(path: str | Path, domain: str) -> list[Prompt]:
    """The prompts of a file, in its order.

    Raises:
        InputError: no such file, no rows, or a row without a prompt and a reference, or with the prompt of another.
    """
    path = Path(path)
    rows = [(row, _prompt(data, domain, path, row)) for row, data in iter_json(path)]
    return distinct(rows, path)


def _prompt(data: Json, domain: str, path: Path, row: int) -> Prompt:
    asked = field(data, "prompt", path, row)
    messages: list[Message] = user(asked) if isinstance(asked, str) and asked.strip() else asked
    if not isinstance(messages, list) or not messages or not all(_is_message(one) for one in messages):
        raise InputError("expected text, or chat messages with role and content", path=path, row=row, field="prompt")
    reference = field(data, "reference", path, row)
    if not isinstance(reference, dict) or not reference:
        raise InputError("expected an object with what the verifier needs", path=path, row=row, field="reference")
    try:
        n_desired(reference)
    except InputError as error:
        raise InputError(error.message, path=path, row=row, field=error.field) from None
    split = data.get("split", split_of(messages))
    if split not in _SPLITS:
        raise InputError(f"expected {' or '.join(_SPLITS)}, found {split!r}", path=path, row=row, field="split")
    return Prompt(content_key(messages, domain), messages, reference, domain, split)


def _is_message(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and one.keys() == {"role", "content"}
        and all(isinstance(text, str) and text.strip() for text in one.values())
    )


def split_of(content: object) -> str:
    """`heldout` for one in five, `train` for the others, by what they say.

    Looks random, needs no seed, and no prompt changes sides when others join or leave the file.
    """
    return "heldout" if int(content_key(content), 16) % _ONE_IN == 0 else "train"


def named_split(split: AnySplit) -> Split:
    """The split of a file that does not say it.

    Raises:
        InputError: the user did not say it either.
    """
    if split == "all":
        raise InputError("expected train or heldout, as the file is meant; found all", field="--split")
    return split


def field(data: Json, name: str, path: Path, row: int) -> Any:
    """A field of a row.

    Raises:
        InputError: it is missing.
    """
    if name not in data:
        raise InputError(f"expected this field, found {', '.join(data) or 'none'}", path=path, row=row, field=name)
    return data[name]


def text_field(data: Json, name: str, path: Path, row: int) -> str:
    """A field that is text.

    Raises:
        InputError: it is missing, no text, or empty.
    """
    value = field(data, name, path, row)
    if not isinstance(value, str) or not value.strip():
        raise InputError("expected text", path=path, row=row, field=name)
    return value


def distinct(rows: list[tuple[int, Prompt]], path: Path) -> list[Prompt]:
    """The prompts of rows.

    Raises:
        InputError: none, or the same prompt twice, which would be one row in everything that follows.
    """
    if not rows:
        raise InputError("expected at least one prompt, found none", path=path)
    first: dict[str, int] = {}
    for row, prompt in rows:
        if first.setdefault(prompt.key, row) != row:
            raise InputError(f"expected every prompt once, found that of row {first[prompt.key]}", path=path, row=row)
    return [prompt for _, prompt in rows]


def examples(path: Path) -> list[Message]:
    """Few-shot examples: JSON lines of prompt and response, as chat messages.

    Raises:
        InputError: no such file, an empty one, or a row without prompt or response.
    """
    found: list[Message] = []
    for row, data in iter_json(path):
        found += chat(text_field(data, "prompt", path, row), text_field(data, "response", path, row))
    if not found:
        raise InputError("expected at least one example, found an empty file", path=path)
    return found


def fields(path: Path) -> set[str]:
    """The names of the fields of a file's first row, by which a domain tells the forms of files apart.

    Raises:
        InputError: no such file, or no JSON lines.
    """
    _, first = next(iter_json(path), (0, {}))
    return set(first)
