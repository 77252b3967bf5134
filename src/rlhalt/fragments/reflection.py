"""The section at the end of a response that says what of it is doubtful (UNIT, arXiv 2502.11962).

    A is in Asia. Its capital is B.⏎⏎### Reflection⏎Of this I am not sure:⏎1. Its capital is B.
    └────────── answer ───────────┘  └──────────────────── reflection ────────────────────────┘

It has three forms: nothing is doubtful; a numbered list; more than ten, then most of it is. A reflection states
nothing, so it is neither split nor judged: a wrong fact that it lists would count as wrong twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

HEADING = "### Reflection"
SURE = "I am sure of all of this."
LISTED = "Of this I am not sure:"
MOSTLY_UNSURE = "I am not sure of most of this."
LONGEST_LIST = 10
_BEFORE = f"\n\n{HEADING}\n"
_ITEM = re.compile(r"\d+\. (.*\S)")


def reflection(statements: Sequence[str]) -> tuple[str, ...]:
    """The section for these doubtful statements, to be put behind a response."""
    if not statements:
        return _BEFORE, SURE
    if len(statements) > LONGEST_LIST:
        return _BEFORE, MOSTLY_UNSURE
    # A statement that spans lines would look like two.
    lines = (f"\n{number}. {' '.join(one.split())}" for number, one in enumerate(statements, start=1))
    return _BEFORE, LISTED, *lines


def read_reflection(text: str) -> tuple[str, list[str] | None]:
    """A response without its reflection, and the statements listed there.

    Returns:
        The list is empty where nothing is doubtful, and None where there is no reflection that can be read, or one
        that says most is doubtful and names nothing.
    """
    answer, heading, section = text.partition(_BEFORE)
    if not heading:
        return text, None
    if section.strip() == SURE:
        return answer, []
    first, *lines = section.strip().split("\n")
    items = [_ITEM.fullmatch(line) for line in lines]
    if first != LISTED or not items or not all(items):
        return answer, None
    return answer, [item[1] for item in items if item]


def before_reflection(text: str) -> str:
    """A response up to its reflection, which may be cut off at the token limit; all of it where it has none.

    A heading alone is no reflection: what else stands below it is stated, and is judged.

    >>> section = "\\n\\n### Reflection\\n"
    >>> before_reflection(f"Its capital is B.{section}Of this I am not sure:\\n1. Its capital is B.")
    'Its capital is B.'
    >>> before_reflection(f"Hm.{section}Its capital is C.") == f"Hm.{section}Its capital is C."
    True
    """
    answer, heading, section = text.partition(_BEFORE)
    if not heading:
        return text
    first, *lines = section.strip().split("\n")
    if first == LISTED:
        found = all(_ITEM.fullmatch(line) for line in lines[:-1])
    else:
        found = not lines and any(one.startswith(first) for one in (SURE, LISTED, MOSTLY_UNSURE))
    return answer if found else text
