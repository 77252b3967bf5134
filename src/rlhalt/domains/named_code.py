"""Code that a domain.yaml names: a dotted path, a file in its folder, or an entry point of an installed package."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.records import content_key


def attribute(path: str, folder: Path | None = None) -> Any:
    """What a dotted path names, or `file.py:Name` with a file in the folder.

    Raises:
        ImportError, AttributeError: there is no such thing.
    """
    module, _, name = path.partition(":")
    if module.endswith(".py") and folder is not None:
        return getattr(_module(folder / module), name)
    return getattr(importlib.import_module(module), name)


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


def loaded(folder: Path, path: str) -> Any:
    """What the key `task` names.

    Raises:
        InputError: it cannot be imported.
    """
    try:
        return attribute(path, folder)
    except (ImportError, AttributeError) as error:
        raise InputError(f"expected {path!r} to be importable, found: {error}", path=folder, field="task") from None


def offered(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    """What installed packages offer: domains, fragmenters or verifiers, by name."""
    return {one.name: one for one in importlib.metadata.entry_points(group=f"rlhalt.{kind}s")}


def check_name(kind: str, name: str, known: tuple[str, ...], path: Path) -> None:
    """See that the name of a fragmenter or verifier is rlhalt's, an installed package's, or a dotted path.

    Raises:
        InputError: it is none of them.
    """
    names = [*known, *sorted(offered(kind))]
    if name not in names and ":" not in name:
        raise InputError(
            f"unknown {kind} {name!r}; known are {', '.join(names)}, or a dotted path as my_package.my_module:Name",
            path=path,
            field=kind,
        )


def own_code(kind: str, name: str, folder: Path) -> Any:
    """A fragmenter or verifier that is not rlhalt's, by entry point or dotted path.

    Raises:
        InputError: it cannot be imported.
    """
    packages = offered(kind)
    try:
        return packages[name].load() if name in packages else attribute(name, folder)
    except (ImportError, AttributeError) as error:
        raise InputError(f"expected {name!r} to be importable, found: {error}", field=kind) from None
