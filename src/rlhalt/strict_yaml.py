"""YAML files of keys and values, read strictly: a misspelt key is an error that names it and the one it is near to."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import yaml

from rlhalt.errors import InputError
from rlhalt.jsonl import Json, Wrong, explained, refuse_unwritable


def read_yaml(path: str | Path) -> Json:
    """The keys and values of a YAML file, whatever they are.

    Raises:
        InputError: no such file, no YAML, no mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("expected a YAML file, found no such file", path=path)
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Strict)
        refuse_unwritable(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        told = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"expected YAML, found {told[0]}", path=path) from None
    except RecursionError:
        raise InputError("expected YAML of few levels, found more than can be read", path=path) from None
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, field=wrong.field or None) from None
    if not isinstance(data, dict):
        raise InputError("expected keys and values", path=path)
    return data


class _Strict(yaml.SafeLoader):
    """Reads plain values only, and every key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping.

        Raises:
            Wrong: a key that appears twice.
        """
        names = [one.value for one, _ in node.value if isinstance(one, yaml.ScalarNode)]
        for place, name in enumerate(names):
            if name in names[:place] and name != "<<":
                raise Wrong(str(name), "expected every key once, found it twice")
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


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
    missing = [key for key in required if key not in data]
    if missing:
        others = f"; also missing: {', '.join(missing[1:])}" if missing[1:] else ""
        raise InputError(f"expected this key, found none{others}", path=path, field=missing[0])
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
    read: Json = {}
    for name, hint in get_type_hints(kind).items():
        if name in data:
            try:
                read[name] = msgspec.convert(data[name], hint)
            except msgspec.ValidationError as error:
                place, message = explained(error, data[name])
                inside = place if place.startswith("[") or not place else f".{place}"
                raise InputError(message, path=path, field=f"{name}{inside}") from None
    return read
