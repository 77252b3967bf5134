"""Fragment + verify: a response becomes a scored response. Nothing else in rlhalt measures truth."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rlhalt.errors import BudgetExceeded, InputError, TooManyFailures, VerifierFailure
from rlhalt.progress import track
from rlhalt.records import Fragment, Journal, Json, Response, Scored, content_key
from rlhalt.runs import Run
from rlhalt.verifiers import Verdict, Verifier


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Splits a response and judges its fragments.

    Attributes:
        fragment: text to fragments, offsets into the text.
        verifier: fragments to verdicts.
        max_failure_rate: share of failed fragments above which a run stops with `TooManyFailures`.
    """

    fragment: Callable[[str], list[Fragment]]
    verifier: Verifier
    max_failure_rate: float = 0.02

    def judge(self, text: str, reference: Json) -> list[Fragment]:
        """The fragments of a text with their verdicts.

        This is the verifier boundary: whatever breaks inside it makes the fragments *failed*, with the reason.

        Raises:
            InputError: the reference names nothing the verifier knows; that is the user's to mend, not a failure.
            BudgetExceeded: a paid verifier may not ask any more.
        """
        fragments = self.fragment(text)
        try:
            verdicts = self.verifier.verify(text, fragments, reference) if fragments else []
            if len(verdicts) != len(fragments):
                raise VerifierFailure(f"expected {len(fragments)} verdicts, found {len(verdicts)}")
        except (InputError, BudgetExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - the verifier boundary
            verdicts = [VerifierFailure(f"{type(error).__name__}: {error}")] * len(fragments)
        return [self._judged(one, verdict) for one, verdict in zip(fragments, verdicts, strict=True)]

    def _judged(self, fragment: Fragment, verdict: Verdict | VerifierFailure) -> Fragment:
        if isinstance(verdict, VerifierFailure):
            return dataclasses.replace(fragment, verifier=self.verifier.name, error=str(verdict))
        return dataclasses.replace(
            fragment,
            label=verdict.label,
            probability=verdict.probability,
            verifier=self.verifier.name,
            evidence=verdict.evidence,
        )

    def score(self, response: Response) -> Scored:
        """A response with its judged fragments."""
        values = {field.name: getattr(response, field.name) for field in dataclasses.fields(Response)}
        return Scored(**values, fragments=self.judge(response.response, response.reference))


def score_file(responses: Sequence[Response], scorer: Scorer, output: str | Path) -> list[Scored]:
    """Score responses into a JSONL file; rows scored by this verifier are kept, failed ones are done again.

    Raises:
        InputError: a response whose reference has no entry, naming its row.
        TooManyFailures: after the rows are written.
    """

    def current(row: Scored) -> bool:
        return not row.failed and all(one.verifier == scorer.verifier.name for one in row.fragments)

    keys = [one.key for one in responses]
    run = Run("score", output, config={"verifier": scorer.verifier.name, "responses": content_key(keys)})
    with run, Journal(output, Scored, keep=current) as journal:
        missing = [(row, one) for row, one in enumerate(responses, start=1) if one.key not in journal.done]
        for row, response in track(missing, "score"):
            try:
                journal.add(scorer.score(response))
            except InputError as error:
                raise InputError(f"{error.message} (response {row}, key {response.key})", field=error.field) from None
        rows: list[Scored] = journal.finish(keys)
        labels = Counter(one.label or "failed" for row in rows for one in row.fragments)
        run.result(rows=len(rows), fragments=dict(labels))
    check_failures(rows, scorer.max_failure_rate, output)
    return rows


def check_failures(rows: Sequence[Scored], limit: float, output: str | Path) -> None:
    """Stop where more than `limit` of the fragments failed.

    Raises:
        TooManyFailures: with the most frequent reason.
    """
    reasons = Counter(one.error for row in rows for one in row.fragments if one.failed)
    failed, total = sum(reasons.values()), sum(len(row.fragments) for row in rows)
    if total and failed / total > limit:
        reason, count = reasons.most_common(1)[0]
        raise TooManyFailures(
            f"{output}: {failed} of {total} fragments failed (limit {limit:.0%}), {count} of them: {reason}; "
            "mend the verifier and run again, only the failed rows are done"
        )
