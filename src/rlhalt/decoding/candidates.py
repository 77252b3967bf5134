"""Engines that choose among responses: drawing them, and reading them as rows with fragments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rlhalt.cut.splitting import split
from rlhalt.decoding.setup import Setup
from rlhalt.records import Message, Response, Scored, content_key
from rlhalt.sampling import Completion, Engine

TEMPERATURE = 0.7
"""Of the drawn responses where the chosen one is asked for at temperature 0: greedy ones would all be equal."""

Score = Callable[[Sequence[Scored]], list[float]]
"""The responses to one prompt, split into fragments → a number each; the first of those with the highest is given."""


def drawn(
    inner: Engine, chats: Sequence[Sequence[Message]], samples: int, temperature: float, max_tokens: int, seed: int
) -> list[list[Completion]]:
    """For each chat so many completions."""
    rounds = [
        inner.complete(chats, temperature=temperature or TEMPERATURE, max_tokens=max_tokens, seed=seed_of(seed, number))
        for number in range(samples)
    ]
    return [list(each) for each in zip(*rounds, strict=True)]


def seed_of(seed: int, number: int) -> int:
    """A seed of its own for each round."""
    return int(content_key(seed, number), 16) % 2**31


def rows(chat: Sequence[Message], texts: Sequence[str], setup: Setup) -> list[Scored]:
    """Responses to one chat as rows with fragments, the few-shot examples taken off."""
    prompt = list(chat[len(setup.few_shot) :])
    made = [
        Response(content_key(number), "", number, prompt, text, {}, setup.scorer.domain, "heldout", "stop", {}, 0)
        for number, text in enumerate(texts)
    ]
    return [split(one, setup.scorer) for one in made]


class Chosen:
    """An `Engine` that draws responses and gives the one with the highest score.

    `n_tokens` of what it gives are those of all that were drawn: that is what it cost.

    Args:
        inner: the model's own engine.
        score: see `Score`.
    """

    def __init__(self, inner: Engine, setup: Setup, score: Score) -> None:
        self._inner, self._setup, self._score = inner, setup, score

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        every = drawn(self._inner, chats, self._setup.how.samples, temperature, max_tokens, seed)
        return [self._best(chat, its) for chat, its in zip(chats, every, strict=True)]

    def _best(self, chat: Sequence[Message], its: Sequence[Completion]) -> Completion:
        scores = self._score(rows(chat, [one.text for one in its], self._setup))
        best = its[max(range(len(its)), key=lambda place: (scores[place], -place))]
        return dataclasses.replace(best, n_tokens=sum(one.n_tokens for one in its))
