"""The source code behind a verifier or a fragmenter, as a hash: an edited one judges anew."""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from rlhalt.records import content_key, file_hash

_RLHALT = Path(__file__).resolve().parents[1]
# What decides verdicts in rlhalt itself; the rest only carries them.
_DECIDES = (_RLHALT / "verifiers", _RLHALT / "fragments", _RLHALT / "domains")


def code_of(thing: object) -> str:
    """A hash of the files that hold a function's or an object's code, and of those that they import.

    Of a user's module, the files beside its top-level package count, or those of the package alone where it is
    installed; of rlhalt's own, those of `verifiers`, `fragments` and `domains`. Equal on every machine for equal files.
    """
    while isinstance(thing, functools.partial):
        thing = thing.func
    kind = thing if isinstance(thing, type | types.FunctionType) else type(thing)
    names = [one.__module__ for one in kind.__mro__] if isinstance(kind, type) else [kind.__module__]
    files: set[Path] = set()
    for name in names:
        if (file := _file_of(name)) is not None:
            _follow(file, *_home(name, file), files)
    return content_key(sorted(file_hash(one) for one in files))


def _file_of(name: str) -> Path | None:
    """The source file of an imported module; None for what has none, or is Python's own."""
    place = getattr(sys.modules.get(name), "__file__", None)
    if name.partition(".")[0] in sys.stdlib_module_names or not isinstance(place, str):
        return None
    file = Path(place).resolve()
    return file if file.suffix == ".py" and file.is_file() else None


def _home(name: str, file: Path) -> tuple[Path, tuple[Path, ...]]:
    """The folder that holds a module's top-level package, and the folders whose files count."""
    up = 0 if name == "__main__" else name.count(".") + (file.name == "__init__.py")
    base = file.parents[up]
    if base == _RLHALT.parent:
        return base, _DECIDES
    if base.name in ("site-packages", "dist-packages"):
        return base, (base / name.partition(".")[0],)
    return base, (base,)


def _follow(file: Path, base: Path, counts: tuple[Path, ...], found: set[Path]) -> None:
    if file in found or not any(file.is_relative_to(one) or file == one.with_suffix(".py") for one in counts):
        return
    found.add(file)
    for other in _imported(file, base):
        _follow(other, base, counts, found)


@functools.cache
def _imported(file: Path, base: Path) -> tuple[Path, ...]:
    """The files below `base` that a file imports, anywhere in it; read once, as Python reads it."""
    return tuple(_imports(file, base))


def _imports(file: Path, base: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield from _module(base.joinpath(*one.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            start = base if node.level == 0 else file.parents[node.level - 1]
            package = start.joinpath(*node.module.split(".")) if node.module else start
            yield from _module(package)
            for one in node.names:
                yield from _module(package / one.name)


def _module(path: Path) -> Iterator[Path]:
    for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if file.is_file():
            yield file.resolve()
