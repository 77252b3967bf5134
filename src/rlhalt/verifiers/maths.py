"""Judging the steps of a worked solution against the reference solution.

    step ─ arithmetic.equations ─► equations ─ checked, then looked up in the reference ─► verdict
    answer ─ exact number, else math-verify ─► verdict

The reference's *results* are those of its calculations and what these go through: of 16-3-4 = 9 also 16-3 = 13 and, up
to the sign, 3+4 = 7; of 9*2 after it, what 16-3-4 goes through on the way. A step is

- *incorrect* where an equation in it is false;
- *correct* where all its equations hold, give results of the reference, and take only numbers that the reference,
  earlier steps or units (60 minutes) have;
- *unverifiable* where it calculates nothing, or where its arithmetic holds but its result is not in the reference:
  another way to the right answer looks like that too.

Only a wrong final answer decides the last case: it shows that one of the steps is wrong, and the first step whose
result is not in the reference is where the solution leaves it. That step is *incorrect*, with the probability that a
person too finds it wrong, or one before it (`LEAVING`). Where the final answer is right, or missing, nothing
contradicts such a step.

A policy that is paid for results of the reference would fill pages with them. So *unverifiable* is also what states no
result that was not there before: repetitions, "72 = 72", "24*3 = 48+24", another way to 72. The reference's own results
count as often as it calculates them; those it only goes through count where a later step that counts goes on with them,
or where the solution stops there. Equations that give back one of their numbers whatever the others are (24*1, 24+7-7)
are no calculations at all. In this way a solution earns once for each result that it needs.

What follows the first wrong step rests on it and is unverifiable. The final answer is judged all the same. The right
one counts once; a choice ("71 or 72") or a hedge ("probably 72") is no answer.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json
from rlhalt.verifiers import Verdict
from rlhalt.verifiers.arithmetic import ANNOTATION, NUMBER, Equation, close, equations, evaluate, numbers
from rlhalt.verifiers.equality import Equality

# Measured on labels given by hand, see reward/maths/README.md; a test holds it to them.
LEAVING = 0.85

_GOLD = re.compile(r"(?:^|\n)\s*(?:####|A:)\s*(\S.*)")
_ANSWER_LEAD = re.compile(
    r"[\W_]*(?:####|A[*_]*:|(?:[a-z]+\b[\s,]*){0,3}answer\b[*_]*\s*(?::|=|is\b:?))\s*[*_]*", re.IGNORECASE
)
_PRIMES = (101, 103, 107, 109, 113, 127, 131, 137)
_UNITS = (1, 2, 3, 4, 7, 10, 12, 16, 24, 30, 52, 60, 100, 365, 1000, 3600, 5280)
_MOST_PARTS = 8  # of a sum or product whose partial results are listed: 2^8 of them
_NO_PLAIN_NUMBER = re.compile(r"[\\^{}=*/+√π]|\bhalf\b", re.IGNORECASE)
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SCALE = re.compile(rf"\s*({'|'.join(_SCALES)})\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:not|(?:less|more|fewer|greater) than|at (?:least|most)|below|above)\b"
    r"|\b(?:probably|perhaps|maybe|possibly|might|could)\b|\?",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\b(?:or|either|and|between)\b|[;±]|,(?!\d{3}(?!\d))", re.IGNORECASE)
_LONGEST_ANSWER = 500  # characters


class MathsVerifier:
    """Judges the fragments of `rlhalt.fragments.steps` against `{"answer": <reference solution>}`.

    The reference solution is in GSM8K's form: lines with annotations such as <<48/2=24>>, and the answer after "####"
    or "A:". Answers that are no plain numbers are compared by math-verify in a worker process
    (`rlhalt.verifiers.equality`).

    Args:
        equal: whether an answer is equal to the gold one.
    """

    name = "maths/2"
    knows_halts = True  # a solution that halts is unfinished

    def __init__(self, equal: Callable[[str, str], bool] | None = None) -> None:
        self._equal = equal or Equality()

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order.

        Raises:
            InputError: the reference holds no answer.
            VerifierFailure: an answer could not be compared in time.
        """
        solution = _read(reference)
        steps = _steps(fragments, solution)
        answers = {
            index: self._answer(one.text, solution) for index, one in enumerate(fragments) if one.kind == "answer"
        }
        missed = bool(answers) and answers[max(answers)].label == "incorrect"
        wrong = next((index for index, step in steps.items() if step.false or (missed and step.open)), None)
        verdicts: list[Verdict] = []
        said: set[str] = set()
        answered = False
        for index, one in enumerate(fragments):
            if one.kind == "halt":
                verdicts.append(Verdict("halt", "the halting phrase"))
            elif index in answers:
                right = answers[index].label == "correct"
                repeats = one.text in said or (right and answered)
                verdicts.append(Verdict("unverifiable", "repeats the answer") if repeats else answers[index])
                said.add(one.text)
                answered |= right
            elif wrong is not None and index > wrong:
                verdicts.append(Verdict("unverifiable", "after the first wrong step"))
            else:
                verdicts.append(_judge(steps[index], leaves=index == wrong))
        return verdicts

    def _answer(self, text: str, solution: _Solution) -> Verdict:
        said = _ANSWER_LEAD.sub("", ANNOTATION.sub("", text), count=1).strip()
        if len(said) > _LONGEST_ANSWER:
            return Verdict("unverifiable", "too long for an answer")
        if _HEDGE.search(said):
            return Verdict("unverifiable", "a hedge is no answer")
        number = _number(said)
        if number is not None and solution.number is not None:
            if number == solution.number:
                return Verdict("correct", f"the answer is {solution.answer}")
            return Verdict("incorrect", f"the answer is {solution.answer}")
        if solution.number in numbers(said)[:-1] + numbers(said)[1:] and _CHOICE.search(said):
            return Verdict("unverifiable", "a choice is no answer")
        if solution.number is not None and not any(char.isdecimal() for char in said):
            return Verdict("unverifiable", "no number in the answer")
        if self._equal(solution.answer, said):
            return Verdict("correct", f"the answer is {solution.answer}, by math-verify")
        return Verdict("incorrect", f"the answer is {solution.answer}, by math-verify")


