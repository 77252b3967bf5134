"""Judging the steps of a worked solution against the reference solution.

    step ─ arithmetic.equations ─► equations ─ checked, then looked up in the reference (`worked`) ─► verdict
    answer ─ the same string or number, else math-verify and a second opinion (`equality`) ─► verdict

A step is

- *incorrect* where an equation in it is false;
- *correct* where all its equations hold, give results of the reference, and take only numbers of the question and
  results of steps that count: see `rlhalt.verifiers.worked`;
- *unverifiable* where it calculates nothing, or where its arithmetic holds but its result is not in the reference:
  another way to the right answer looks like that too.

Only a wrong final answer decides the last case: it shows that one of the steps is wrong, and the first step whose
result is not in the reference is where the solution leaves it. That step is *incorrect*, with the probability that a
person too finds it wrong, or one before it (`LEAVING`). Where the final answer is right, or missing, nothing
contradicts such a step.

What follows the first wrong step rests on it and is unverifiable. The final answer is judged all the same. The right
one counts once; a choice ("71 or 72") or a hedge ("probably 72") is no answer.

A response that neither halts nor states an answer that can be judged earns nothing: its true steps are *unverifiable*.
Otherwise leaving a wrong answer out would pay. A response that was cut off by its token limit is one of these; a step
that is called false stays so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from rlhalt.fragments.endings import calculates, explicit, finished, label_of_answer
from rlhalt.records import HALT_PHRASE, Fragment, Json
from rlhalt.verifiers import Verdict
from rlhalt.verifiers.answers import amount, cleaned, hedges, stated
from rlhalt.verifiers.arithmetic import equations
from rlhalt.verifiers.equality import MathVerify, equal
from rlhalt.verifiers.solutions import Solution, distinct, read
from rlhalt.verifiers.worked import Step, steps, whole

# Measured on labels that a language model gave, see reward/maths/README.md; a test holds it to them.
LEAVING = 0.85

_LONGEST_ANSWER = 500  # characters
_MOST_QUESTIONS = 2  # different answers of a response that math-verify is asked about


class MathsVerifier:
    """Judges the fragments of `rlhalt.fragments.steps` against `{"answer": ..., "question": ...}`.

    `answer` is the reference solution in GSM8K's form: lines with annotations such as <<48/2=24>>, and the answer after
    "####" or "A:". `question` is the text of the problem; without it, a step may begin with the numbers that the
    reference solution begins with, and with no others.

    Args:
        ask: math-verify, or the like of it: whether a formula is equal to the gold one. Asked where
            `rlhalt.verifiers.equality.equal` cannot tell by itself.
        phrase: what the domain halts with.
    """

    name = "maths/3"
    knows_halts = True  # a solution that halts is unfinished

    def __init__(self, ask: Callable[[str, str], bool] | None = None, phrase: str = HALT_PHRASE) -> None:
        self._ask = ask or MathVerify()
        words = r"\s+".join(map(re.escape, phrase.rstrip(".").split()))
        self._phrase = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order.

        Raises:
            InputError: the reference holds no answer.
            VerifierFailure: the worker that compares answers broke.
        """
        solution = read(reference)
        found = steps(fragments, solution)
        answers = self._answers(fragments, solution)
        missed = bool(answers) and answers[max(answers)].label == "incorrect"
        wrong = next((index for index, step in found.items() if step.false or (missed and step.open)), None)
        verdicts: list[Verdict] = []
        for index, one in enumerate(fragments):
            if one.kind == "halt":
                verdicts.append(Verdict("halt", "the halting phrase"))
            elif index in answers:
                verdicts.append(answers[index])
            elif wrong is not None and index > wrong:
                verdicts.append(Verdict("unverifiable", "after the first wrong step"))
            else:
                verdicts.append(_judge(found[index], leaves=index == wrong))
        if self._halts(response, fragments) or any(one.label != "unverifiable" for one in answers.values()):
            return verdicts
        return [_unpaid(one) for one in verdicts]

    def _halts(self, response: str, fragments: Sequence[Fragment]) -> bool:
        return any(one.kind == "halt" for one in fragments) or self._phrase.search(response) is not None

    def _answers(self, fragments: Sequence[Fragment], solution: Solution) -> dict[int, Verdict]:
        """The verdicts on the final answers by their place; each answer counts once."""
        answers: dict[int, Verdict] = {}
        said: dict[str, Verdict] = {}
        answered = False
        for index, one in enumerate(fragments):
            if one.kind != "answer":
                continue
            text = cleaned(one.text[label_of_answer(one.text) :])
            repeats = text in said
            if not repeats:
                asks = len(said) < _MOST_QUESTIONS or amount(text) is not None
                said[text] = self._answer(whole(fragments, index), one.text, solution) if asks else _TOO_MANY
            verdict = said[text]
            right = verdict.label == "correct"
            repeats |= right and answered
            answers[index] = Verdict("unverifiable", "repeats the answer") if repeats else verdict
            answered |= right
        return answers

    def _answer(self, chain: str, text: str, solution: Solution) -> Verdict:
        said = text[label_of_answer(text) :]
        found = equations(chain)
        false = next((one for one in found if one.status == "false" and not one.annotated), None)
        if len(said) > _LONGEST_ANSWER:
            return Verdict("unverifiable", "too long for an answer")
        if solution.amount is not None and solution.amount.sure and not _has_number(said):
            return Verdict("unverifiable", "no number in the answer")
        same = None if hedges(said) else equal(solution.answer, said, self._ask)
        if found and not distinct(found) and not explicit(text):
            return Verdict("unverifiable", "states no result")  # 30-2+2 = 30
        if same:
            if false:
                return Verdict("unverifiable", f"the answer is {solution.answer}, but {false.text} is false")
            return Verdict("correct", f"the answer is {solution.answer}")
        if false:
            return Verdict("incorrect", f"{false.text} is false: {_decimal(false.left.value)}")
        if same is None:
            return Verdict("unverifiable", "a hedge or a choice, or nobody can tell whether it is equal")
        if calculates(chain) and not finished(chain) and not explicit(text):
            return Verdict("unverifiable", "a calculation that is not called the answer")
        return Verdict("incorrect", f"the answer is {solution.answer}")


_TOO_MANY = Verdict("unverifiable", "one of many answers")


def _has_number(text: str) -> bool:
    return any(map(str.isdecimal, text)) or amount(text) is not None or bool(stated(text))


def _unpaid(verdict: Verdict) -> Verdict:
    if verdict.label != "correct":
        return verdict
    return Verdict("unverifiable", f"{verdict.evidence}; but the response neither halts nor states an answer")


def _judge(step: Step, leaves: bool) -> Verdict:
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
        return Verdict("unverifiable", f"{shown}: rounded, in other units, or meant otherwise")
    return Verdict("unverifiable", f"{shown}: holds, but its result or its numbers are not in the reference")


def _decimal(value: Fraction) -> str:
    return f"{float(value):,.10g}"
