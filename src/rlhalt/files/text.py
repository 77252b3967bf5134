"""Text files: read as UTF-8, written so that a file is there whole or not at all, and named before work is paid for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rlhalt.errors import InputError


def read_text(path: str | Path, what: str) -> str:
    """The text of a file.

    Args:
        what: the kind of file, for the message.

    Raises:
        InputError: no such file, or no UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected {what}, found no such file", path=path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"expected UTF-8, found byte 0x{error.object[error.start]:02x}", path=path) from None


def check_name(path: str | Path) -> None:
    """See that a file of rows is named as one; its run.json would go into a folder of that name otherwise.

    Raises:
        InputError: another ending, or a folder.
    """
    path = Path(path)
    if path.suffix not in (".jsonl", ".json"):
        raise InputError("expected a name that ends in .jsonl", path=path)
    if path.is_dir():
        raise InputError("expected a file, found a folder", path=path)


def check_folder(path: str | Path) -> None:
    """See that a folder is there or can be made, before what goes into it is paid for.

    Raises:
        InputError: a file has its name, or that of a folder above it.
    """
    for one in (Path(path), *Path(path).parents):
        if one.exists() and not one.is_dir():
            raise InputError("expected a folder, found a file", path=one)


def write_atomic(path: str | Path, chunks: Iterable[str]) -> None:
    """Write text to a file that appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
