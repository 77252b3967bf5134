"""Fragment + verify: a response becomes a scored response. Nothing else in rlhalt measures truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rlhalt.errors import BudgetExceeded, InputError, VerifierFailure
from rlhalt.records import Fragment, Json, Response, Scored
from rlhalt.rewards import Halting
from rlhalt.verifiers import Verdict, Verifier

if TYPE_CHECKING:
    from rlhalt.llm import Client


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Splits a response and judges its fragments.

    Attributes:
        fragment: text to fragments, offsets into the text.
        verifier: fragments to verdicts.
        max_failure_rate: share of failed fragments above which a run stops with `TooManyFailures`.
        workers: responses that are judged at once, at most.
        client: what asks a model, where one is asked; its usage is shown and written down.
        halting: what the domain's verdicts count for, see `rlhalt.rewards`.
    """

    fragment: Callable[[str], list[Fragment]]
    verifier: Verifier
    max_failure_rate: float = 0.02
    workers: int = 1
    client: Client | None = None
    halting: Halting = "independent"

    def judge(self, text: str, reference: Json, earlier: Sequence[Fragment] = ()) -> list[Fragment]:
        """The fragments of a text with their verdicts.

        This is the verifier boundary: whatever breaks inside it makes the fragments *failed*, with the reason; the
        whole text is one failed fragment where splitting it broke. May be called from several threads.

        Args:
            earlier: the same text judged before; a verifier that is asked at a price need not be asked again for the
                fragments it has labelled.

        Raises:
            InputError: the reference names nothing the verifier knows; that is the user's to mend, not a failure.
            BudgetExceeded: a paid verifier may not ask any more.
        """
        fragments: list[Fragment] = []
        verdicts: Sequence[Verdict | VerifierFailure]
        try:
            fragments = self.remembered(self.fragment(text), earlier)
            verdicts = self.verifier.verify(text, fragments, reference) if fragments else []
            if len(verdicts) != len(fragments):
                raise VerifierFailure(f"expected {len(fragments)} verdicts, found {len(verdicts)}")
        except (InputError, BudgetExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - the verifier boundary
            fragments = fragments or [Fragment(0, len(text), "response", text)]
            verdicts = [VerifierFailure(f"{type(error).__name__}: {error}")] * len(fragments)
        return [self._judged(one, verdict) for one, verdict in zip(fragments, verdicts, strict=True)]

    def remembered(self, fragments: list[Fragment], earlier: Sequence[Fragment]) -> list[Fragment]:
        """The fragments, with the labels that this verifier has given them before."""
        known = {(one.start, one.end, one.claim): one for one in earlier if one.verifier == self.verifier.name}
        return [known.get((one.start, one.end, one.claim), one) for one in fragments]

    def _judged(self, fragment: Fragment, verdict: Verdict | VerifierFailure) -> Fragment:
        name = self.verifier.name
        if isinstance(verdict, VerifierFailure):
            return dataclasses.replace(
                fragment, label=None, probability=None, verifier=name, evidence=None, error=str(verdict)
            )
        return dataclasses.replace(
            fragment,
            label=verdict.label,
            probability=verdict.probability,
            verifier=name,
            evidence=verdict.evidence,
            error=None,
        )

    @property
    def fragmenter(self) -> str:
        """What splits, with its version where it has one."""
        return str(getattr(self.fragment, "name", None) or getattr(self.fragment, "__name__", "unnamed"))

    def score(self, response: Response, earlier: Sequence[Fragment] = ()) -> Scored:
        """A response with its judged fragments; see `judge`."""
        values = {field.name: getattr(response, field.name) for field in dataclasses.fields(Response)}
        return Scored(**values, fragments=self.judge(response.response, response.reference, earlier))

    def current(self, row: Scored) -> bool:
        """Whether a row needs no scoring: this verifier has judged it, and nothing in it failed."""
        return not row.failed and all(one.verifier == self.verifier.name for one in row.fragments)
