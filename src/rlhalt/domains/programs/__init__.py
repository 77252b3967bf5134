"""Programs: small Python functions, generated with unit tests and a reference.

    Write a Python function sum_doubled(a, b). It returns the sum of a and b, doubled.

A statement rests on those before it, so the domain is causal. The reference has HumanEval's fields.
"""

from __future__ import annotations

import functools
import random

from rlhalt.domains.programs.functions import Function, functions
from rlhalt.domains.task import Task, chat, prompt
from rlhalt.records import Json, Message, Prompt

EXAMPLES, HELD_OUT_SHARE = 3, 4
SEED = 21


@functools.cache
def shuffled() -> tuple[Function, ...]:
    """All functions in a fixed random order; the first ones are the examples."""
    found = list(functions())
    random.Random(SEED).shuffle(found)
    return tuple(found)


class Programs(Task):
    """Every function of two numbers and of a list; one in four is held out."""

    def own_prompts(self) -> list[Prompt]:
        """The generated functions."""
        return [
            prompt(one.question, one.reference, "programs", "heldout" if place % HELD_OUT_SHARE == 0 else "train")
            for place, one in enumerate(shuffled()[EXAMPLES:])
        ]

    def few_shot(self) -> list[Message]:
        """Three functions with their references, none of them among the prompts."""
        return [
            message for one in shuffled()[:EXAMPLES] for message in chat(one.question, f"```python\n{one.solution}```")
        ]

    def n_desired(self, reference: Json) -> int | None:
        """The statements of the reference below its first line."""
        return sum(bool(line.strip()) for line in str(reference["canonical_solution"]).splitlines())
