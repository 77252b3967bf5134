"""Extension of griffe, which reads the docstrings for the site.

Examples (`>>>`) become blocks of Python, so that Markdown finds no link or quotation in them. Attributes or arguments
that share a line ("slope, intercept: of `platt`.") become a line each, as the parser wants them.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

# From the first line with a prompt to the next empty line.
_EXAMPLE = re.compile(r"^( *)>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_SHARED = re.compile(r"^( +)(\w+(?:, \w+)+):( .*(?:\n\1 +\S.*)*)", re.MULTILINE)


class Readable(griffe.Extension):
    """Changes docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object, where it has one."""
        if obj.docstring is not None:
            obj.docstring.value = _SHARED.sub(_one_each, _EXAMPLE.sub(_fenced, obj.docstring.value))


def _fenced(found: re.Match[str]) -> str:
    return f"{found[1]}```pycon\n{found[0]}\n{found[1]}```"


def _one_each(found: re.Match[str]) -> str:
    return "\n".join(f"{found[1]}{name}:{found[3]}" for name in found[2].split(", "))
