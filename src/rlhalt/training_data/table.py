"""What the two tables of methods share: an entry, and how a method is found by its name.

A method is one module with a function that makes targets or pairs, and one line in `targets/methods.py` or
`preferences/methods.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, Literal, TypeVar

from rlhalt.errors import InputError, near
from rlhalt.records import Scored

How = TypeVar("How")
Row = TypeVar("Row")


@dataclasses.dataclass(frozen=True)
class Entry(Generic[How, Row]):
    """One method of a table.

    Attributes:
        make: scored responses, those of a second model, settings, halting phrase → targets or pairs.
        per_tau: whether what it makes depends on τ; a recipe trains such a method at every τ.
        others: whether it reads responses of a second model to the same prompts.
        keys: arguments of the training that belong to the method.
    """

    make: Callable[[Iterable[Scored], Iterable[Scored], How, str], Iterator[Row]]
    per_tau: bool = False
    others: Literal["none", "optional", "required"] = "none"
    keys: Sequence[str] = ()


def check_name(name: str, table: Mapping[str, object], field: str) -> None:
    """See that a method is in a table.

    Raises:
        InputError: it is not; all names are listed, and the one it is near to is named.
    """
    if name not in table:
        raise InputError(f"expected one of {', '.join(table)}, found '{name}'{near(name, table)}", field=field)


def check_others(name: str, entry: Entry[How, Row], others: str | Path | None) -> None:
    """See that a second file of responses is given to a method that needs one, and to no other.

    Raises:
        InputError: it is missing, or the method does not read it.
    """
    if others is None and entry.others == "required":
        raise InputError(
            f"expected scored responses of a second model to the same prompts, found none; '{name}' needs them, "
            "see docs/methods.md",
            field="others",
        )
    if others is not None and entry.others == "none":
        raise InputError(f"expected none with '{name}', which reads one file of responses", field="others")
