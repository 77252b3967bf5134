"""Functions over a list of numbers: a condition on each number, a change of it, and what is made of the rest."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator

from rlhalt.records import Json

Test = Callable[[int], bool]
Change = Callable[[int], int]

# The words, the Python expression of x, and the same as a function.
CONDITIONS: dict[str, tuple[str, str, Test]] = {
    "even": ("even numbers", "x % 2 == 0", lambda x: x % 2 == 0),
    "odd": ("odd numbers", "x % 2 == 1", lambda x: x % 2 == 1),
    "positive": ("numbers above 0", "x > 0", lambda x: x > 0),
    "negative": ("numbers below 0", "x < 0", lambda x: x < 0),
    "large": ("numbers above 10", "x > 10", lambda x: x > 10),
    "small": ("numbers below 5", "x < 5", lambda x: x < 5),
    "by_three": ("numbers that 3 divides", "x % 3 == 0", lambda x: x % 3 == 0),
}
CHANGES: dict[str, tuple[str, str, Change]] = {
    "": ("", "x", lambda x: x),
    "double": ("twice ", "2 * x", lambda x: 2 * x),
    "square": ("the squares of ", "x * x", lambda x: x * x),
    "next": ("one more than ", "x + 1", lambda x: x + 1),
    "minus": ("the negatives of ", "-x", lambda x: -x),
}
# The words, the value to begin with, what a number does to it, and how the result is made of all of them.
RESULTS: dict[str, tuple[str, str, str, Callable[[list[int]], object]]] = {
    "sum": ("the sum of", "0", "result += {}", sum),
    "list": ("a list of", "[]", "result.append({})", list),
    "last": ("the last of", "None", "result = {}", lambda values: values[-1] if values else None),
    "product": ("the product of", "1", "result *= {}", lambda values: _product(values)),
}


@dataclasses.dataclass(frozen=True)
class Function:
    """A function to write: what is asked, a reference program, and HumanEval's fields to judge by."""

    question: str
    solution: str
    reference: Json


def functions() -> Iterator[Function]:
    """Every combination, in a fixed order."""
    for (how, result), (what, change), (which, condition) in itertools.product(
        RESULTS.items(), CHANGES.items(), CONDITIONS.items()
    ):
        name = "_".join(part for part in (how, what, which) if part)
        yield _function(name, result, change, condition)


def _function(
    name: str,
    result: tuple[str, str, str, Callable[[list[int]], object]],
    change: tuple[str, str, Change],
    condition: tuple[str, str, Test],
) -> Function:
    start = f"def {name}(xs):\n"
    body = (
        f"    result = {result[1]}\n"
        "    for x in xs:\n"
        f"        if {condition[1]}:\n"
        f"            {result[2].format(change[1])}\n"
        "    return result\n"
    )
    ends = ", or None where there are none" if name.startswith("last") else ""
    returned = f"{result[0]} {change[0]}the {condition[0]} in the list xs{ends}"
    question = f"Write a Python function {name}(xs). It returns {returned}."
    values = {str(xs): result[3]([change[2](x) for x in xs if condition[2](x)]) for xs in _inputs(name)}
    checks = "\n".join(f"    assert candidate({xs}) == {value!r}" for xs, value in values.items())
    reference: Json = {
        "task_id": f"programs/{name}",
        "prompt": start,
        "canonical_solution": body,
        "test": f"def check(candidate):\n{checks}\n",
        "entry_point": name,
    }
    return Function(question, start + body, reference)


def _inputs(name: str) -> list[list[int]]:
    """Lists to call it with: the empty one, and five drawn for its name."""
    rng = random.Random(name)
    return [[], *([rng.randint(-12, 24) for _ in range(rng.randint(3, 8))] for _ in range(5))]


def _product(values: list[int]) -> int:
    found = 1
    for one in values:
        found *= one
    return found
