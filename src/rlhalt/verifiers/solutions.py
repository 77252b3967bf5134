"""What a reference solution knows: its answer, its results, and the numbers that the question gives.

*Results* are those of its calculations and what these go through: of 16-3-4 = 9 also 16-3 = 13, and, taken together in
another order, 3+4 = 7 (up to the sign); of 9*2 after it, what 16-3-4 goes through on the way. An operand alone is no
result.

*Given* are the numbers of the question, in digits and words, and those that the reference calculates with and has not
calculated before.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from rlhalt.errors import InputError
from rlhalt.records import Json
from rlhalt.verifiers.answers import Amount, amount, stated
from rlhalt.verifiers.arithmetic import Equation, close, equations, numbers
from rlhalt.verifiers.arithmetic.expressions import Number, Operation, Tree, evaluate, nodes

_GOLD = re.compile(r"(?:^|\n)\s*(?:####|A:)\s*(\S.*)")
_PRIMES = (101, 103, 107, 109, 113, 127, 131, 137)
_MOST_PARTS = 8  # of a sum or product whose partial results are listed: 2^8 of them
# What a solution may calculate with that nobody tells it: nothing, a whole, half and twice, days, months, hours,
# minutes, weeks, ounces, per cent, thousands, feet. A step needs another number beside them.
CONSTANTS = (0, 1, 2, 7, 12, 16, 24, 30, 52, 60, 100, 365, 1000, 3600, 5280)
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7}
_PARTS |= {"eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100}
_TIMES = {"twice": 2, "double": 2, "both": 2, "couple": 2, "pair": 2, "thrice": 3, "triple": 3, "quadruple": 4}
_TIMES |= {"once": 1, "dozen": 12, "decade": 10, "century": 100, "week": 7, "year": 12}
_COUNTS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_WORD = re.compile(r"[a-z]+")
_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")


@dataclasses.dataclass(frozen=True)
class Solution:
    """A reference solution.

    Attributes:
        answer: the final answer.
        amount: the same as a number, where it is one.
        results: what its calculations give or go through, as `key`s.
        reordered: results that its parts only have in another order.
        stated: what they give, and how many of them give it.
        given: the numbers that a step may begin with.
    """

    answer: str
    amount: Amount | None
    results: frozenset[str]
    reordered: frozenset[str]
    stated: Mapping[str, int]
    given: frozenset[str]


def read(reference: Json) -> Solution:
    """The reference solution of a row.

    Raises:
        InputError: it holds no answer, or a question that is no text.
    """
    text, question = reference.get("answer"), reference.get("question", "")
    if not isinstance(text, str) or not (said := _GOLD.findall(text)):
        raise InputError("expected a reference solution with its answer after #### or A:", field="reference.answer")
    if not isinstance(question, str):
        raise InputError(f"expected a text, found {question!r}", field="reference.question")
    return _read(text, said[-1].strip(), question)


@functools.lru_cache(maxsize=1024)
def _read(text: str, answer: str, question: str) -> Solution:
    # Line by line: without annotations, the number that ends a line would join the one that begins the next.
    found = distinct([one for line in text.splitlines() for one in equations(line)])
    results, reordered, given = _results(found)
    value = amount(answer)
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        counts.update({key(side.value) for one in distinct(equations(line)) for side in (one.left, one.right)})
    if value is not None:
        results |= value.sure
        counts.update(dict.fromkeys(map(key, value.sure), 0))
    keys = frozenset(map(key, results))
    return Solution(
        answer,
        value,
        keys,
        frozenset(map(key, reordered)) - keys,
        counts,
        frozenset(map(key, {*given, *_in_words(question)})),
    )


def _results(found: Sequence[Equation]) -> tuple[set[Fraction], set[Fraction], set[Fraction]]:
    """What the calculations give or go through, what they have in another order, and what they begin with."""
    results: set[Fraction] = set()
    reordered: set[Fraction] = set()
    given: set[Fraction] = set()
    trees: dict[Fraction, Tree] = {}
    for equation in found:
        left, right = equation.left, equation.right
        given |= {one for side in (left, right) if side.calculates for one in side.operands if one not in results}
        given |= {one for side in (left, right) for one in _shares(side.tree)}
        results |= {left.value, right.value}
        for side in (left, right):
            results |= set(_on_the_way(side.tree, trees))
            reordered |= set(_in_any_order(side.tree))
        trees.setdefault(right.value, left.tree)
        if "%" in equation.text:
            results |= {100 * left.value, 100 * right.value}
    return results, reordered, given


def _in_words(question: str) -> set[Fraction]:
    """The numbers of a question: 20% is also 1/5, "a third" 1/3 and 3, "half a dozen" 1/2 and 12."""
    found = {*numbers(question), *stated(question)}
    for above, below in _FRACTION.findall(question):
        if int(below[:20]):
            found.add(Fraction(int(above[:20]), int(below[:20])))
    words = _WORD.findall(question.lower())
    for index, word in enumerate(words):
        single = word[:-1] if word.endswith("s") else word
        if part := _PARTS.get(word) or _PARTS.get(single):
            above = _COUNTS.index(words[index - 1]) + 1 if index and words[index - 1] in _COUNTS else 1
            found |= {Fraction(part), Fraction(above, part)}
        if times := _TIMES.get(word) or _TIMES.get(single) or _TIMES.get(word.removesuffix("d")):
            found.add(Fraction(times))
        if word in _ORDINALS:
            found.add(Fraction(_ORDINALS.index(word) + 1))
        value = amount(word) if word not in _PARTS else None
        if value:
            found |= value.sure
    return found


def key(number: Fraction) -> str:
    """Equal for numbers that are equal to 10 significant digits, sign aside: calculators round."""
    try:
        return f"{float(abs(number)):.9e}"
    except OverflowError:
        return str(abs(number))


def distinct(found: Sequence[Equation]) -> list[Equation]:
    """Without idle equations, and without the annotations that repeat what stands beside them."""
    visible = [one for one in found if not one.annotated]
    results = {value for one in visible for value in (one.left.value, one.right.value)}
    return [
        one
        for one in found
        if not _idle(one) and not (one.annotated and any(close(one.left.value, value) for value in results))
    ]


def _idle(equation: Equation) -> bool:
    """Whether it only looks like a calculation: 26+0, 26*1, or 26 whatever the other numbers are, as in 26+7-7."""
    side = equation.left if equation.left.calculates else equation.right
    result = equation.right.value
    if equation.status != "holds" or result not in side.operands:
        return False
    if len(side.operands) == 2 and isinstance(side.tree, Operation):
        return (Fraction(0) if side.tree.sign in "+-" else Fraction(1)) in side.operands or result == 0
    others = {
        one: one + Fraction(1, prime) for one, prime in zip(sorted({*side.operands} - {0, 1}), _PRIMES, strict=False)
    }
    try:
        value = evaluate(side.tree, lambda some: others.get(some.value) if isinstance(some, Number) else None)
    except ValueError:
        return False
    return value == others.get(result, result)


def _on_the_way(tree: Tree, trees: Mapping[Fraction, Tree]) -> Iterator[Fraction]:
    """The results on the way to that of an expression, given how the numbers in it were calculated before."""
    for node in nodes(tree):
        yield _value(node)
        for combine, parts in ((operator.add, _terms), (operator.mul, _factors)):
            # The first part alone is an operand.
            yield from itertools.islice(itertools.accumulate(parts(node, trees), combine), 1, None)


def _in_any_order(tree: Tree) -> Iterator[Fraction]:
    """What parts of a sum or product give together, in any order."""
    for node in nodes(tree):
        for combine, parts in ((operator.add, _terms), (operator.mul, _factors)):
            some = list(parts(node, {}))
            if len(some) <= _MOST_PARTS:
                for size in range(2, len(some)):
                    for chosen in itertools.combinations(some, size):
                        yield functools.reduce(combine, chosen)


def _shares(tree: Tree) -> Iterator[Fraction]:
    """The proper fractions in it: 1/5 is a number to begin with, whichever way it is written."""
    for node in nodes(tree):
        match node:
            case Operation("/", Number(above), Number(below)) if (
                above.denominator == below.denominator == 1 <= above < below
            ):
                yield above / below


def _value(tree: Tree) -> Fraction:
    try:
        return evaluate(tree)
    except ValueError:
        return Fraction(0)


def _terms(tree: Tree, replaced: Mapping[Fraction, Tree], sign: int = 1) -> Iterator[Fraction]:
    match tree:
        case Operation("+" | "-" as how, left, right):
            yield from _terms(left, replaced, sign)
            yield from _terms(right, replaced, -sign if how == "-" else sign)
        case Number(value) if (inner := replaced.get(value)) and _is(inner, "+-"):
            yield from _terms(inner, {}, sign)
        case _:
            yield sign * _value(tree)


def _factors(tree: Tree, replaced: Mapping[Fraction, Tree], inverse: bool = False) -> Iterator[Fraction]:
    match tree:
        case Operation("*" | "/" as how, left, right):
            yield from _factors(left, replaced, inverse)
            yield from _factors(right, replaced, inverse != (how == "/"))
        case Number(value) if (inner := replaced.get(value)) and _is(inner, "*/"):
            yield from _factors(inner, {}, inverse)
        case _:
            value = _value(tree)
            yield 1 / value if inverse and value else value


def _is(tree: Tree, signs: str) -> bool:
    return isinstance(tree, Operation) and tree.sign in signs


def is_reduced(tree: Tree) -> bool:
    """Whether it is a fraction in lowest terms: 3/4, but neither 6/8 nor 8/2."""
    match tree:
        case Operation("/", Number(above), Number(below)):
            value = _value(tree)
            return value.denominator != 1 and (value.numerator == above and value.denominator == below)
    return False


def worked_out(tree: Tree) -> set[Fraction]:
    """The values of its operations."""
    return {_value(node) for node in nodes(tree)}
