"""Scoring a file: responses in, scored rows out, in threads here or in the workers of a cluster."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.errors import InputError, TooManyFailures
from rlhalt.files.journal import Journal
from rlhalt.files.provenance import Run, already_done, refuse_overwriting
from rlhalt.judge_doubts import JudgeDoubts
from rlhalt.records import LABELS, Response, Rows, Scored
from rlhalt.running.cluster import Cluster
from rlhalt.running.progress import track
from rlhalt.running.threads import as_done
from rlhalt.scoring import Scorer

if TYPE_CHECKING:
    from rlhalt.llm import Usage

Job = tuple[int, Response, "Scored | None"]  # row number, response, what an earlier run made of it
MOST_TOGETHER = 64  # responses that a worker of a cluster gets at once; a killed one begins with them again


@dataclasses.dataclass(frozen=True)
class Spread:
    """Scoring in the workers of a cluster.

    Attributes:
        cluster: where.
        load: makes the scorer in each worker, see `rlhalt.domains.scorer_elsewhere`.
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


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """What a file of scored responses holds.

    Attributes:
        responses: how many.
        fragments: how many by label; `failed` are those on which the verifier broke.
    """

    responses: int
    fragments: Mapping[str, int]

    def __str__(self) -> str:
        told = [f"{self.fragments[name]} {name}" for name in (*LABELS, "failed") if self.fragments.get(name)]
        named = f": {', '.join(told)}" if told else ""
        return f"{self.responses} responses, {sum(self.fragments.values())} fragments{named}"


def score_file(
    responses: Sequence[Response] | Rows[Response], scorer: Scorer, output: str | Path, spread: Spread | None = None
) -> Verdicts:
    """Score responses into a JSONL file; failed rows are scored again, and those that are made of something else now.

    A row is kept where the response, its reference, the fragmenter, the verifier with its code, and the version of
    rlhalt are what they were, see `Scorer.made_of`.

    Rows are read, judged and written one after another: memory does not grow with their number (with `spread` by about
    a kilobyte a row).

    Args:
        scorer: what scores; with `spread` the like of it do, and it tells which rows need scoring.
        spread: where to score; here if not given.

    Returns:
        What the file holds then.

    Raises:
        InputError: a response whose reference has no entry, naming its row; two responses with one key; an output that
            holds scored responses of another file, or is the file of the responses.
        BudgetExceeded: the rows finished until then are kept.
        TooManyFailures: after the rows are written.
    """
    if isinstance(responses, Rows):
        refuse_overwriting([responses.path], [output])
    digest = hashlib.sha256()
    labels: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    doubts = JudgeDoubts(scorer.halting)
    with Journal(output, Scored, _wanted(responses, scorer, digest.update), _made_of) as journal:
        config = {
            "fragmenter": scorer.fragmenter,
            "verifier": scorer.verifier.name,
            "scorer": scorer.fingerprint,
            "responses": digest.hexdigest()[:16],
        }
        with Run("score", output, config=config) as run:
            missing, done = journal.missing, journal.whole
            jobs = (
                (row, one, journal.earlier(one.key))
                for row, one in enumerate(responses, start=1)
                if one.key not in journal
            )
            if spread is None:
                scored = _scored(jobs, scorer)
            else:
                scored = spread.scored(jobs, missing, scorer)
                run.result(ray=dataclasses.asdict(spread.cluster))
            for one in track(scored, "score", missing, note=lambda: _spent(scorer)):
                if one.key not in journal:
                    journal.add(one)
            journal.finish(functools.partial(_count, labels, reasons, doubts))
            found = Verdicts(journal.total, {**labels, **({"failed": reasons.total()} if reasons else {})})
            run.result(rows=found.responses, fragments=found.fragments)
            if scorer.client is not None:
                run.result(
                    usage=dataclasses.asdict(scorer.client.usage), budget=dataclasses.asdict(scorer.client.budget)
                )
    if done:
        already_done(output)
    _check_failures(labels, reasons, scorer.max_failure_rate, output)
    _warn_of_judge(doubts, scorer, output)
    return found


