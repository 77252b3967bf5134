"""YAML files of keys and values, read strictly: a misspelt key is an error that names it and the one it is near to."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from rlhalt.errors import InputError
from rlhalt.records import Json

# `int | None` is the one, `Literal[...] | None` the other.
_UNIONS = (types.UnionType, Union)


def read_yaml(path: str | Path) -> Json:
    """The keys and values of a YAML file, whatever they are.

    Raises:
        InputError: no such file, no YAML, no mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("expected a YAML file, found no such file", path=path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"expected YAML, found {str(error).splitlines()[0]}", path=path) from None
    if not isinstance(data, dict):
        raise InputError("expected keys and values", path=path)
    return data


def read_settings(path: str | Path, known: Collection[str], required: Collection[str] = ()) -> Json:
    """The keys and values of a YAML file.

    Raises:
        InputError: see `read_yaml`; a key that is not among `known`, or a required one missing.
    """
    data = read_yaml(path)
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"
            raise InputError(f"unknown key; {hint}", path=path, field=str(key))
    for key in required:
        if key not in data:
            raise InputError("expected this key, found none", path=path, field=key)
    return data


def read_fields(path: str | Path, kind: type[Any], given: Collection[str] = ()) -> Json:
    """The keys and values of a YAML file that holds the fields of a dataclass: all without a default, of their types.

    Args:
        given: fields that do not come from the file.

    Raises:
        InputError: see `read_settings`; and a value that is not of its field's type.
    """
    fields = [one for one in dataclasses.fields(kind) if one.name not in given]
    required = [one.name for one in fields if one.default is one.default_factory is dataclasses.MISSING]
    data = read_settings(path, [field.name for field in fields], required)
    for key, hint in get_type_hints(kind).items():
        if key in data and not _fits(data[key], hint):
            raise InputError(f"expected {_spoken(hint)}, found {data[key]!r}", path=path, field=key)
    return data


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) in _UNIONS:
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(one, get_args(hint)[0]) for one in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(isinstance(one, str) for one in value)
    # A boolean is an int, and a whole number is a number.
    return not isinstance(value, bool) and isinstance(value, (int, float) if hint is float else hint)


def _spoken(hint: Any) -> str:
    if get_origin(hint) in (*_UNIONS, Literal):
        return " or ".join(one if isinstance(one, str) else _spoken(one) for one in get_args(hint))
    if get_origin(hint) is list:
        return f"a list, each {_spoken(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "keys and values"
    return {str: "text", int: "a whole number", float: "a number", types.NoneType: "null"}[hint]
