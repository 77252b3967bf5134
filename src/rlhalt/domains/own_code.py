"""Code that domain.yaml names: of the user's own, or of an installed package. Whatever is wrong with it is one line."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rlhalt.errors import InputError
from rlhalt.records import Json, content_key

T = TypeVar("T")


def offered(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    """What installed packages offer: `domain`, `fragmenter` or `verifier`, by name."""
    return {one.name: one for one in importlib.metadata.entry_points(group=f"rlhalt.{kind}s")}


def loaded(kind: str, name: str, folder: Path) -> Any:
    """What a name means: an entry point of `rlhalt.<kind>s`, a dotted path, or `file.py:Name` with a file in `folder`.

    Raises:
        InputError: it names nothing, or the code behind it cannot be imported; with the field `kind`.
    """
    # Looking at all installed packages takes longer than a row: only where it can matter.
    entry = offered(kind).get(name) if ":" not in name else None
    load = entry.load if entry is not None else lambda: _attribute(name, folder)
    return run(load, f"{name!r} to be importable", folder, kind)


def made(kind: str, name: str, call: Callable[..., T], options: Json | None, folder: Path) -> T:
    """What a class or function makes of the `options` of domain.yaml.

    Raises:
        InputError: it cannot be called, does not take these options, or breaks.
    """
    if not callable(call):
        raise InputError(f"expected a class or a function, found {name!r}: {call!r}", path=folder, field=kind)
    return run(lambda: call(**(options or {})), f"options that {name!r} takes", folder, "options" if options else kind)


def run(work: Callable[[], T], expected: str, folder: Path, field: str) -> T:
    """What code of the user's returns.

    Args:
        expected, field: for the message.

    Raises:
        InputError: it raises anything.
    """
    try:
        return work()
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of the user's may raise anything
        told = " ".join(str(error).split()) or "no reason given"
        found = f"{type(error).__name__}: {told[:300]}{_place(error)}"
        raise InputError(f"expected {expected}, found: {found}", path=folder, field=field) from None


def _place(error: BaseException) -> str:
    """The file and the line where an error was raised, where that is no code of Python's or rlhalt's."""
    if isinstance(error, SyntaxError):
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return "" if "importlib" in last.filename or last.filename == __file__ else f" ({last.filename}:{last.lineno})"


def _attribute(path: str, folder: Path) -> Any:
    """What a dotted path names, or `file.py:Name` with a file in the folder."""
    place, _, name = path.partition(":")
    if not place or not name.isidentifier():
        raise ImportError("no module:Name")
    if place.endswith(".py"):
        return getattr(_module(folder / place), name)
    return getattr(importlib.import_module(place), name)


def _module(path: Path) -> Any:
    """A file as a module, the same one each time."""
    name = f"rlhalt_domain_{content_key(str(path.resolve()))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"no Python file {path}")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
