"""Arithmetic as a tree of numbers, and its exact value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from rlhalt.verifiers.arithmetic.tokens import Token

_BITS = 1000  # of a number on the way to a result
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "**": 4}
_SIGN = 3  # a sign binds tighter than "*" and looser than "**"


@dataclasses.dataclass(frozen=True)
class Number:
    """A number of a calculation.

    Attributes:
        value: 20% is 1/5.
        percent: whether it is a percentage.
        unit: dimension and size of its unit, where it has one.
    """

    value: Fraction
    percent: bool = False
    unit: tuple[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class Operation:
    """Two parts and what joins them: + - * / % **."""

    sign: str
    left: Tree
    right: Tree


@dataclasses.dataclass(frozen=True)
class Negative:
    """A part with a minus before it."""

    of: Tree


Tree = Number | Operation | Negative


@dataclasses.dataclass(frozen=True)
class Expression:
    """One side of an equation.

    Attributes:
        tree: what it calculates.
        value: exactly.
        operands: the numbers it is made of, percentages as they count (20% is 1/5).
        decimals: digits after the point, where it is a single number.
        loose: whether a careful reader could take a part of it otherwise.
    """

    tree: Tree
    value: Fraction
    operands: tuple[Fraction, ...]
    decimals: int | None
    loose: bool = False

    @property
    def calculates(self) -> bool:
        """Whether there is an operator in it."""
        return len(self.operands) > 1


def expression(side: Sequence[Token]) -> Expression | None:
    """What tokens of numbers, operators and brackets say; None where they are no arithmetic, or too large."""
    try:
        reader = _Reader(side)
        tree = reader.part(0)
        if reader.at < len(side):
            return None
        value = evaluate(tree)
    except (ValueError, IndexError, RecursionError):
        return None
    numbers = [one for one in side if one.kind == "n"]
    alone = numbers[0] if len(side) == len(numbers) == 1 or (len(side) == 2 and side[0].text == "-") else None
    loose = reader.loose or any(one.loose for one in numbers)
    return Expression(tree, value, tuple(one.value for one in leaves(tree)), alone.decimals if alone else None, loose)


class _Reader:
    """Reads a tree by the precedence of its operators."""

    def __init__(self, side: Sequence[Token]) -> None:
        self.side = side
        self.at = 0
        self.loose = False

    def part(self, binds: int) -> Tree:
        left = self._first()
        while self.at < len(self.side):
            one = self.side[self.at]
            sign, skip = (one.text, 1) if one.kind == "o" else ("*", 0) if one.kind == "l" else ("", 0)
            if not sign or _BINDS[sign] <= binds:
                break
            # 6 / 2(1+2) is 9 or 1.
            self.loose |= not skip and self.at > 2 and any(before.text == "/" for before in self.side[: self.at])
            self.at += skip
            # 2**3**2 is 2**9; what a sign stands before is its own part: 2**-1.
            left = Operation(sign, left, self.part(_BINDS[sign] - (sign == "**")))
        return left

    def _first(self) -> Tree:
        one = self.side[self.at]
        self.at += 1
        if one.kind == "n":
            return Number(one.value, one.percent, one.unit)
        if one.kind == "l":
            inner = self.part(0)
            if self.side[self.at].kind != "r":
                raise ValueError("a bracket is missing")
            self.at += 1
            return inner
        if one.text == "-":
            inner = self.part(_SIGN)
            return dataclasses.replace(inner, value=-inner.value) if isinstance(inner, Number) else Negative(inner)
        if one.text == "+":
            return self.part(_SIGN)
        raise ValueError(f"not arithmetic: {one.text}")


def leaves(tree: Tree) -> Iterator[Number]:
    """The numbers of a calculation, from left to right."""
    match tree:
        case Number():
            yield tree
        case Negative(inner):
            yield from leaves(inner)
        case Operation(_, left, right):
            yield from leaves(left)
            yield from leaves(right)


def nodes(tree: Tree) -> Iterator[Operation]:
    """The operations of a calculation, the last one first."""
    match tree:
        case Negative(inner):
            yield from nodes(inner)
        case Operation(_, left, right):
            yield tree
            yield from nodes(left)
            yield from nodes(right)


def evaluate(tree: Tree, of: Callable[[Tree], Fraction | None] = lambda tree: None) -> Fraction:
    """The exact value of a calculation.

    Args:
        of: the value of a part where it is to count otherwise, None where it is not.

    Raises:
        ValueError: a division by zero, a power without an exact value, or a number too large.
    """
    other = of(tree)
    if other is not None:
        return bounded(other)
    match tree:
        case Number(value):
            return bounded(value)
        case Negative(inner):
            return -evaluate(inner, of)
        case Operation(sign, left, right):
            return bounded(_apply(sign, evaluate(left, of), evaluate(right, of)))


def _apply(sign: str, left: Fraction, right: Fraction) -> Fraction:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if sign == "**":
        return _power(left, right)
    if right == 0:
        raise ValueError("division by zero")
    return left / right if sign == "/" else left % right


def _power(left: Fraction, right: Fraction) -> Fraction:
    if right.denominator == 1 and abs(right) <= 100 and (left or right >= 0):
        bits = max(left.numerator.bit_length(), left.denominator.bit_length())
        if bits * abs(right) <= _BITS:
            return Fraction(left**right.numerator)
    raise ValueError("no exact power")


def bounded(value: Fraction) -> Fraction:
    """A number that is not too large to calculate with.

    Raises:
        ValueError: it is.
    """
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS:
        raise ValueError("too large")
    return value
