"""Fragment + verify: a response becomes a scored response. Nothing else in rlhalt measures truth."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import math
import queue
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.cluster import Cluster
from rlhalt.credit import Halting
from rlhalt.errors import BudgetExceeded, InputError, TooManyFailures, VerifierFailure
from rlhalt.fragments.halts import with_halts
from rlhalt.journal import Journal
from rlhalt.progress import track
from rlhalt.records import HALT_PHRASE, Fragment, Json, Response, Rows, Scored
from rlhalt.runs import Run, earlier_config
from rlhalt.time_limit import in_time
from rlhalt.verifiers import Verdict, Verifier

if TYPE_CHECKING:
    from rlhalt.llm import Client, Usage

Job = tuple[int, Response, "Scored | None"]  # row number, response, what an earlier run made of it
_HALT = Verdict("halt", "the halting phrase")
MOST_TOGETHER = 64  # responses that a worker of a cluster gets at once; a killed one begins with them again


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Splits a response and judges its fragments.

    Attributes:
        fragment: text to fragments, offsets into the text.
        verifier: fragments to verdicts.
        max_failure_rate: share of failed fragments above which a run stops with `TooManyFailures`.
        workers: responses that are judged at once, at most.
        client: what asks a model, where one is asked; its usage is shown and written down.
        halting: what the domain's verdicts count for, see `rlhalt.credit`.
        phrase: what the domain halts with.
        seconds: how long a response may take to be split and verified; no limit where None. Its fragments *fail* beyond
            it. The limit applies in the main thread alone, see `rlhalt.time_limit`; a judge and the sandbox for
            programs have limits of their own.
    """

    fragment: Callable[[str], list[Fragment]]
    verifier: Verifier
    max_failure_rate: float = 0.02
    workers: int = 1
    client: Client | None = None
    halting: Halting = "independent"
    phrase: str = HALT_PHRASE
    seconds: float | None = None

    def split(self, text: str) -> list[Fragment]:
        """The fragments of a text, its halting phrases among them, whatever splits it; see `rlhalt.fragments.halts`."""
        return with_halts(text, self.fragment(text), self.phrase)

    def judge(self, text: str, reference: Json, earlier: Sequence[Fragment] = ()) -> list[Fragment]:
        """The fragments of a text with their verdicts.

        Halts are labelled here: a verifier sees the other fragments only, unless it has an attribute `knows_halts` that
        is true, because it must know whether a response halts.

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

        def work() -> Sequence[Verdict | VerifierFailure]:
            nonlocal fragments
            fragments = self.remembered(self.split(text), earlier)
            return self._verdicts(text, fragments, reference)

        try:
            verdicts = in_time(work, self.seconds)
        except (InputError, BudgetExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - the verifier boundary
            fragments = fragments or [Fragment(0, len(text), "response", text)]
            verdicts = [VerifierFailure(f"{type(error).__name__}: {error}")] * len(fragments)
        return [self._judged(one, verdict) for one, verdict in zip(fragments, verdicts, strict=True)]

    def _verdicts(
        self, text: str, fragments: Sequence[Fragment], reference: Json
    ) -> Sequence[Verdict | VerifierFailure]:
        """One verdict a fragment; the verifier is asked where anything but halts is to be judged."""
        halts = [one.kind == "halt" for one in fragments]
        if all(halts):
            return [_HALT] * len(fragments)
        knows_halts = getattr(self.verifier, "knows_halts", False)
        shown = list(fragments) if knows_halts else [one for one in fragments if one.kind != "halt"]
        verdicts = self.verifier.verify(text, shown, reference)
        if len(verdicts) != len(shown):
            raise VerifierFailure(f"expected {len(shown)} verdicts, found {len(verdicts)}")
        if knows_halts or not any(halts):
            return verdicts
        following = iter(verdicts)
        return [_HALT if halt else next(following) for halt in halts]

    def remembered(self, fragments: list[Fragment], earlier: Sequence[Fragment]) -> list[Fragment]:
        """The fragments, with the labels that this verifier has given them before."""
        known = {(one.start, one.end, one.claim): one for one in earlier if one.verifier == self.verifier.name}
        return [one if one.kind == "halt" else known.get((one.start, one.end, one.claim), one) for one in fragments]

    def _judged(self, fragment: Fragment, verdict: Verdict | VerifierFailure) -> Fragment:
        name = self.verifier.name
        if fragment.kind == "halt":
            verdict = _HALT
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


@dataclasses.dataclass(frozen=True)
class Spread:
    """Scoring in the workers of a cluster.

    Attributes:
        cluster: where.
        load: makes the scorer in each worker, see `rlhalt.reward.scorer_elsewhere`.
    """

    cluster: Cluster
    load: Callable[[], Scorer]

    def scored(self, jobs: Iterable[Job], count: int, scorer: Scorer) -> Iterator[Scored]:
        """Scored responses as they are done; what the workers' clients spend is added to the scorer's.

        Args:
            count: how many jobs there are.
            scorer: the like of those that `load` makes.

        Raises:
            InputError: a budget, which cannot be kept there.
        """
        from rlhalt.llm import Budget

        if scorer.client is not None and scorer.client.budget != Budget():
            raise InputError(
                "a budget is counted by one process; several workers would each spend it, and one that was killed "
                "would begin anew: score without Ray, where --judge-concurrency calls are under way at once too, or "
                "set the limit at the server",
                field="budget",
            )
        # Several turns for each worker, so that none waits long for the last one.
        together = min(MOST_TOGETHER, math.ceil(count / (8 * self.cluster.workers)))
        chunks = iter(functools.partial(_some, iter(jobs), together), [])
        for one in self.cluster.each(functools.partial(_Worker, self.load), chunks):
            if isinstance(one, Scored):
                yield one
            else:
                assert scorer.client is not None
                scorer.client.add(one)


class _Worker:
    """What scores in a worker of a cluster: some responses in, and out what became of them and what that has cost."""

    def __init__(self, load: Callable[[], Scorer]) -> None:
        scorer = load()
        # A worker has one CPU; only what waits for a model can do several at once.
        self._scorer = scorer if scorer.client is not None else dataclasses.replace(scorer, workers=1)

    def __call__(self, jobs: Sequence[Job]) -> Iterator[Scored | Usage]:
        client = self._scorer.client
        before = client.usage if client is not None else None
        try:
            yield from _scored(jobs, self._scorer)
        finally:
            if client is not None and before is not None:
                yield client.usage - before


def _some(jobs: Iterator[Job], most: int) -> list[Job]:
    return list(itertools.islice(jobs, most))


def score_file(
    responses: Sequence[Response] | Rows[Response], scorer: Scorer, output: str | Path, spread: Spread | None = None
) -> None:
    """Score responses into a JSONL file; rows scored by this verifier are kept, failed ones are done again.

    Rows are read, judged and written one after another: memory does not grow with their number (with `spread` by about
    a kilobyte a row).

    Args:
        scorer: what scores; with `spread` the like of it do, and it tells which rows need scoring.
        spread: where to score; here if not given.

    Raises:
        InputError: a response whose reference has no entry, naming its row.
        BudgetExceeded: the rows finished until then are kept.
        TooManyFailures: after the rows are written.
    """
    total, digest = _keys(responses)
    config = {"fragmenter": scorer.fragmenter, "verifier": scorer.verifier.name, "responses": digest}
    run = Run("score", output, config=config)
    # Rows do not tell how they were split; the run that made them does.
    split_alike = earlier_config(output).get("fragmenter", scorer.fragmenter) == scorer.fragmenter
    with run, Journal(output, Scored, keep=scorer.current if split_alike else lambda row: False) as journal:
        missing = sum(one.key not in journal for one in responses)
        jobs = (
            (row, one, journal.earlier(one.key)) for row, one in enumerate(responses, start=1) if one.key not in journal
        )
        if spread is None:
            scored = _scored(jobs, scorer)
        else:
            scored = spread.scored(jobs, missing, scorer)
            run.result(ray=dataclasses.asdict(spread.cluster))
        for one in track(scored, "score", missing, note=lambda: _spent(scorer)):
            if one.key not in journal:
                journal.add(one)
        journal.finish(one.key for one in responses)
        labels, reasons = _counted(output)
        run.result(rows=total, fragments={**labels, **({"failed": reasons.total()} if reasons else {})})
        if scorer.client is not None:
            run.result(usage=dataclasses.asdict(scorer.client.usage), budget=dataclasses.asdict(scorer.client.budget))
    _check_failures(labels, reasons, scorer.max_failure_rate, output)


def estimate(responses: Iterable[Response], scorer: Scorer, output: str | Path) -> Usage:
    """What `score_file` would ask of a model and what that would cost, roughly, without asking.

    Where the fragments themselves come from a model they are not known yet; sentences stand for them.

    Raises:
        InputError: a reference that lacks what the judge must see; or a scorer that asks no model.
    """
    from rlhalt.fragments.sentences import sentences
    from rlhalt.llm import Usage

    usage = Usage()
    with Journal(output, Scored, keep=scorer.current) as journal:
        for one in responses:
            if one.key in journal:
                continue
            earlier = journal.earlier(one.key)
            if hasattr(scorer.fragment, "estimate"):
                usage += scorer.fragment.estimate([one.response])
                fragments = list(earlier.fragments) if earlier else sentences(one.response)
            else:
                fragments = scorer.remembered(scorer.split(one.response), earlier.fragments if earlier else ())
            if hasattr(scorer.verifier, "estimate"):
                usage += scorer.verifier.estimate([(fragments, one.reference)])
    return usage


def _keys(responses: Iterable[Response]) -> tuple[int, str]:
    total, digest = 0, hashlib.sha256()
    for one in responses:
        total += 1
        digest.update(one.key.encode() + b"\n")
    return total, digest.hexdigest()[:16]


def _spent(scorer: Scorer) -> str:
    return str(scorer.client.usage) if scorer.client is not None else ""


def _scored(jobs: Iterable[Job], scorer: Scorer) -> Iterator[Scored]:
    """Scored responses as they are done, with no more of them under way than keep the workers busy."""

    def score(row: int, response: Response, earlier: Scored | None) -> Scored:
        try:
            return scorer.score(response, earlier.fragments if earlier else ())
        except InputError as error:
            raise InputError(f"{error.message} (response {row}, key {response.key})", field=error.field) from None

    if scorer.workers == 1:
        yield from (score(*job) for job in jobs)
        return
    # After an error nothing more is begun; what was under way ends and is kept, because it has been paid for.
    errors: list[BaseException] = []
    with concurrent.futures.ThreadPoolExecutor(scorer.workers) as pool:
        waiting: set[concurrent.futures.Future[Scored]] = set()
        # Waiting for the first of a set looks at all of it every time.
        done: queue.SimpleQueue[concurrent.futures.Future[Scored]] = queue.SimpleQueue()
        try:
            for job in jobs:
                one = pool.submit(score, *job)
                one.add_done_callback(done.put)
                waiting.add(one)
                if len(waiting) >= 2 * scorer.workers:
                    one = done.get()
                    waiting.remove(one)
                    yield from _results([one], errors)
                if errors:
                    break
            for one in waiting if errors else ():
                one.cancel()
            for one in concurrent.futures.as_completed(waiting):
                yield from _results([one], errors)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if errors:
        raise errors[0]


def _results(done: Iterable[concurrent.futures.Future[Scored]], errors: list[BaseException]) -> Iterator[Scored]:
    for one in done:
        if one.cancelled():
            continue
        error = one.exception()
        if error is None:
            yield one.result()
        else:
            errors.append(error)


def _counted(scored: str | Path) -> tuple[Counter[str], Counter[str]]:
    """How many fragments have each label, and how many failed for each reason."""
    labels: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in Rows(Path(scored), Scored):
        labels.update(one.label for one in row.fragments if one.label)
        reasons.update(one.error for one in row.fragments if one.failed and one.error)
    return labels, reasons


def _check_failures(labels: Counter[str], reasons: Counter[str], limit: float, output: str | Path) -> None:
    failed, total = reasons.total(), labels.total() + reasons.total()
    if total and failed / total > limit:
        reason, count = reasons.most_common(1)[0]
        raise TooManyFailures(
            f"{output}: {failed} of {total} fragments failed (limit {limit:.0%}), {count} of them: {reason}; "
            "mend the verifier and run again, only the failed rows are done"
        )