@dataclasses.dataclass(frozen=True)
class _Solution:
    """What a reference solution says.

    Attributes:
        answer, number: the final answer, and as a number where it is one.
        results: what its calculations give or go through, as `_key`s.
        stated: what they give, and how many of them give it.
        given: every number in it, as `_key`s.
    """

    answer: str
    number: Fraction | None
    results: frozenset[str]
    stated: Mapping[str, int]
    given: frozenset[str]


@dataclasses.dataclass(frozen=True)
class _Step:
    """What a step calculates.

    Attributes:
        equations: its equations, those of annotations only where they say something else.
        found: whether each gives a result of the reference, made of known numbers.
        idle: why it is worth nothing all the same, empty where it is worth something.
    """

    equations: tuple[Equation, ...]
    found: bool
    idle: str = ""

    @property
    def false(self) -> Equation | None:
        """The first equation that is false. One that no reader sees counts only where there is no other."""
        seen = [one for one in self.equations if not one.annotated] or self.equations
        return next((one for one in seen if one.status == "false"), None)

    @property
    def open(self) -> bool:
        """Whether it calculates something that the reference does not have."""
        return bool(self.equations) and not self.found


def _judge(step: _Step, leaves: bool) -> Verdict:
    if false := step.false:
        return Verdict("incorrect", f"{false.text} is false: {_decimal(false.left.value)}")
    if not step.equations:
        return Verdict("unverifiable", "nothing to check")
    shown = "; ".join(one.text for one in step.equations if not one.annotated or len(step.equations) == 1)
    if leaves:
        return Verdict("incorrect", f"{shown}: the first result not in the reference, and the answer is wrong", LEAVING)
    if step.idle:
        return Verdict("unverifiable", f"{shown}: {step.idle}")
    if step.found:
        return Verdict("correct", f"{shown}: in the reference")
    if any(one.status == "unclear" for one in step.equations):
        return Verdict("unverifiable", f"{shown}: rounded, or in other units")
    return Verdict("unverifiable", f"{shown}: holds, but is not in the reference")


def _steps(fragments: Sequence[Fragment], solution: _Solution) -> dict[int, _Step]:
    steps: dict[int, _Step] = {}
    known = {*solution.given, *solution.results, *(_key(Fraction(unit)) for unit in _UNITS)}
    for index, one in enumerate(fragments):
        if one.kind in ("halt", "answer"):
            continue
        text = one.text
        if text.startswith("=") and index:
            # A later link of a chain; what is left of its "=" stands in the link before.
            text = _after_last_equals(fragments[index - 1].text) + " " + text
        found = _distinct(equations(text))
        steps[index] = _Step(
            tuple(found), found=bool(found) and all(_in_reference(equation, solution, known) for equation in found)
        )
        known |= {_key(value) for equation in found for value in (equation.left.value, equation.right.value)}
    return _without_idle(steps, solution)


