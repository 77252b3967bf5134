"""How much a full answer holds: what completeness is a share of, where it is not measured against another model."""

from __future__ import annotations

from rlhalt.credit import n_asked
from rlhalt.errors import InputError
from rlhalt.records import Json
from rlhalt.tasks.countries import FACTS


def desired(domain: str, reference: Json) -> int | None:
    """n_desired: the right fragments of a full answer to a prompt.

    As many as are asked for, or all that the reference holds: what the reference itself says under `n_desired`, or
    under `n_asked`, which limits what can be earned besides (`rlhalt.credit.n_asked`); for countries the five facts of
    the question; for maths the lines of the worked solution, its result among them.

    Returns:
        None where nothing says how many there should be: of a program, or of a life, any number may do.

    Raises:
        InputError: an `n_desired` or `n_asked` that is no whole number above 0.
    """
    asked = n_asked(reference)
    if "n_desired" in reference:
        said = reference["n_desired"]
        if not isinstance(said, int) or isinstance(said, bool) or said < 1:
            raise InputError(
                f"expected a whole number above 0, the right fragments of a full answer; found {said!r}",
                field="reference.n_desired",
            )
        return said
    if asked is not None:
        return asked
    if domain == "countries":
        return FACTS
    if domain == "maths":
        return sum(bool(line.strip()) for line in str(reference.get("answer", "")).splitlines()) or None
    return None
