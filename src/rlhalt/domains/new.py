"""A new domain: a folder that runs, to be changed piece by piece."""

from __future__ import annotations

import re
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.records import write_atomic

_FILES = Path(__file__).parent / "template"


def write_domain(folder: str | Path) -> list[Path]:
    """Write a domain into a new folder, named after it: domain.yaml, domain.py, examples.jsonl, a recipe and a test.

    Returns:
        The files.

    Raises:
        InputError: a name that is none for a domain, or a folder that holds something already.
    """
    folder = Path(folder)
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise InputError(
            f"expected a folder whose name is lower-case letters, digits, - and _, found {name!r}", path=folder
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("expected a new or an empty folder, found one with files in it", path=folder)
    made = []
    for one in sorted(_FILES.iterdir()):
        path = folder / one.name.removesuffix(".txt")
        write_atomic(path, [one.read_text(encoding="utf-8").replace("NAME", name).replace("FOLDER", str(folder))])
        made.append(path)
    return made
