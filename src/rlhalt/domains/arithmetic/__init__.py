"""Arithmetic: chains of small calculations in words, generated with their solutions.

    Ida has 12 coins. Add 30. Divide by 6. How many coins does Ida have now?

    Add 30: 12 + 30 = 42
    Divide by 6: 42 / 6 = 7
    #### 7

Each step uses the result of the one before it, so the domain is causal: a step after an error rests on the error.
"""

from __future__ import annotations

import functools
import random

from rlhalt.domains.arithmetic.problems import Problem, problem
from rlhalt.domains.task import Split, Task, chat, prompt
from rlhalt.records import Json, Message, Prompt

TRAIN, HELD_OUT, EXAMPLES = 240, 80, 3
SEED = 20


@functools.cache
def problems() -> tuple[Problem, ...]:
    """All problems, no question twice: first the examples, then those for training, then those held out."""
    rng = random.Random(SEED)
    found: dict[str, Problem] = {}
    while len(found) < EXAMPLES + TRAIN + HELD_OUT:
        one = problem(rng)
        steps = one.solution.splitlines()
        if len(set(steps)) == len(steps):  # a step that is repeated would count once
            found.setdefault(one.question, one)
    return tuple(found.values())


class Arithmetic(Task):
    """320 problems of one to four steps."""

    def own_prompts(self) -> list[Prompt]:
        """The generated problems; one in four is held out."""
        made = problems()[EXAMPLES:]
        return [_prompt(one, "train" if place < TRAIN else "heldout") for place, one in enumerate(made)]

    def few_shot(self) -> list[Message]:
        """Three problems with their solutions, none of them among the prompts."""
        return [message for one in problems()[:EXAMPLES] for message in chat(one.question, one.solution)]

    def n_desired(self, reference: Json) -> int | None:
        """The steps of the solution and its answer."""
        return sum(bool(line.strip()) for line in str(reference["answer"]).splitlines())


def _prompt(one: Problem, split: Split) -> Prompt:
    return prompt(one.question, {"question": one.question, "answer": one.solution}, "arithmetic", split)
