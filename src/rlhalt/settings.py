"""YAML files of keys and values, read strictly: a misspelt key is an error that names it and the one it is near to."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

import yaml

from rlhalt.errors import InputError
from rlhalt.records import Json


def read_settings(path: str | Path, known: Collection[str], required: Collection[str] = ()) -> Json:
    """The keys and values of a YAML file.

    Raises:
        InputError: no such file, no YAML, no mapping, a key that is not among `known`, or a required one missing.
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
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"
            raise InputError(f"unknown key; {hint}", path=path, field=str(key))
    for key in required:
        if key not in data:
            raise InputError("expected this key, found none", path=path, field=key)
    return data
