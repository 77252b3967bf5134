"""Changes of a JSON text that leave every other byte as it is: order, spaces, escapes and numbers of the upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]
_BLANK = re.compile(r"[ \t\n\r]*")
_value_end = json.JSONDecoder().raw_decode


class _Member(NamedTuple):
    """A member of an object or list: its key or number, where it begins, and where its value begins and ends."""

    name: str | int
    begin: int
    start: int
    end: int


def replaced(text: str, path: Path, value: str) -> str:
    """The text with another value at a path; with a new member at the end of an object that has none of that name.

    >>> replaced('{"a": [1, {"b":2}],"c":3}', ("a", 1, "b"), "null")
    '{"a": [1, {"b":null}],"c":3}'
    >>> replaced('{"a": {}}', ("a", "b"), '"x"')
    '{"a": {"b":"x"}}'

    Args:
        text: a JSON object.
        path: keys and numbers from the outside in. All but the last must be there.
        value: JSON.
    """
    parent = _found(text, path[:-1])
    one = _member(text, parent, path[-1])
    if one is not None:
        return text[: one.start] + value + text[one.end :]
    brace = _value_end(text, parent)[1] - 1
    comma = "" if next(_members(text, parent), None) is None else ","
    return f"{text[:brace]}{comma}{json.dumps(path[-1])}:{value}{text[brace:]}"


def without(text: str, path: Path) -> str:
    """The text without a member of an object, and without one of the commas around it.

    >>> without('{"a":1, "b":2}', ("b",)), without('{"a":1, "b":2}', ("a",))
    ('{"a":1}', '{"b":2}')
    """
    parent = _found(text, path[:-1])
    before: _Member | None = None
    members = _members(text, parent)
    for one in members:
        if one.name == path[-1]:
            following = next(members, None)
            if before is not None:
                return text[: before.end] + text[one.end :]
            return text[: one.begin] + text[following.begin if following else one.end :]
        before = one
    return text


def _found(text: str, path: Path) -> int:
    place = _blank(text, 0)
    for name in path:
        one = _member(text, place, name)
        if one is None:
            raise KeyError(name)
        place = one.start
    return place


def _member(text: str, place: int, name: str | int) -> _Member | None:
    return next((one for one in _members(text, place) if one.name == name), None)


def _members(text: str, place: int) -> Iterator[_Member]:
    """The members of the object or list that begins at a place."""
    is_object = text[place] == "{"
    at, number = _blank(text, place + 1), 0
    while text[at] not in "]}":
        begin, key = at, number
        if is_object:
            key, at = _value_end(text, at)
            at = _blank(text, _blank(text, at) + 1)
        _, end = _value_end(text, at)
        yield _Member(key, begin, at, end)
        at, number = _blank(text, end), number + 1
        if text[at] == ",":
            at = _blank(text, at + 1)


def _blank(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    assert found is not None
    return found.end()
