"""What decides whether a fragment is right: one protocol, one module a verifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from rlhalt.errors import VerifierFailure
from rlhalt.records import Fragment, Json, Label


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a verifier says of one fragment.

    Attributes:
        label: `correct`, `incorrect` or `unverifiable` (nothing to check it against). Never a guess.
        evidence: what the verdict rests on, one line for a person.
        probability: how sure the verifier is, where it knows.
    """

    label: Label
    evidence: str
    probability: float | None = None


class Verifier(Protocol):
    """Judges the fragments of a response against its reference.

    The scorer labels halting phrases by itself and does not show them to the verifier. A verifier that must know
    whether a response halts sets `knows_halts = True`; it is shown the fragments of kind `halt` too, and what it says
    of them does not count. One that must know what was asked sets `knows_prompt = True`, and `verify` takes the chat
    messages of the prompt as a further argument `prompt`.

    One that reads a table or a file has an attribute `fingerprint`, a text that is another one for other content: where
    it changes, rows are judged again, as they are where the verifier's code changes.

    `name` carries a version, because it is written into every row. `verify` returns one verdict a fragment, in order,
    or in its place the `VerifierFailure` of that fragment alone; it raises one where it broke as a whole, and
    `InputError` where the reference names nothing it knows.
    """

    @property
    def name(self) -> str:
        """Name and version, `knowledge/1`."""
        ...

    def verify(
        self, response: str, fragments: Sequence[Fragment], reference: Json
    ) -> Sequence[Verdict | VerifierFailure]:
        """One verdict a fragment, in order."""
        ...