def _without_idle(steps: Mapping[int, _Step], solution: _Solution) -> dict[int, _Step]:
    """The steps, those that state nothing new or nothing that is needed told from the others."""
    judged = dict(steps)
    said: set[tuple[tuple[Fraction, ...], Fraction]] = set()
    times: Counter[str] = Counter()
    new: dict[int, set[str]] = {}
    for index, step in steps.items():
        meanings = {(tuple(sorted(one.left.operands)), one.right.value) for one in step.equations}
        if step.equations and meanings <= said:
            judged[index] = dataclasses.replace(step, idle="a repetition")
        elif step.found:
            results = {result for one in step.equations for result in _stated(one)} & solution.results
            new[index] = {one for one in results if times[one] < max(1, solution.stated.get(one, 0))}
            times.update(new[index])
            if not new[index]:
                judged[index] = dataclasses.replace(step, idle="states no new result")
        said |= meanings
    needed = {*solution.stated}
    counting = [index for index in new if new[index]]
    for index in reversed(counting):
        if index != counting[-1] and not new[index] & needed:
            judged[index] = dataclasses.replace(steps[index], idle="leads nowhere")
            continue
        needed |= {_key(one) for equation in steps[index].equations for one in _operands(equation)}
    return judged


def _stated(equation: Equation) -> set[str]:
    """The results that an equation states: its side without a calculation, its fraction; of 16-(3+4) = 16-7 the 7."""
    left, right = equation.left, equation.right
    for side in (right, left):
        if not side.calculates:
            return {_key(side.value)}
    if _is_reduced(right.tree) and not _is_reduced(left.tree):
        return {_key(right.value)}
    worked_out = {evaluate(node) for node in ast.walk(left.tree) if isinstance(node, ast.BinOp)}
    return set(map(_key, {*right.operands} & worked_out - {*left.operands}))


def _is_reduced(tree: ast.expr) -> bool:
    """Whether it is a fraction in lowest terms: 3/4, but neither 6/8 nor 8/2."""
    match tree:
        case ast.BinOp(left=ast.Constant(value=above), op=ast.Div(), right=ast.Constant(value=below)):
            value = evaluate(tree)
            return value.denominator != 1 and (value.numerator, value.denominator) == (above, below)
    return False


def _operands(equation: Equation) -> Iterator[Fraction]:
    """The numbers that it calculates with."""
    for side in (equation.left, equation.right):
        if side.calculates:
            yield from side.operands


def _after_last_equals(text: str) -> str:
    return ANNOTATION.sub("", text).rpartition("=")[2]


def _distinct(found: Sequence[Equation]) -> list[Equation]:
    """Without idle equations, and without the annotations that repeat what stands beside them."""
    visible = [one for one in found if not one.annotated]
    results = {value for one in visible for value in (one.left.value, one.right.value)}
    return [
        one
        for one in found
        if not _idle(one) and not (one.annotated and any(close(one.left.value, value) for value in results))
    ]


def _in_reference(equation: Equation, solution: _Solution, known: set[str]) -> bool:
    """Whether its result is one of the reference's, made of known numbers."""
    if equation.status == "false":
        return False
    left, right = equation.left, equation.right
    result = right.value if left.calculates else left.value
    return _key(result) in solution.results and all(_key(operand) in known for operand in _operands(equation))


def _idle(equation: Equation) -> bool:
    """Whether it only looks like a calculation: 26+0, 26*1, or 26 whatever the other numbers are, as in 26+7-7."""
    side = equation.left if equation.left.calculates else equation.right
    result = equation.right.value
    if equation.status != "holds" or result not in side.operands:
        return False
    if len(side.operands) == 2:
        return bool({Fraction(0), Fraction(1)} & {*side.operands})
    others = {
        one: one + Fraction(1, prime) for one, prime in zip(sorted({*side.operands} - {0, 1}), _PRIMES, strict=False)
    }
    try:
        return evaluate(_replaced(side.tree, others)) == others.get(result, result)
    except ValueError:
        return False


