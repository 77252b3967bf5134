"""What any reference may say about its prompt: how many facts it asks for, and how many a full answer has."""

from __future__ import annotations

from rlhalt.errors import InputError
from rlhalt.records import Json


def n_asked(reference: Json) -> int | None:
    """How many facts a prompt asks for, as its reference says under `n_asked`; None where it does not say.

    It limits what can be earned, see `rlhalt.rewards`.

    >>> n_asked({"subject": "Kenya", "n_asked": 5})
    5

    Raises:
        InputError: an `n_asked` that is no whole number above 0.
    """
    return _count(reference, "n_asked", "how many facts the prompt asks for")


def n_desired(reference: Json) -> int | None:
    """How many correct fragments a full answer has: `n_desired`, or else `n_asked`; None where neither is there.

    Completeness can be measured by it; it limits nothing. `Domain.prompts` writes it into each reference.

    >>> n_desired({"answer": "2 + 3 = 5", "n_desired": 1})
    1

    Raises:
        InputError: an `n_desired` or `n_asked` that is no whole number above 0.
    """
    asked = n_asked(reference)
    found = _count(reference, "n_desired", "the correct fragments of a full answer")
    return asked if found is None else found


def _count(reference: Json, name: str, what: str) -> int | None:
    if name not in reference:
        return None
    said = reference[name]
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        raise InputError(f"expected a whole number above 0, {what}; found {said!r}", field=f"reference.{name}")
    return said
