"""Functions to write, in two families: one of a number, and one of a list, of which some numbers are used.

Sampled at 0.7 with three examples, a model of 135M parameters writes a third of them right: nearly all of some and none
of others. Of functions with a condition, a change and a loop it wrote 8 % right.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence

from rlhalt.records import Json

# The words with a number k, the Python expression of x, and the same as a function of x and k.
CHANGES: dict[str, tuple[str, str, Callable[[int, int], object]]] = {
    "plus": ("x plus {}", "x + {}", lambda x, k: x + k),
    "minus": ("x minus {}", "x - {}", lambda x, k: x - k),
    "times": ("x times {}", "x * {}", lambda x, k: x * k),
    "modulo": ("x modulo {}", "x % {}", lambda x, k: x % k),
    "from": ("{} minus x", "{} - x", lambda x, k: k - x),
    "above": ("True if x is above {}, and False otherwise", "x > {}", lambda x, k: x > k),
    "square_plus": ("the square of x, plus {}", "x * x + {}", lambda x, k: x * x + k),
    "at_most": ("the smaller of x and {}", "min(x, {})", lambda x, k: min(x, k)),
}
NUMBERS = range(2, 12)
# The words, the Python expression of the numbers that are left, and the same as a function.
RESULTS: dict[str, tuple[str, str, Callable[[list[int]], object]]] = {
    "sum": ("the sum of", "sum({})", sum),
    "list": ("a list of", "[{}]", list),
    "count": ("the number of", "len([{}])", len),
    "product": ("the product of", "math.prod({})", math.prod),
    "squares": ("a list of the squares of", "[{}]", lambda xs: [x * x for x in xs]),
    "doubles": ("a list of twice", "[{}]", lambda xs: [2 * x for x in xs]),
}
CONDITIONS: dict[str, tuple[str, str, Callable[[int], bool]]] = {
    "even": ("even numbers", "x % 2 == 0", lambda x: x % 2 == 0),
    "odd": ("odd numbers", "x % 2 == 1", lambda x: x % 2 == 1),
    "positive": ("numbers above 0", "x > 0", lambda x: x > 0),
    "negative": ("numbers below 0", "x < 0", lambda x: x < 0),
    "large": ("numbers above 10", "x > 10", lambda x: x > 10),
    "small": ("numbers below 5", "x < 5", lambda x: x < 5),
    "by_three": ("numbers that 3 divides", "x % 3 == 0", lambda x: x % 3 == 0),
}
# What is made of each number of a list; the number itself elsewhere.
EACH = {"squares": "x * x", "doubles": "2 * x"}


@dataclasses.dataclass(frozen=True)
class Function:
    """A function to write: what is asked, a reference program, and HumanEval's fields to judge by."""

    question: str
    solution: str
    reference: Json


def functions() -> list[Function]:
    """All of them, in a fixed order."""
    return [*_of_a_number(), *_of_a_list()]


def _of_a_number() -> Iterator[Function]:
    for (how, (words, expression, change)), k in itertools.product(CHANGES.items(), NUMBERS):
        name = f"{how}_{k}"
        rng = random.Random(name)
        checks = [((x,), change(x, k)) for x in (0, k, *(rng.randint(-9, 20) for _ in range(4)))]
        yield _function(name, "x", words.format(k), f"    return {expression.format(k)}\n", checks)


def _of_a_list() -> Iterator[Function]:
    for (how, (words, expression, of)), (which, (said, condition, holds)) in itertools.product(
        RESULTS.items(), CONDITIONS.items()
    ):
        name = f"{how}_{which}"
        rng = random.Random(name)
        lists = [[], *([rng.randint(-12, 24) for _ in range(rng.randint(3, 8))] for _ in range(5))]
        each = EACH.get(how, "x")
        returned = f"    return {expression.format(f'{each} for x in xs if {condition}')}\n"
        body = f"    import math\n{returned}" if "math." in returned else returned
        checks = [((xs,), of([x for x in xs if holds(x)])) for xs in lists]
        yield _function(name, "xs", f"{words} the {said} in the list xs", body, checks)


def _function(
    name: str, arguments: str, returned: str, body: str, checks: Sequence[tuple[Sequence[object], object]]
) -> Function:
    start = f"def {name}({arguments}):\n"
    asserted = "\n".join(f"    assert candidate({', '.join(map(repr, given))}) == {value!r}" for given, value in checks)
    reference: Json = {
        "task_id": f"programs/{name}",
        "prompt": start,
        "canonical_solution": body,
        "test": f"def check(candidate):\n{asserted}\n",
        "entry_point": name,
        "answer": f"```python\n{start}{body}```",
    }
    return Function(f"Write a Python function {name}({arguments}). It returns {returned}.", start + body, reference)
