"""Standard fine-tuning: the answer that each prompt's reference holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.errors import InputError
from rlhalt.records import Scored, Target
from rlhalt.training_data.pieces import target
from rlhalt.training_data.targets.selection import by_prompt


def answer(row: Scored) -> str | None:
    """The text `answer` of a row's reference; None where there is none."""
    found = row.reference.get("answer")
    return found.strip() or None if isinstance(found, str) else None


def required_answer(row: Scored) -> str:
    """The text `answer` of a row's reference.

    Raises:
        InputError: there is none.
    """
    found = answer(row)
    if found is None:
        raise InputError(
            f"expected a text 'answer' in the reference, found {row.reference.get('answer')!r} (key {row.key}); this "
            "domain has no reference answers to fine-tune on",
            field="reference",
        )
    return found


def targets(rows: Iterable[Scored]) -> Iterator[Target]:
    """The reference answer of each prompt, whatever the model knows of it.

    Raises:
        InputError: a reference without one.
    """
    for group in by_prompt(rows):
        yield target(group[0], required_answer(group[0]), "reference")
