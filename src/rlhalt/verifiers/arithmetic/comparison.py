"""Whether the two sides of an equation are equal, as a careful reader takes them.

They *hold* where they are

- exactly equal as fractions; where neither is whole, to 12 significant digits (calculators print 2.3333333333333335);
- a left side that is the right one rounded, or cut off, at the last digit shown;
- equal with their units: "1 hour + 30 minutes = 90 minutes", "$2 + 50¢ = $2.50", "2 dozen + 6 = 30 eggs";
- equal with a percentage of what stands before it: "$50 - 10% = $45"; or with one for a result: "3/5 * 100 = 60%".

It is *unclear* what is meant, and they are neither equal nor false, where

- the right side is whole, the left one is not, and they are less than 1 apart ("10/3 = 3"), or within 1 % of each other
  and decimals are calculated with (rounding carried along);
- they would be equal with another reading: "25 / 1/3 = 75", "21/2 * 4 = 10" for 2 1/2, "6 / 2(1+2) = 1", a number with
  spaces, a root whose end is not shown;
- they differ by the factor of a unit or a percentage that the text names ("5*20 = $1" in a text about cents);
- the sign is lost ("25 - 30 = 5 points behind"), hyphens stand for "to" ("9-5 = 8 hours", "grades 1-5 = 5 * 20"), or
  the writer calculates on ("20 - 5 = 15 - 3");
- a quantity is converted or named ("1 hour = 2*30 minutes"), or taken of what stands elsewhere ("2/5 = 12 pupils").

No reading but the first takes two whole numbers that are next to each other for equal.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal

from rlhalt.verifiers.arithmetic.expressions import Expression, Number, Operation, Tree, evaluate, leaves, nodes

Status = Literal["holds", "false", "unclear"]
_Reading = Callable[[Tree], Fraction | None]

# Factors by which a true equation may be off where the text changes the unit.
_FACTORS = [
    (re.compile(pattern, re.IGNORECASE), factors)
    for pattern, factors in [
        (r"%|percent|cent|penn|dime|nickel|quarter|¢", (100,)),
        (r"hour|minute|second|\bhrs?\b|\bmins?\b", (60, 3600)),
        (r"dozen|month|year|feet|foot|inch", (12,)),
        (r"\bdays?\b|hour", (24,)),
        (r"\bdays?\b|week", (7,)),
        (r"week|year", (52,)),
        (r"ounce|pound|\blbs?\b", (16,)),
        (r"yard|feet|foot", (3,)),
        (r"thousand|\bk[gm]?\b|kilo|meter|metre|gram|lit(?:er|re)|\bm?l\b", (1000,)),
        (r"centi|\bcm\b", (100,)),
        (r"hundred", (100,)),
        (r"million", (1_000_000,)),
    ]
]
_COMPARED = re.compile(r"\b(?:less|more|fewer|difference|cheaper|older|younger|[a-z]+er than)\b", re.IGNORECASE)
_CLOCK = re.compile(r"\bfrom\b|\b[ap]\.?m\b|o['’]clock|hour", re.IGNORECASE)


def close(one: Fraction, other: Fraction) -> bool:
    """Whether two numbers are equal: exactly if they are whole, else to 12 significant digits."""
    if one == other:
        return True
    if one.denominator == other.denominator == 1:
        return False
    return abs(one - other) <= abs(other) / 10**12


def status(left: Expression, right: Expression, context: str, named: bool) -> Status:
    """Whether two sides are equal.

    Args:
        context: the text in which they stand.
        named: whether the left side is called something, or has a unit.
    """
    if _agree(left.value, right):
        return "unclear" if _adds_units(left, right) else "holds"
    if any(_near(*read) for read in _as_meant(left, right)):
        return "holds"
    return "unclear" if _may_be_meant(left, right, context, named) else "false"


def _agree(value: Fraction, right: Expression) -> bool:
    """Whether a value is the right side, up to how that one is rounded."""
    return _near(value, right.value, right.decimals)


def _near(value: Fraction, shown: Fraction, decimals: int | None) -> bool:
    if close(value, shown):
        return True
    last = Fraction(1, 10 ** (decimals or 0))
    return bool(decimals) and (
        abs(value - shown) <= last / 2 or 0 <= abs(value) - abs(shown) < last  # rounded, or cut off
    )


def _as_meant(left: Expression, right: Expression) -> Iterator[tuple[Fraction, Fraction, int | None]]:
    """The values of both sides, and the decimals of the right one, in the readings that nobody doubts."""
    yield from _with_units(left, right, loose=False)
    if any(one.percent for one in leaves(left.tree)):
        yield from _otherwise(left, right, _percent_of)
    match right.tree:
        case Number(value, percent=True):
            yield left.value, 100 * value, max(0, (right.decimals or 2) - 2)


def _may_be_meant(left: Expression, right: Expression, context: str, named: bool) -> bool:
    """Whether sides that differ can be what a careful writer puts down."""
    a, b = left.value, right.value
    decimals = any(one.denominator != 1 for one in (*left.operands, *right.operands))
    return (
        left.loose
        or right.loose
        or (right.decimals == 0 and a.denominator != 1 and abs(a - b) < 1)
        or (decimals and abs(a - b) <= abs(b) / 100)
        or (left.calculates and right.calculates and close(a, right.operands[0]))
        or (close(a, -b) and (a < 0 or bool(_COMPARED.search(context))))
        or (not left.calculates and named)
        or _is_range(left.tree, right, context)
        or _is_share(left.tree)
        or any(
            _near(*read)
            for read in itertools.chain(
                _with_units(left, right, loose=True),
                *(_otherwise(left, right, reading) for reading in (_inverted, _glued, _unsigned(left.tree))),
            )
        )
        or any(
            _agree(a * factor, right) or _agree(a / factor, right)
            for named_unit, factors in _FACTORS
            if named_unit.search(context)
            for factor in factors
        )
    )


def _otherwise(left: Expression, right: Expression, of: _Reading) -> Iterator[tuple[Fraction, Fraction, int | None]]:
    try:
        values = evaluate(left.tree, of), evaluate(right.tree, of)
    except ValueError:
        return
    if values != (left.value, right.value):
        yield *values, right.decimals


def _percent_of(tree: Tree) -> Fraction | None:
    """$50 - 10% as 90 % of $50."""
    match tree:
        case Operation("+" | "-" as sign, part, Number(share, percent=True)) if not _is_percentage(part):
            return evaluate(part, _percent_of) * (1 + share if sign == "+" else 1 - share)
    return None


def _is_percentage(tree: Tree) -> bool:
    return isinstance(tree, Number) and tree.percent


def _inverted(tree: Tree) -> Fraction | None:
    """25 / 1/3 as 25 / (1/3)."""
    match tree:
        case Operation("/", Operation("/", part, above), below):
            by = evaluate(above, _inverted)
            return evaluate(part, _inverted) * evaluate(below, _inverted) / by if by else None
    return None


def _glued(tree: Tree) -> Fraction | None:
    """21/2 as 2 1/2."""
    match tree:
        case Operation("/", Number(above), Number(below)) if above.denominator == 1 and above > 10 and below > 1:
            whole, part = divmod(above, 10)
            return whole + part / below if 0 < part < below else None
    return None


def _unsigned(tree: Tree) -> _Reading:
    """-225 + 10 as 225 + 10: a hyphen before a calculation may be the mark of a list."""
    first = next(leaves(tree))
    return lambda some: -first.value if some is first and first.value < 0 else None


def _with_units(left: Expression, right: Expression, loose: bool) -> Iterator[tuple[Fraction, Fraction, int | None]]:
    """Both sides in the smallest unit of what is measured, where they mix units of one kind.

    Args:
        loose: numbers without a unit count as each of the units that stand elsewhere.
    """
    for dimension, sizes in _sizes(left, right).items():
        if len(sizes) < 2 and dimension != "count":
            continue
        for bare in sorted(sizes) if loose else (1,):
            yield from _in_smallest(left, right, dimension, bare)


def _in_smallest(
    left: Expression, right: Expression, dimension: str, bare: int
) -> Iterator[tuple[Fraction, Fraction, int | None]]:
    def of(tree: Tree) -> Fraction | None:
        match tree:
            case Number(value, percent, unit):
                size = bare if unit is None and not percent else unit[1] if unit and unit[0] == dimension else 1
                return value * size
        return None

    try:
        values = evaluate(left.tree, of), evaluate(right.tree, of)
    except ValueError:
        return
    scale = values[1] / right.value if right.decimals is not None and right.value else Fraction(1)
    yield values[0] / scale, values[1] / scale, right.decimals


def _sizes(*sides: Expression) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for side in sides:
        for one in leaves(side.tree):
            if one.unit:
                found.setdefault(one.unit[0], set()).add(one.unit[1])
    return found


def _adds_units(left: Expression, right: Expression) -> bool:
    """Whether it adds up different units without changing them: 2 hours + 3 minutes = 5 hours."""
    return (
        left.calculates
        and any(len(sizes) > 1 for dimension, sizes in _sizes(left).items())
        and all(node.sign in "+-" for node in nodes(left.tree))
        and not any(_near(*read) for read in _with_units(left, right, loose=False))
    )


def _is_range(tree: Tree, right: Expression, context: str) -> bool:
    """Whether a hyphen may stand for "to": "grades 1-5 = 5 * 20", "from 9-5 = 8 hours"."""
    match tree:
        case Operation("-", Number(begin), Number(end)) if begin.denominator == end.denominator == 1 <= begin:
            if begin < end:
                return right.value >= 0
            hours = end - begin + 12
            return begin <= 12 and right.value in (hours, hours + 12) and bool(_CLOCK.search(context))
    return False


def _is_share(tree: Tree) -> bool:
    """Whether it is a proper fraction, as in "2/5 = 12 pupils"."""
    match tree:
        case Operation("/", Number(part), Number(whole)):
            return part.denominator == whole.denominator == 1 and part < whole
    return False
