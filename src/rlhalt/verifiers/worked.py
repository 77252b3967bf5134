"""Which steps of a worked solution count.

A step is *found* where all its equations hold, give results of the reference, and take only numbers that are known:
those that are given (`rlhalt.verifiers.solutions`), results of earlier steps that are found, results of another way
that are one step from these, and constants (60 minutes). One of them at least is no constant. So a ladder of true sums
that has not read the question (1+1 = 2, 2+1 = 3, ...) leads nowhere.

A policy that is paid for results of the reference would fill pages with them. So some found steps are *idle*: those
that state nothing new (repetitions, "72 = 72", "24*3 = 48+24", another way to 72). The reference's own results count as
often as it calculates them; those it only goes through count where a later step that counts goes on with them, or where
the solution stops there; those that its numbers only have in another order, where a later step goes on with them. And
nothing counts where true calculations that the reference does not know outnumber those it knows by far: that is
guessing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from rlhalt.records import Fragment
from rlhalt.verifiers.arithmetic import ANNOTATION, Equation, equations
from rlhalt.verifiers.solutions import CONSTANTS, Solution, distinct, is_reduced, key, worked_out

_CONSTANTS = frozenset(key(Fraction(one)) for one in CONSTANTS)
_GUESSES = 3  # true steps that the reference does not know, more than twice as many as it knows


@dataclasses.dataclass(frozen=True)
class Step:
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


def steps(fragments: Sequence[Fragment], solution: Solution) -> dict[int, Step]:
    """The steps among the fragments, by their place."""
    found: dict[int, Step] = {}
    results: set[str] = set()
    near: set[str] = set()  # results of another way, one step from what is known
    for index, one in enumerate(fragments):
        if one.kind in ("halt", "answer"):
            continue
        said = distinct(equations(whole(fragments, index)))
        known = bool(said)
        for equation in said:
            if _is_made_of(equation, solution.given | results | near) and _has_result(equation, solution):
                results |= _stated(equation)
            else:
                known = False
                near |= _stated(equation) if _is_made_of(equation, solution.given | results) else set()
        found[index] = Step(tuple(said), known)
    return _without_guesses(_without_idle(found, solution))


def whole(fragments: Sequence[Fragment], index: int) -> str:
    """The text of a fragment; of a later link of a chain with what stands before its "="."""
    text = fragments[index].text
    if text.startswith("=") and index and not fragments[index - 1].text.endswith((".", "!", "?", ":")):
        return ANNOTATION.sub("", fragments[index - 1].text).rpartition("=")[2] + " " + text
    return text


def _has_result(equation: Equation, solution: Solution) -> bool:
    """Whether it gives a result of the reference."""
    result = key(equation.right.value if equation.left.calculates else equation.left.value)
    return result in solution.results or result in solution.reordered


def _is_made_of(equation: Equation, known: frozenset[str] | set[str]) -> bool:
    """Whether it holds, and is made of known numbers, not all of them constants."""
    operands = list(_operands(equation))
    return (
        equation.status == "holds"
        and all(_is_known(one, known) for one in operands)
        and any(_is_known(one, known, constants=False) for one in operands)
    )


def _is_known(number: Fraction, known: frozenset[str] | set[str], constants: bool = True) -> bool:
    """Whether a number is known, or is the share or the rest of one: 20% is 0.2, what is left of it 0.8."""
    some = {number, 100 * number}
    if 0 < number < 2 and number != 1:
        some |= {1 - number, 100 * (1 - number)}
    keys = set(map(key, some))
    return not keys.isdisjoint(known) or (constants and key(number) in _CONSTANTS)


def _without_idle(steps: Mapping[int, Step], solution: Solution) -> dict[int, Step]:
    """The steps, those that state nothing new or nothing that is needed told from the others."""
    judged = dict(steps)
    said: set[tuple[tuple[Fraction, ...], Fraction]] = set()
    times: Counter[str] = Counter()
    new: dict[int, set[str]] = {}
    known = solution.results | solution.reordered
    for index, step in steps.items():
        meanings = {(tuple(sorted(one.left.operands)), one.right.value) for one in step.equations}
        if step.equations and meanings <= said:
            judged[index] = dataclasses.replace(step, idle="a repetition")
        elif step.found:
            results = {result for one in step.equations for result in _stated(one)} & known
            new[index] = {one for one in results if times[one] < max(1, solution.stated.get(one, 0))}
            times.update(new[index])
            if not new[index]:
                judged[index] = dataclasses.replace(step, idle="states no new result")
        said |= meanings
    needed = {*solution.stated}
    counting = [index for index in new if new[index]]
    last = next((index for index in reversed(counting) if new[index] & solution.results), None)
    for index in reversed(counting):
        if index != last and not new[index] & needed:
            judged[index] = dataclasses.replace(steps[index], idle="leads nowhere")
            continue
        needed |= {key(one) for equation in steps[index].equations for one in _operands(equation)}
    return judged


def _without_guesses(steps: dict[int, Step]) -> dict[int, Step]:
    counting = [index for index, one in steps.items() if one.found and not one.idle]
    guesses = sum(one.open and not one.idle and not one.false for one in steps.values())
    if guesses <= _GUESSES + 2 * len(counting):
        return steps
    return steps | {index: dataclasses.replace(steps[index], idle="one of many guesses") for index in counting}


def _stated(equation: Equation) -> set[str]:
    """The results that an equation states: its side without a calculation, its fraction; of 16-(3+4) = 16-7 the 7."""
    left, right = equation.left, equation.right
    for side in (right, left):
        if not side.calculates:
            return {key(side.value)}
    if is_reduced(right.tree) and not is_reduced(left.tree):
        return {key(right.value)}
    return set(map(key, {*right.operands} & worked_out(left.tree) - {*left.operands}))


def _operands(equation: Equation) -> Iterator[Fraction]:
    """The numbers that it calculates with, but for those that it works out: of 16-(3+4) = 16-7 the 7."""
    left, right = equation.left, equation.right
    if left.calculates:
        yield from left.operands
    if right.calculates:
        inside = worked_out(left.tree) if left.calculates else set()
        yield from (one for one in right.operands if one not in inside)
