"""QAlign (Faria & Smith, arXiv 2504.03790): a Markov chain over responses whose limit is p(y | x) exp(r(y) / β).

    y_0 ~ p(· | x);  i uniform over the words of y and its end;  y' = what is before i, continued by the model  (QUEST)
    y' is accepted with probability min(1, exp((r(y') - r(y)) / β) |y| / |y'|)

That limit is the policy that RLHF with this reward would have: more steps sample it better, where best-of-n with more
samples searches for the greatest reward, which an imperfect reward has in the wrong places. r is the expected τ-utility
by a trained reward model (`rlhalt.decoding.reward`).

Differences: a response is cut at words and not at tokens, which keeps the tokens on both sides what they were (a
tokenizer that begins words with their space). Given is the last state of the chain; the paper gives the most common
answer of the chain where there is one short one. `samples` counts the first response and the proposals.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhalt.decoding.candidates import TEMPERATURE, Score, rows, seed_of
from rlhalt.decoding.quest import acceptance, kept
from rlhalt.decoding.reward import reward
from rlhalt.decoding.setup import Setup
from rlhalt.records import Message
from rlhalt.sampling import Completion

if TYPE_CHECKING:
    from rlhalt.sampling.local import TransformersEngine


def engine(inner: TransformersEngine, setup: Setup) -> QAlign:
    """The engine of QAlign."""
    return QAlign(inner, setup, reward(setup))


class QAlign:
    """An `Engine`; each chat has a chain of its own, and all take their steps together."""

    def __init__(self, inner: TransformersEngine, setup: Setup, score: Score) -> None:
        self._inner, self._setup, self._score = inner, setup, score

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`; `n_tokens` counts what was rejected too."""
        rng, at = random.Random(seed), temperature or TEMPERATURE
        now = self._inner.complete(chats, temperature=at, max_tokens=max_tokens, seed=seed_of(seed, 0))
        worth = self._worth(chats, now)
        cost = [one.n_tokens for one in now]
        for number in range(1, self._setup.how.samples):
            heads = [kept(one, rng) for one in now]
            asked = [[*chat, *_said(head)] for chat, head in zip(chats, heads, strict=True)]
            tails = self._inner.complete(asked, temperature=at, max_tokens=max_tokens, seed=seed_of(seed, number))
            then = [self._within(head, one, max_tokens) for head, one in zip(heads, tails, strict=True)]
            proposed = self._worth(chats, then)
            cost = [one + tail.n_tokens for one, tail in zip(cost, tails, strict=True)]
            for place, (old, new) in enumerate(zip(now, then, strict=True)):
                if rng.random() < acceptance(old, new, proposed[place] - worth[place]):
                    now[place], worth[place] = new, proposed[place]
        return [dataclasses.replace(one, n_tokens=tokens) for one, tokens in zip(now, cost, strict=True)]

    def _within(self, head: str, tail: Completion, max_tokens: int) -> Completion:
        """The whole proposal, cut off where the model itself would have been."""
        text = head + tail.text
        ids = self._inner.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) <= max_tokens:
            return dataclasses.replace(tail, text=text)
        return dataclasses.replace(tail, text=self._inner.tokenizer.decode(ids[:max_tokens]), finish_reason="length")

    def _worth(self, chats: Sequence[Sequence[Message]], said: Sequence[Completion]) -> list[float]:
        every = [row for chat, one in zip(chats, said, strict=True) for row in rows(chat, [one.text], self._setup)]
        return self._score(every)


def _said(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}] if text else []
