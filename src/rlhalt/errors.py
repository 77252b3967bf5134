"""What can go wrong, and how it is told.

Five things go wrong in rlhalt and they are never mixed:

- The *user's input* is not what it must be: a file, a row, a field, a configuration key. `InputError`, one line that
  says what was expected, what was found, where, and what to do; the command exits with 2 and writes nothing.
- A *verifier* breaks while it judges a fragment. `VerifierFailure` is caught at one place (`rlhalt.scoring`), where the
  fragment becomes *failed*: label null, the reason in `error`. A failure is never a verdict.
- The budget of a paid verifier is spent. `BudgetExceeded`; the command exits with 4, and finished rows are kept.
- Too many fragments failed for the result to mean anything. `TooManyFailures`; the command exits with 3, after the
  rows have been written, so that the next run asks only for the failed ones.
- Online training found a way to be paid without being right. `TrainingDiverged`; the command exits with 5, and the last
  checkpoint is kept.

Everything else is a bug in rlhalt and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class RlhaltError(Exception):
    """Base of the errors a user can act on. `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(RlhaltError):
    """The user's input is not what it must be.

    `message` says what was expected and found; `path`, `row` (1-based line number) and `field` say where.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, path: str | Path | None = None, row: int | None = None, field: str | None = None
    ) -> None:
        self.message, self.path, self.row, self.field = message, path, row, field
        where = []
        if path is not None:
            where.append(str(path) if row is None else f"{path}:{row}")
        if field is not None:
            where.append(f"field '{field}'")
        super().__init__(": ".join([*where, message]))


def near(word: object, known: Iterable[str]) -> str:
    """The known word that is nearest, as the end of a message; empty where none is near."""
    found = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""


class VerifierFailure(RlhaltError):
    """A verifier could not reach a verdict because it broke. The fragment is *failed*, not incorrect."""


class TooManyFailures(RlhaltError):
    """More fragments failed than the domain allows. The rows are written; a second run retries the failed."""

    exit_code = 3


class BudgetExceeded(RlhaltError):
    """The next call could pass the budget; it was not made. Run again with a larger one: finished rows are kept."""

    exit_code = 4


class TrainingDiverged(RlhaltError):
    """Training has gone where more of it does not help. The last checkpoint is kept; change the run, or the limit."""

    exit_code = 5
