"""One word problem with its solution, drawn at random."""

from __future__ import annotations

import dataclasses
import random

NAMES = [
    "Ada",
    "Ben",
    "Carla",
    "Dan",
    "Eva",
    "Finn",
    "Gina",
    "Hugo",
    "Ida",
    "Jon",
    "Kira",
    "Leo",
    "Mona",
    "Nils",
    "Olga",
    "Paul",
]
THINGS = ["apples", "marbles", "stamps", "coins", "books", "pencils", "shells", "cards", "stickers", "buttons"]
# No number is larger. Each sentence names its operation and each step of the solution repeats the sentence. Sampled at
# 0.7, a model of 135M parameters gets 55 % of the first steps right and 23 % of the solutions; of first steps that do
# not repeat the sentence 40 %, and of stories ("finds 6 more") 14 %.
LARGEST = 40


@dataclasses.dataclass(frozen=True)
class Problem:
    """A question, and its solution: a line per sentence with its calculation, and the result after ####."""

    question: str
    solution: str


def problem(rng: random.Random) -> Problem:
    """A problem of one to four steps, each of which uses the result of the step before it."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    value = rng.randint(3, 12)
    told, worked = [f"{name} has {value} {thing}."], []
    for _ in range(rng.randint(1, 4)):
        sentence, sign, operand = _step(rng, value)
        result = {"+": value + operand, "-": value - operand, "*": value * operand, "/": value // operand}[sign]
        told.append(f"{sentence}.")
        worked.append(f"{sentence}: {value} {sign} {operand} = {result}")
        value = result
    question = " ".join([*told, f"How many {thing} does {name} have now?"])
    return Problem(question, "\n".join([*worked, f"#### {value}"]))


def _step(rng: random.Random, value: int) -> tuple[str, str, int]:
    """What comes next: a sentence without its full stop, the sign, the operand. All results are from 2 to `LARGEST`."""
    shares = [one for one in range(2, 6) if value % one == 0 and value // one >= 2]
    factors = [one for one in range(2, 4) if value * one <= LARGEST]
    more = min(9, LARGEST - value)
    kinds = [
        *(["add"] if more else []),
        *(["take away"] if value >= 4 else []),
        *(["multiply"] if factors else []),
        *(["divide"] if shares else []),
    ]
    match rng.choice(kinds):
        case "add":
            operand = rng.randint(1, more)
            return f"Add {operand}", "+", operand
        case "take away":
            operand = rng.randint(1, min(9, value - 2))
            return f"Take away {operand}", "-", operand
        case "multiply":
            operand = rng.choice(factors)
            return f"Multiply by {operand}", "*", operand
        case _:
            operand = rng.choice(shares)
            return f"Divide by {operand}", "/", operand
