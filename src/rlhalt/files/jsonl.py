"""Rows on disk, as JSON lines: checked to the bottom as they are read, written so that all have the same types.

`msgspec` checks types and reads fast. What it refuses is read a second time by Python's slower parser, which finds out
where the fault is, and completes rows that people bring: see `Row`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from rlhalt.errors import InputError
from rlhalt.files.strict_json import MOST_LEVELS, Json, Wrong, parse, parse_line, refuse_unwritable, shown
from rlhalt.files.text import read_text, write_atomic

_BOM = b"\xef\xbb\xbf"
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "object": "an object",
    "array": "a list",
    "bool": "true or false",
    "null": "null",
}


class Row(Protocol):
    """Any record with a key.

    A record may say more about itself:

    - `complete(data, seen)`, a class method: fills in what can be derived where people bring rows of their own. `seen`
      counts the rows of this file by whatever the record likes.
    - `required`, a class variable: the fields that cannot be derived; all of them where it is missing.
    - `check()`: raises `Wrong` for what types cannot say.
    """

    @property
    def key(self) -> str:
        """Made from its content, see `rlhalt.records.content_key`."""
        ...


R = TypeVar("R", bound=Row)
T = TypeVar("T")


# Reading


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if not path.is_file():
        raise InputError("expected a JSON lines file, found no such file", path=path)
    with path.open("rb") as file:
        for row, line in enumerate(file, start=1):
            yield row, line.removeprefix(_BOM) if row == 1 else line


def iter_json(path: Path) -> Iterator[tuple[int, Json]]:
    """Parsed lines of a JSONL file with their 1-based row numbers; blank lines are passed over.

    Raises:
        InputError: the file is missing, or see `parse_line`.
    """
    for row, line in _lines(path):
        data = parse_line(line, path, row)
        if data is not None:
            yield row, data


def iter_rows(path: str | Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """The records of a JSONL file with their 1-based row numbers, one by one.

    Raises:
        InputError: naming file, row and field, for a missing or malformed file or row.
    """
    path, seen = Path(path), Counter[Any]()
    for row, line in _lines(path):
        record = decode(line, kind, path, row, seen)
        if record is not None:
            yield row, record


def read(path: str | Path, kind: type[R]) -> Iterator[R]:
    """The records of a JSONL file, one by one; their keys are held to see that none appears twice.

    Raises:
        InputError: see `iter_rows`; two rows with one key, naming both.
    """
    first: dict[str, int] = {}
    for row, record in iter_rows(path, kind):
        if (other := first.setdefault(record.key, row)) != row:
            raise doubled(record.key, other, row, path)
        yield record


def doubled(key: str, first: int, row: int, path: str | Path | None = None) -> InputError:
    """The error for two rows with one key."""
    return InputError(
        f"expected every key once, found '{key}' in row {first} and again in row {row}; remove one, or give it a key "
        "of its own",
        path=path,
        row=row,
        field="key",
    )


@dataclasses.dataclass(frozen=True)
class Rows(Generic[R]):
    """The records of a JSONL file, read again each time they are asked for: memory does not grow with their number.

    Attributes:
        path: the file.
        kind: the record it holds.
    """

    path: Path
    kind: type[R]

    def __iter__(self) -> Iterator[R]:
        return (record for _, record in iter_rows(self.path, self.kind))


@functools.cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(line: bytes, kind: type[R], path: Path, row: int, seen: Counter[Any] | None = None) -> R | None:
    """One line as a record; None for a blank one. Fields that the record does not have are dropped.

    Args:
        seen: of the file that the line is from, see `Row`.

    Raises:
        InputError: naming file, row and field.
    """
    try:
        record: R = _decoder(kind).decode(line)
        if any(line.count(name) > 1 for name in _once(kind)):
            # A key may stand twice, of which msgspec takes the last.
            parse_line(line, path, row, nan=getattr(kind, "nan", False))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        data = parse_line(line, path, row, nan=getattr(kind, "nan", False))
        return None if data is None else from_json(kind, data, path, row, seen)
    if line.count(b"[") + line.count(b"{") > MOST_LEVELS:
        # What has a type has few levels; a reference may have any number.
        _refuse_levels(record, path, row)
    return _checked(record, path, row)


@functools.cache
def _once(kind: type[Any]) -> list[bytes]:
    """The keys that a line has once: inside of texts their quotes are escaped."""
    nested = {"start", "end", "kind", "text", "label", "probability", "verifier", "evidence", "error", "claim"}
    return [f'"{one.name}":'.encode() for one in dataclasses.fields(kind) if one.name not in nested]


def _refuse_levels(record: Any, path: Path, row: int) -> None:
    try:
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if isinstance(value, dict):
                refuse_unwritable(value, field.name)
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, row=row, field=wrong.field) from None


def read_object(path: str | Path, kind: type[T], what: str) -> T:
    """A JSON file that holds one record; fields that the record does not have are dropped.

    Args:
        what: the kind of file, for the message.

    Raises:
        InputError: naming file and field; no such file, no UTF-8, see `parse_line` and `from_json`.
    """
    path = Path(path)
    text = read_text(path, what)
    try:
        data = parse(text)
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, field=wrong.field or None) from None
    if not isinstance(data, dict):
        raise InputError(f"expected a JSON object, found {shown(data)}", path=path)
    return from_json(kind, data, path)


def from_json(
    kind: type[T], data: Mapping[str, Any], path: Path, row: int | None = None, seen: Counter[Any] | None = None
) -> T:
    """A parsed line as a record, completed where people brought it and checked to the bottom.

    Raises:
        InputError: naming file, row and field; all fields that are missing at once.
    """
    wanted = getattr(kind, "required", None) or _required(kind)
    missing = [name for name in wanted if name not in data]
    if missing:
        found = f"found only {', '.join(map(shown, data))}" if data else "found none"
        names = f"the field '{missing[0]}'" if len(missing) == 1 else f"the fields {', '.join(map(repr, missing))}"
        raise InputError(f"expected {names}, {found}", path=path, row=row, field=missing[0])
    try:
        complete = getattr(kind, "complete", None)
        data = complete(dict(data), Counter() if seen is None else seen) if complete else data
        record = msgspec.convert(data, kind)
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, row=row, field=wrong.field) from None
    except msgspec.ValidationError as error:
        field, message = explained(error, data)
        raise InputError(message, path=path, row=row, field=field or None) from None
    return _checked(record, path, row)


def _required(kind: type[Any]) -> list[str]:
    return [one.name for one in dataclasses.fields(kind) if one.default is one.default_factory is dataclasses.MISSING]


def _checked(record: T, path: Path, row: int | None) -> T:
    check = getattr(record, "check", None)
    if check is not None:
        try:
            check()
        except Wrong as wrong:
            raise InputError(wrong.message, path=path, row=row, field=wrong.field) from None
    return record


_PLACE = re.compile(r"(?P<told>.*?)(?: - at `(?P<place>key in )?\$\.?(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


def explained(error: msgspec.ValidationError, data: Any) -> tuple[str, str]:
    """What msgspec found, as field and message in the words of rlhalt.

    Args:
        data: what it looked at, to show the value.
    """
    found = _PLACE.fullmatch(str(error))
    told, path = (found["told"], found["path"] or "") if found else (str(error), "")
    value, known = data, True
    for step in _STEP.finditer(path):
        name = step[1] if step[1] is not None else int(step[2]) if step[2] is not None else None
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            known = False
    if missing := re.match(r"Object missing required field `(.*)`", told):
        return f"{path}.{missing[1]}" if path else missing[1], "expected this field, found none"
    if wanted := re.match(r"Expected `([^`]*)`(?:, got `([^`]*)`)?$", told):
        words = " or ".join(_WORDS.get(one.strip(), one.strip()) for one in wanted[1].split("|"))
        return path, f"expected {words}, found {shown(value) if known else wanted[2]}"
    return path, f"{told[:1].lower()}{told[1:]}" + (f", found {shown(value)}" if known else "")


# Writing


def dumps(record: object) -> str:
    """One JSON line of a record, without its newline.

    What is None in Python is written as a value of its column's type: "" for text, -1.0 for a number, [] for a list.
    `datasets.load_dataset` takes a column's type from the first 10 MB, and a column that is null there would refuse
    what comes later.

    Raises:
        InputError: a value that JSON cannot hold.
    """
    try:
        return msgspec.json.encode(_plain(record)).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise InputError(
            f"expected values that JSON can hold, found: {error} (key {getattr(record, 'key', '?')})"
        ) from None


def _plain(record: Any) -> Json:
    found = {}
    kind: Any = type(record)
    for name, nothing, real, nested in _layout(kind):
        value = getattr(record, name)
        if value is None:
            value = nothing
        elif nested:
            value = [_plain(one) for one in value]
        elif real:
            value = float(value)
        found[name] = value
    return found


@functools.cache
def _layout(kind: type[Any]) -> list[tuple[str, Any, bool, bool]]:
    """Of each field: its name, what stands for None, whether it is a real number, whether it is a list of records."""
    hints = get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        union = get_args(hint) if get_origin(hint) in (types.UnionType, Union) else (hint,)
        inside = next((one for one in union if one is not types.NoneType), hint)
        real = inside is float
        listed = get_origin(inside) is list
        nothing: Any = -1.0 if real else [] if listed else ""
        nested = listed and dataclasses.is_dataclass(get_args(inside)[0])
        found.append((field.name, nothing, real, nested))
    return found


def write(path: str | Path, rows: Iterable[object]) -> None:
    """Write records to a JSONL file that appears whole or not at all."""
    write_atomic(path, (dumps(row) + "\n" for row in rows))
