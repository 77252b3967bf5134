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
from rlhalt.files.jsonl import explained
from rlhalt.files.strict_json import MOST_LEVELS, Json, Wrong, refuse_unwritable
from rlhalt.files.text import read_text

MOST_NAMES = 40  # that a message lists
MOST_VALUES = 100_000  # in one document; a configuration has some dozens


def read_yaml(path: str | Path) -> Json:
    """The keys and values of a YAML file, whatever they are.

    Raises:
        InputError: no such file, no YAML, no mapping.
    """
    path = Path(path)
    try:
        data = _parsed(read_text(path, "a YAML file"))
    except Wrong as wrong:
        raise InputError(wrong.message, path=path, field=wrong.field or None) from None
    if not isinstance(data, dict):
        raise InputError("expected keys and values", path=path)
    return data


def read_value(name: str, text: str) -> Any:
    """A value of the command line, read as YAML reads it.

    Args:
        name: of the key, for the message.

    Raises:
        InputError: it is no YAML.
    """
    try:
        return _parsed(text)
    except Wrong as wrong:
        raise InputError(wrong.message, field=name) from None


def _parsed(text: str) -> Any:
    try:
        _refuse_bombs(yaml.compose(text, _Strict))
        data = yaml.load(text, _Strict)
        refuse_unwritable(data)
    except (yaml.YAMLError, ValueError) as error:
        told = str(error).splitlines() or [type(error).__name__]
        raise Wrong("", f"expected YAML, found {told[0]}") from None
    except RecursionError:
        raise Wrong("", "expected YAML of few levels, found more than can be read") from None
    return data


def _refuse_bombs(root: yaml.Node | None) -> None:
    """See that a document stays small when its aliases are replaced by what they stand for.

    Raises:
        Wrong: more than `MOST_VALUES` values, or an alias inside of what it stands for.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_:
            raise Wrong("", "expected values that end, found an alias inside of what it stands for")
        if id(node) not in sizes:
            open_.add(id(node))
            inside = node.value if isinstance(node, yaml.CollectionNode) else []
            parts = [part for one in inside for part in (one if isinstance(one, tuple) else (one,))]
            sizes[id(node)] = 1 + sum(map(size, parts))
            open_.remove(id(node))
        if sizes[id(node)] > MOST_VALUES:
            raise Wrong("", f"expected at most {MOST_VALUES:,} values, found more where aliases stand for theirs")
        return sizes[id(node)]

    if root is not None:
        size(root)


class _Strict(yaml.SafeLoader):
    """Reads plain values only, and every key once."""

    def fetch_flow_collection_start(self, kind: Any) -> None:
        """Begin a list or a mapping in brackets.

        Raises:
            Wrong: too many of them inside of each other, which takes PyYAML long to refuse.
        """
        if self.flow_level >= MOST_LEVELS:
            raise Wrong("", f"expected at most {MOST_LEVELS} levels of nesting, found more")
        super().fetch_flow_collection_start(kind)

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
            names = f"known are {', '.join(sorted(known))}" if len(known) <= MOST_NAMES else "none is like it"
            hint = f"did you mean '{near[0]}'?" if near else names
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
