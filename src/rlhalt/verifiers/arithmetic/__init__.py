"""Equations between numbers, found in the running text of a solution and checked exactly.

    "so 48/2 = $<<48/2=24>>24 in May" ─ plain, tokens ─► 48 / 2 = 24 ─ expression ─► left, right ─ comparison ─► status

Only what can be read without doubt is read: numbers (money, thousands separators, decimals, percentages, fractions),
+ - * / % ** and their signs in print, LaTeX and words, brackets, "20% of 50", "half of 30", "3 times 15 is 45", and
unit words between a number and an operator. A letter that may be a variable spoils the side on which it stands.

`comparison` says what counts as equal, and what is neither equal nor false.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from rlhalt.verifiers.arithmetic.comparison import Status, close, status
from rlhalt.verifiers.arithmetic.expressions import Expression, expression
from rlhalt.verifiers.arithmetic.plain import ANNOTATION, NUMBER
from rlhalt.verifiers.arithmetic.tokens import Token, fraction, tokens

__all__ = ["ANNOTATION", "NUMBER", "Equation", "Expression", "close", "equations", "numbers"]

_JOINS = frozenset({"of", "in", "at", "per", "each", "for"})
_LONGEST = 400  # tokens of one side; no honest calculation is longer
_SAYS_EQUAL = ("=", "equals", " is ", " are ", " makes ", " gives ", " comes to ")


@dataclasses.dataclass(frozen=True)
class Equation:
    """Two sides of "=" of which one at least is a calculation.

    Attributes:
        text: as it was read.
        annotated: whether it stands in a calculator annotation, where no reader sees it.
    """

    text: str
    left: Expression
    right: Expression
    status: Status
    annotated: bool


def equations(text: str) -> list[Equation]:
    """The equations in a text, in order: those that a reader sees, then those of calculator annotations.

    >>> [(one.text, one.status) for one in equations("so 3 × 4 = **12** eggs, and half of 12 is 5")]
    [('3 * 4 = 12', 'holds'), ('(1 / 2) * 12 = 5', 'false')]
    """
    if not any(one in text for one in _SAYS_EQUAL):
        return []
    found = list(_of_part(ANNOTATION.sub("", text), text, annotated=False))
    for mark in ANNOTATION.finditer(text):
        found += _of_part(mark[1], text, annotated=True)
    return found


def numbers(text: str) -> list[Fraction]:
    """The numbers in a text, as they stand there; percentages also as hundredths."""
    found = []
    for match in NUMBER.finditer(text):
        found.append(fraction(match[0]))
        if text[match.end() : match.end() + 8].lstrip().startswith(("%", "percent")):
            found.append(found[-1] / 100)
    return found


def _of_part(part: str, context: str, annotated: bool) -> Iterator[Equation]:
    some = tokens(part)
    for index in [index for index, token in enumerate(some) if token.kind == "e"]:
        (left_side, named), (right_side, _) = _side(some, index, -1), _side(some, index, 1)
        left, right = expression(left_side), expression(right_side)
        if left and right and (left.calculates or right.calculates):
            text = f"{_show(left_side)} = {_show(right_side)}"
            yield Equation(text, left, right, status(left, right, context, named), annotated)


def _side(some: list[Token], sign: int, step: Literal[-1, 1]) -> tuple[list[Token], bool]:
    """The tokens on one side of "=" up to the first that belongs to no calculation; none where that one spoils it.

    And whether a word stands beside them, or a unit on them.
    """
    side: list[Token] = []
    depth = 0
    index = sign + step
    while 0 <= index < len(some) and len(side) < _LONGEST:
        token = some[index]
        if token.kind not in "nolr":
            break
        depth += {"l": step, "r": -step}.get(token.kind, 0)
        if depth < 0:
            if step == -1 and index > 0 and some[index - 1].kind in "no":
                return [], False  # "100+(100*.1 = 110": the other bracket is missing
            break
        if token.kind == "n" and side and side[-1].kind == "n":
            # "= 5 3 more": two numbers beside each other; a mixed number or two statements, nobody knows.
            return [], False
        if step == 1 and token.spaced and side and side[-1].kind in "nr":
            return side, any(one.unit for one in side)  # "= 10 (5 each)"
        side.append(token)
        index += step
    following = some[index].kind if 0 <= index < len(some) else "z"
    if len(side) == _LONGEST or following == "v":
        return [], False
    if step == -1:
        if _joins_on(some, index):
            return [], False
        if index == 0 and side and side[-1].kind == "r":
            side.pop()  # "a) 5 + 5 = 10"
        side.reverse()
        # "Box A + 4 = 9", "the cost - 5*2 = 3": what it begins with is missing.
        begins = side and side[0].kind == "o"
        if begins and (side[0].text != "-" or (index >= 0 and following in "wz")):
            return [], False
    elif side and side[-1].kind == "o":
        side.pop()  # "= 7 - a lot"
        if following == "l":
            return [], False
    return side, (0 <= index < len(some) and following in "wyzv") or any(one.unit for one in side)


def _joins_on(some: list[Token], index: int) -> bool:
    """Whether the words before a calculation tie it to another number: 8 packs of 5 bags * $4."""
    words: list[str] = []
    while index >= 0 and some[index].kind == "w":
        words.append(some[index].text)
        index -= 1
    return len(words) <= 4 and index >= 0 and some[index].kind in "nr" and not _JOINS.isdisjoint(words)


def _show(side: list[Token]) -> str:
    text = "".join(f" {token.text} " if token.kind == "o" and token.text != "**" else token.text for token in side)
    return text.strip().replace("  ", " ")
