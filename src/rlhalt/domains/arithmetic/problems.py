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
# No number is larger: with numbers up to 200 a model of 135M parameters got 13 % of the steps right.
LARGEST = 40


@dataclasses.dataclass(frozen=True)
class Problem:
    """A question, and its solution: a line per calculation, and the result after ####."""

    question: str
    solution: str


def problem(rng: random.Random) -> Problem:
    """A problem of two to five steps, each of which uses the result of the step before it."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    value = rng.randint(3, 12)
    told, worked = [f"{name} has {value} {thing}."], []
    for _ in range(rng.randint(2, 5)):
        sentence, sign, operand = _step(rng, value)
        result = {"+": value + operand, "-": value - operand, "*": value * operand, "/": value // operand}[sign]
        told.append(f"{name} {sentence}.")
        worked.append(f"{value} {sign} {operand} = {result}")
        value = result
    question = " ".join([*told, f"How many {thing} does {name} have now?"])
    return Problem(question, "\n".join([*worked, f"#### {value}"]))


def _step(rng: random.Random, value: int) -> tuple[str, str, int]:
    """What happens next: the end of a sentence, the sign, the operand. All results are from 2 to `LARGEST`."""
    shares = [one for one in range(2, 6) if value % one == 0 and value // one >= 2]
    factors = [one for one in range(2, 4) if value * one <= LARGEST]
    more = min(9, LARGEST - value)
    kinds = [
        *(["finds"] if more else []),
        *(["gives"] if value >= 4 else []),
        *(["times"] if factors else []),
        *(["boxes"] if shares else []),
    ]
    match rng.choice(kinds):
        case "finds":
            operand = rng.randint(1, more)
            return f"finds {operand} more", "+", operand
        case "gives":
            operand = rng.randint(1, min(9, value - 2))
            return f"gives {operand} away", "-", operand
        case "times":
            operand = rng.choice(factors)
            return f"trades them for {operand} times as many", "*", operand
        case _:
            operand = rng.choice(shares)
            return f"puts them into {operand} equal boxes and keeps one box", "/", operand