def estimate(responses: Iterable[Response], scorer: Scorer, output: str | Path) -> Usage:
    """What `score_file` would ask of a model and what that would cost, roughly, without asking.

    Where the fragments themselves come from a model they are not known yet; sentences stand for them.

    Raises:
        InputError: a reference that lacks what the judge must see; or a scorer that asks no model.
    """
    from rlhalt.fragments import thinking
    from rlhalt.fragments.halts import with_halts
    from rlhalt.fragments.sentences import sentences
    from rlhalt.llm import Usage

    usage = Usage()
    with Journal(output, Scored, _wanted(responses, scorer), _made_of) as journal:
        for one in responses:
            if one.key in journal:
                continue
            earlier = scorer.reusable(one, journal.earlier(one.key))
            if hasattr(scorer.fragment, "estimate"):
                said = thinking.answer(one.response)
                usage += scorer.fragment.estimate([said])
                fragments = list(earlier) or with_halts(said, sentences(said, scorer.phrase), scorer.phrase)
            else:
                fragments = scorer.remembered(thinking.fragmented(scorer.split, one.response), earlier)
            if hasattr(scorer.verifier, "estimate"):
                usage += scorer.verifier.estimate([(fragments, one.reference)])
    return usage


def _wanted(
    responses: Iterable[Response], scorer: Scorer, seen: Callable[[bytes], object] = lambda part: None
) -> Iterator[tuple[str, str]]:
    """Of each response its key, and what its scored row is to be made of."""
    for one in responses:
        made_of = scorer.made_of(one)
        seen(f"{one.key} {made_of}\n".encode())
        yield one.key, made_of


def _made_of(row: Scored) -> str | None:
    return None if row.failed else row.made_of


def _spent(scorer: Scorer) -> str:
    return str(scorer.client.usage) if scorer.client is not None else ""


def _scored(jobs: Iterable[Job], scorer: Scorer) -> Iterator[Scored]:
    """Scored responses as they are done, with no more of them under way than keep the workers busy."""

    def score(row: int, response: Response, earlier: Scored | None) -> Scored:
        try:
            return scorer.score(response, earlier)
        except InputError as error:
            raise InputError(f"{error.message} (response {row}, key {response.key})", field=error.field) from None

    if scorer.workers == 1:
        yield from (score(*job) for job in jobs)
        return
    # Closing the client ends the calls that the threads wait for.
    abandon = scorer.client.close if scorer.client is not None else lambda: None
    yield from as_done(lambda job: score(*job), jobs, scorer.workers, abandon)


def _count(labels: Counter[str], reasons: Counter[str], doubts: JudgeDoubts, row: Scored) -> None:
    """Count the fragments by their labels, the failed ones by their reasons, and what is known of the judge by them."""
    labels.update(one.label for one in row.fragments if one.label)
    reasons.update(one.error for one in row.fragments if one.failed and one.error)
    doubts.count(row)


def _check_failures(labels: Counter[str], reasons: Counter[str], limit: float, output: str | Path) -> None:
    failed, total = reasons.total(), labels.total() + reasons.total()
    if total and failed / total > limit:
        reason, count = reasons.most_common(1)[0]
        raise TooManyFailures(
            f"{output}: {failed} of {total} fragments failed (limit {limit:.0%}), {count} of them: {reason}; "
            "repair the verifier, or allow more by max_failure_rate in domain.yaml, and run again; only the failed "
            "rows are judged again"
        )


def _warn_of_judge(doubts: JudgeDoubts, scorer: Scorer, output: str | Path) -> None:
    """Warn where the verdicts of a model show that it does not judge."""
    for told in doubts.told() if scorer.client is not None else ():
        print(
            f"warning: {output}: {scorer.verifier.name} {told}, and what is trained on its verdicts learns nothing: "
            "ask it about fragments whose labels you know (rlhalt audit, docs/served-models.md)",
            file=sys.stderr,
        )