def _replaced(tree: ast.expr, others: Mapping[Fraction, Fraction]) -> ast.expr:
    """An expression with other numbers in it."""
    match tree:
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(_replaced(left, others), op, _replaced(right, others))
        case ast.UnaryOp(op=sign, operand=operand):
            return ast.UnaryOp(sign, _replaced(operand, others))
    value = evaluate(tree)
    other = others.get(value, value)
    return ast.BinOp(ast.Constant(other.numerator), ast.Div(), ast.Constant(other.denominator))


def _key(number: Fraction) -> str:
    """Equal for numbers that are equal to 10 significant digits, sign aside: calculators round."""
    try:
        return f"{float(abs(number)):.9e}"
    except OverflowError:
        return str(abs(number))


def _read(reference: Json) -> _Solution:
    text = reference.get("answer")
    if not isinstance(text, str) or not (said := _GOLD.findall(text)):
        raise InputError("expected a reference solution with its answer after #### or A:", field="reference.answer")
    answer = said[-1].strip()
    number = _number(answer)
    results: set[Fraction] = set()
    trees: dict[Fraction, ast.expr] = {}
    for equation in _distinct(equations(text)):
        left, right = equation.left, equation.right
        results |= {left.value, right.value}
        for side in (left, right):
            results |= set(_partial(side.tree, trees))
        trees.setdefault(right.value, left.tree)
        if "%" in equation.text:
            results |= {100 * left.value, 100 * right.value}
    stated: Counter[str] = Counter()
    for line in text.splitlines():
        stated.update({_key(side.value) for one in _distinct(equations(line)) for side in (one.left, one.right)})
    if number is not None:
        results.add(number)
        stated[_key(number)] += 0
    return _Solution(answer, number, frozenset(map(_key, results)), stated, frozenset(map(_key, numbers(text))))


def _partial(tree: ast.expr, trees: Mapping[Fraction, ast.expr]) -> Iterator[Fraction]:
    """The results on the way to that of an expression, given how the numbers in it were calculated before.

    Any part of a sum or product as it is written; where earlier calculations are put into it, only what is reached in
    their order, or every number would be on the way to every other.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            yield evaluate(node)
            for combine, parts in ((operator.add, _terms), (operator.mul, _factors)):
                for some in _some(list(parts(node, {}))):
                    yield functools.reduce(combine, some)
                yield from itertools.accumulate(parts(node, trees), combine)


def _some(parts: list[Fraction]) -> Iterator[tuple[Fraction, ...]]:
    if len(parts) <= _MOST_PARTS:
        for size in range(2, len(parts)):
            yield from itertools.combinations(parts, size)


def _terms(tree: ast.expr, replaced: Mapping[Fraction, ast.expr], sign: int = 1) -> Iterator[Fraction]:
    match tree:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            yield from _terms(left, replaced, sign)
            yield from _terms(right, replaced, -sign if isinstance(op, ast.Sub) else sign)
        case ast.Constant() if (inner := replaced.get(evaluate(tree))) and _is(inner, ast.Add, ast.Sub):
            yield from _terms(inner, {}, sign)
        case _:
            yield sign * evaluate(tree)


def _factors(tree: ast.expr, replaced: Mapping[Fraction, ast.expr], inverse: bool = False) -> Iterator[Fraction]:
    match tree:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            yield from _factors(left, replaced, inverse)
            yield from _factors(right, replaced, inverse != isinstance(op, ast.Div))
        case ast.Constant() if (inner := replaced.get(evaluate(tree))) and _is(inner, ast.Mult, ast.Div):
            yield from _factors(inner, {}, inverse)
        case _:
            value = evaluate(tree)
            yield 1 / value if inverse and value else value


def _is(tree: ast.expr, *operators: type[ast.operator]) -> bool:
    return isinstance(tree, ast.BinOp) and isinstance(tree.op, operators)


def _number(text: str) -> Fraction | None:
    """The number an answer states, where it is one plain number with nothing but words around it."""
    found = list(NUMBER.finditer(text))
    if len(found) != 1 or _NO_PLAIN_NUMBER.search(text):
        return None
    sign = -1 if re.search(r"[-−–]\s*[$€£]?\s*$", text[: found[0].start()]) else 1
    scale = _SCALE.match(text, found[0].end())
    return sign * numbers(found[0][0])[0] * (_SCALES[scale[1].lower()] if scale else 1)


def _decimal(value: Fraction) -> str:
    return f"{float(value):,.10g}"
