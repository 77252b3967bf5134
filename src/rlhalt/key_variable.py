"""The name of the environment variable that holds an API key; a key in its place is refused, and not repeated."""

from __future__ import annotations

import os
import re

from rlhalt.errors import InputError

# Names are written in capitals; of keys few are, and those are long.
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,39}")


def check_variable(name: str, field: str) -> None:
    """See that a text names an environment variable.

    Args:
        name: the text; any name of a variable that is set is one.
        field: where it was given, for the message.

    Raises:
        InputError: it looks like a key. The message does not hold the text.
    """
    if name not in os.environ and not _NAME.fullmatch(name):
        raise InputError(
            "expected the name of the environment variable that holds the API key, as OPENAI_API_KEY, found a text "
            "that is no such name and may be the key itself; put the key into a variable and give its name",
            field=field,
        )
