"""JSON read strictly: what could not be written again, or would be read in two ways, is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from rlhalt.errors import InputError

Json = dict[str, Any]

MOST_LEVELS = 100  # of nesting; Python's own writer ends at about 1,000


class Wrong(Exception):
    """What is wrong in a record: the field, and what was expected and found."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


def shown(value: object) -> str:
    """A value as an error shows it: on one line and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_line(line: bytes, path: Path, row: int, *, nan: bool = False) -> Json | None:
    """One line of a JSONL file, read strictly; None for a blank one.

    Args:
        nan: read NaN as null, as files of earlier versions need it.

    Raises:
        InputError: it is not UTF-8, not one JSON object, or holds what cannot be written again: a key twice, NaN, a
            whole number of more than 64 bits, half a surrogate pair, more than 100 levels.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected UTF-8, found byte 0x{line[error.start]:02x}; convert the file to UTF-8", path=path, row=row
        ) from None
    if not text.strip():
        return None
    try:
        data = parse(text, nan=nan)
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, row=row, field=wrong.field or None) from None
    if not isinstance(data, dict):
        raise InputError(f"expected a JSON object, found {shown(data)}", path=path, row=row)
    return data


def parse(text: str, *, nan: bool = False) -> Any:
    """A JSON document, read strictly.

    Raises:
        Wrong: see `parse_line`.
    """
    try:
        data = json.loads(
            text,
            parse_constant=_null if nan else _constant,
            parse_int=_int,
            parse_float=_float,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise Wrong("", f"expected JSON, found {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise Wrong("", f"expected at most {MOST_LEVELS} levels of nesting, found more") from None
    refuse_unwritable(data)
    return data


def _constant(word: str) -> NoReturn:
    raise Wrong("", f"expected JSON, found {word}, which is no JSON number")


def _null(word: str) -> None:
    return None if word == "NaN" else _constant(word)


def _int(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        cut = digits if len(digits) <= 24 else f"one of {len(digits)} digits"
        raise Wrong("", f"expected whole numbers of 64 bits, found {cut}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Wrong("", f"expected numbers up to 1.8e308, found {digits[:40]}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> Json:
    data = dict(pairs)
    if len(data) < len(pairs):
        double = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise Wrong(double, "expected every key once, found it twice")
    return data


def refuse_unwritable(data: Any, where: str = "", level: int = 1) -> None:
    """See that a value can be written again as JSON.

    Raises:
        Wrong: half a surrogate pair, a number that is not finite, or more than 100 levels.
    """
    if level > MOST_LEVELS:
        raise Wrong(where.split(".", 1)[0], f"expected at most {MOST_LEVELS} levels of nesting, found more")
    if isinstance(data, str):
        if not data.isascii() and any("\ud800" <= char <= "\udfff" for char in data):
            raise Wrong(where, f"expected Unicode text, found half a surrogate pair in {ascii(data)[:60]}")
    elif isinstance(data, float):
        if data != data or data in (float("inf"), float("-inf")):
            raise Wrong(where, f"expected a number, found {data}")
    elif isinstance(data, dict):
        for name, value in data.items():
            refuse_unwritable(name, where, level)
            refuse_unwritable(value, f"{where}.{name}" if where else str(name), level + 1)
    elif isinstance(data, list):
        for place, value in enumerate(data):
            refuse_unwritable(value, f"{where}[{place}]", level + 1)
