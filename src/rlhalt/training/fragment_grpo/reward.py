"""The scorer as a reward function of TRL: with the stock `GRPOTrainer`, or with `FragmentGRPOTrainer`.

GRPOTrainer(model, FragmentReward(scorer, Pay(0.5, scorer.halting)), train_dataset=prompts_with_references, ...)
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from rlhalt.chat.threshold_prompt import stated
from rlhalt.fragments import thinking
from rlhalt.records import Fragment, Json, Message, user
from rlhalt.reference import n_asked
from rlhalt.rewards import Halting, check_threshold
from rlhalt.running.time_limit import applies_here
from rlhalt.scoring import Scorer
from rlhalt.statement import said_before
from rlhalt.training.fragment_grpo.advantages import Earned, Pay, earned

Completion = str | Sequence[Message]
Judged = concurrent.futures.Future[list[Fragment]]


class FragmentReward:
    """Judges responses and says what they earned. All responses of a batch are judged together, in threads.

    They may be begun before the rewards are asked for: `judge` them, and hand on what it returns as `judged`.

    Args:
        scorer: what judges, as many responses at once as its `workers` say.
        pay: what is paid for what.
        opening: the mark with which the chat template opens the reasoning (`rlhalt.chat.templates.Template.opening`).
            It stands in the prompt, so that completions begin inside the reasoning.
    """

    def __init__(self, scorer: Scorer, pay: Pay, opening: str = "") -> None:
        self.scorer = scorer
        self.pay = pay
        self.opening = opening
        self._pool = concurrent.futures.ThreadPoolExecutor(scorer.workers, thread_name_prefix="rlhalt.domains")
        self._of_domain: tuple[str, float | None, str] | None = None

    @classmethod
    def of_domain(cls, domain: str | Path, threshold: float | None = None, opening: str = "") -> Self:
        """The reward of a domain, which can be pickled: it is made again of these arguments where it is unpickled.

        Trainers that generate in other processes send it there (AsyncGRPO, Ray). A verifier cannot be sent: it may hold
        tables, locks and connections.

        Args:
            domain: a name, or a folder with domain.yaml; one that needs no judge.
            threshold: τ; the domain's own if None.

        Raises:
            InputError: see `rlhalt.load_domain` and `Domain.scorer`.

        >>> import pickle
        >>> reward = pickle.loads(pickle.dumps(FragmentReward.of_domain("elements", 0.8)))
        >>> its = reward.judge("The symbol of iron is Fe.", {"subject": "Iron"}).result()
        >>> round(reward.earned(its).total, 2)
        0.2
        """
        from rlhalt.domains import load_domain

        found = load_domain(domain)
        scorer = found.scorer()
        at = check_threshold(found.threshold if threshold is None else threshold)
        made = cls(scorer, Pay(at, scorer.halting), opening)
        made._of_domain = (str(domain), threshold, opening)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """See `of_domain`.

        Raises:
            TypeError: the reward was made of a scorer.
        """
        if self._of_domain is None:
            raise TypeError(
                "expected a reward of a domain: make it with FragmentReward.of_domain, then it can be pickled"
            )
        return type(self).of_domain, self._of_domain

    def judge(self, completion: Completion, reference: Json | str, prompt: Any = ()) -> Judged:
        """Begin to judge a response; the result is its fragments, or the error of `Scorer.judge`.

        A scorer with a time limit that judges one response at a time does so here and now where it is called from the
        main thread, because the limit cannot be kept in another one (`rlhalt.running.time_limit`).

        Args:
            prompt: what was asked, chat messages or a text; a verifier that is a reward model reads it.
        """
        asked = user(prompt) if isinstance(prompt, str) else list(prompt)
        work = functools.partial(self._judge, _text(completion), as_json(reference), asked)
        if self.scorer.seconds is not None and self.scorer.workers == 1 and applies_here():
            return _done(work)
        return self._pool.submit(work)

    def _judge(self, text: str, reference: Json, prompt: list[Message]) -> list[Fragment]:
        found = self.scorer.judge(self.opening + text, reference, prompt=prompt)
        return thinking.moved(found, -len(self.opening))

    async def __call__(
        self,
        completions: Sequence[Completion],
        reference: Sequence[Json | str],
        judged: Sequence[Judged] | None = None,
        unfinished: Sequence[bool] | None = None,
        prompts: Sequence[Any] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[str]], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """What each of B responses earned as a whole; None where its scoring failed.

        Args:
            completions: B texts, or chats of one message.
            reference: B references, as they are or as JSON (rows of a `datasets.Dataset` share their keys; JSON does
                not).
            judged: what `judge` returned for each, where they have been begun.
            unfinished: which of them ran into the limit of tokens; none where not given.
            prompts: theirs. A prompt that states τ (`rlhalt.chat.threshold_prompt`) is paid at that τ.
            log_metric: takes the means of `measures` and `parts`, where given; TRL gives one.
            log_extra: takes the column `verdicts` of the table of completions, where given; TRL gives one.

        Raises:
            InputError, BudgetExceeded: see `Scorer.judge`.
        """
        if judged is None:
            asked = prompts if prompts is not None else [()] * len(completions)
            judged = [self.judge(*each) for each in zip(completions, reference, asked, strict=True)]
        fragments_B = await asyncio.gather(*map(asyncio.wrap_future, judged))
        asked_B = [n_asked(as_json(one)) for one in reference]
        cut_B = unfinished or [False] * len(fragments_B)
        at_B = [stated_in(one) for one in prompts] if prompts is not None else [None] * len(fragments_B)
        earned_B = [
            self.earned(fragments, asked, unfinished=cut, threshold=threshold)
            for fragments, asked, cut, threshold in zip(fragments_B, asked_B, cut_B, at_B, strict=True)
        ]
        if log_metric is not None:
            for name, value in (measures(fragments_B) | parts(fragments_B, earned_B, cut_B, self.pay.halting)).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("verdicts", [verdicts(one) for one in fragments_B])
        return [one.total for one in earned_B]

    def earned(
        self,
        fragments: Sequence[Fragment],
        asked: int | None = None,
        *,
        unfinished: bool = False,
        threshold: float | None = None,
    ) -> Earned:
        """What each decision of a judged response earned; see `rlhalt.training.fragment_grpo.advantages.earned`.

        Args:
            threshold: τ of this response, where its prompt states one; that of `pay` if None.
        """
        pay = self.pay if threshold is None else dataclasses.replace(self.pay, threshold=threshold)
        return earned(fragments, pay, asked, unfinished=unfinished)


def measures(fragments_B: Sequence[Sequence[Fragment]]) -> dict[str, float]:
    """What B judged responses are like, as means; empty for none.

    - `fragments/correct`, `incorrect`, `unverifiable`, `failed`: how many a response.
    - `fragments/repeated`: how many a response whose words it had said before.
    - `fragments/failure_share`: failed ones, of all fragments.
    - `responses/halted`: share that end with the halting phrase or say nothing.
    - `responses/refused`: share that make no claim at all.
    """
    if not fragments_B:
        return {}
    labels = Counter(one.label or "failed" for fragments in fragments_B for one in fragments)
    claims = [[one for one in fragments if one.label != "halt"] for fragments in fragments_B]
    halted = [not fragments or fragments[-1].label == "halt" for fragments in fragments_B]
    size = len(fragments_B)
    return {
        **{f"fragments/{name}": labels[name] / size for name in ("correct", "incorrect", "unverifiable", "failed")},
        "fragments/repeated": sum(map(sum, map(said_before, fragments_B))) / size,
        "fragments/failure_share": labels["failed"] / max(labels.total(), 1),
        "responses/halted": sum(halted) / size,
        "responses/refused": sum(not one for one in claims) / size,
    }


def parts(
    fragments_B: Sequence[Sequence[Fragment]], earned_B: Sequence[Earned], cut_B: Sequence[bool], halting: Halting
) -> dict[str, float]:
    """What the reward of B judged responses is made of, as means per response; empty for none.

    - `earned/correct`, `incorrect`, `unverifiable`: what fragments of this label were paid.
    - `earned/repeated`: what was paid for saying the same again, in an independent domain.
    - `earned/unfinished`: what was paid for running into the limit of tokens.

    In an independent domain they sum to the mean reward.
    """
    if not fragments_B:
        return {}
    found = dict.fromkeys(("correct", "incorrect", "unverifiable", "repeated", "unfinished"), 0.0)
    for fragments, its, cut in zip(fragments_B, earned_B, cut_B, strict=True):
        finished = fragments[:-1] if cut else fragments
        again = said_before(finished) if halting == "independent" else [False] * len(finished)
        paid = [0.0 if one is None else one for one in its.rewards]
        # An error ends the row of decisions early; the decision to end makes it one longer.
        for one, repeats, value in zip(finished, again, paid, strict=False):
            if value:
                found["repeated" if repeats else one.label or "failed"] += value
        if cut and len(paid) > len(finished):
            found["unfinished"] += paid[-1]
    return {f"earned/{name}": value / len(fragments_B) for name, value in found.items()}


def verdicts(fragments: Sequence[Fragment]) -> str:
    """A judged response to read, a line for each fragment.

    >>> verdicts([Fragment(0, 8, "sentence", "It is so.", "correct")])
    'correct: It is so.'
    """
    return "\n".join(f"{one.label or 'failed'}: {' '.join(one.text.split())}" for one in fragments)


def stated_in(prompt: Any) -> float | None:
    """The threshold that a row's prompt states, see `rlhalt.chat.threshold_prompt`; None for one that is plain text."""
    return None if isinstance(prompt, str) else stated(prompt)


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else completion[-1]["content"]


def _done(work: Callable[[], list[Fragment]]) -> Judged:
    done: Judged = concurrent.futures.Future()
    try:
        done.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for, as that of a thread is
        done.set_exception(error)
    return done


def as_json(value: Json | str) -> Json:
    """A reference, from a row that may hold it as JSON."""
    if isinstance(value, Mapping):
        return dict(value)
    read: Json = json.loads(value)
    return read
