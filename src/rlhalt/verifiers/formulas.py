"""A second opinion on two formulas: both calculated to 50 digits, whole tuples, sets and equations part by part.

It shares nothing with math-verify but the numbers below both (mpmath). Letters stand for numbers that are drawn, the
same ones each time. What it cannot read it says nothing about.
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DIGITS = 50
_CLOSE = 25  # digits to which equal values agree
_LARGEST = 20_000  # bits of a power or factorial
_DRAWS = 3
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|\\?(?P<name>frac|dfrac|tfrac|sqrt|cdot|times|div|pi|infty|sin|cos|tan|log|ln|exp|"
    r"left|right|pm|[a-zA-Z])(?![a-zA-Z])|(?P<sign>\*\*|[-+*/^!(){}\[\],=|]))"
)
_PRINT = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:text|mathrm|mbox)\s*\{\s*(?:and|or)\s*\}|(?<=[\s\d,])(?:and|or)(?=[\s\d])", ","),
        (r"\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}", r" "),
        (r"\\(?:left|right|displaystyle|quad|[,;:! ])", " "),
        (r"\\[()\[\]]|\\?\$|\*\*(?=\s|$)|^\*\*", " "),
        (r"(?<=\d)\{,\}(?=\d)|(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"\\(?:boxed|fbox)\s*", ""),
        (r"\\([{}])", r"\1"),
        (r"(?<=frac)\s*(\d)(\d)", r"{\1}{\2}"),
        (r"[−–]", "-"),
        (r"[×·]", "*"),
        (r"÷", "/"),
        (r"√", "sqrt"),
        (r"π", "pi"),
        (r"²", "^2"),
        (r"³", "^3"),
        (r"\.\s*$", ""),
    ]
]


class _Unread(Exception):
    """A text that is no formula, or too large to calculate."""


@dataclasses.dataclass(frozen=True)
class _Formula:
    """A formula: the name of what is done, and to what."""

    name: str
    parts: tuple[_Formula, ...] = ()
    text: str = ""


def agree(gold: str, answer: str) -> bool | None:
    """Whether two formulas are equal; None where one cannot be read.

    >>> agree("\\\\frac{1}{2}", "0.5"), agree("1-1/e", "1+1/e"), agree("x+1", "some words")
    (True, False, None)
    """
    try:
        one, other = _read(gold), _read(answer)
        return all(_same(one, other, letters) for letters in _draws())
    except (_Unread, RecursionError, ValueError, ZeroDivisionError, OverflowError, TypeError, ArithmeticError):
        return None


def _draws() -> Iterator[Mapping[str, float]]:
    draw = random.Random(0)
    for _ in range(_DRAWS):
        yield {letter: draw.uniform(0.5, 2.5) for letter in "abcdfghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _same(gold: _Formula, answer: _Formula, letters: Mapping[str, float]) -> bool:
    if answer.name == "=" != gold.name:
        return _same(gold, answer.parts[-1], letters)  # x = 5
    if gold.name == "=" != answer.name and gold.parts[0].name == "letter":
        return _same(gold.parts[-1], answer, letters)
    if gold.name == answer.name == "=":
        return _same_equation(gold, answer, letters)
    if gold.name in "([{" or answer.name in "([{":
        return _same_parts(gold, answer, letters)
    return _near(_values(gold, letters), _values(answer, letters), _shown(gold), _shown(answer))


def _same_parts(gold: _Formula, answer: _Formula, letters: Mapping[str, float]) -> bool:
    if len(gold.parts) != len(answer.parts) or (gold.text and answer.text and gold.text != answer.text):
        return False
    if gold.name == "{":  # a list in any order
        left = list(answer.parts)
        for part in gold.parts:
            at = next((index for index, one in enumerate(left) if _same(part, one, letters)), None)
            if at is None:
                return False
            del left[at]
        return True
    return all(_same(one, other, letters) for one, other in zip(gold.parts, answer.parts, strict=True))


def _same_equation(gold: _Formula, answer: _Formula, letters: Mapping[str, float]) -> bool:
    """Whether two equations say the same, up to a factor: their differences at two places have one ratio."""
    moved = {letter: value + 0.37 for letter, value in letters.items()}
    found = []
    for place in (letters, moved):
        sides = [_value(part, place) for formula in (gold, answer) for part in formula.parts]
        found.append((sides[0] - sides[1], sides[2] - sides[3]))
    (one, other), (three, four) = found
    return _near([one * four], [other * three], None, None)


def _values(formula: _Formula, letters: Mapping[str, float]) -> list[Any]:
    if formula.name == "pm":
        value = _value(formula.parts[0], letters)
        return [value, -value]
    return [_value(formula, letters)]


def _shown(formula: _Formula) -> int | None:
    """The digits after the point, where it is one decimal number."""
    while formula.name == "negative":
        formula = formula.parts[0]
    return len(formula.text.partition(".")[2]) if formula.name == "number" and "." in formula.text else None


def _near(gold: Sequence[Any], answer: Sequence[Any], shown: int | None, said: int | None) -> bool:
    from mpmath import mp, mpf

    if len(gold) != len(answer):
        return False
    with mp.workdps(_DIGITS):
        for one, other in zip(gold, answer, strict=True):
            apart = abs(one - other)
            exact = apart <= max(abs(one), abs(other)) * mpf(10) ** -_CLOSE
            # A number that is rounded at its last digit, beside one that is not.
            rounded = (shown is not None and said is None and apart <= mpf(10) ** -shown / 2) or (
                said is not None and said >= 3 and shown is None and apart <= mpf(10) ** -said / 2
            )
            if not exact and not (rounded and abs(one) > mpf(10) ** -2):
                return False
    return True


def _value(formula: _Formula, letters: Mapping[str, float]) -> Any:
    """The value of a formula, with 50 digits."""
    from mpmath import mp, mpf

    with mp.workdps(_DIGITS):
        if formula.name == "number":
            return mpf(formula.text)
        if formula.name == "letter":
            return mpf(letters[formula.text])
        if formula.name in ("pi", "e"):
            return +getattr(mp, formula.name)
        some = [_value(part, letters) for part in formula.parts]
        return _calculated(formula.name, some)


def _calculated(name: str, some: list[Any]) -> Any:
    from mpmath import mp

    match name, some:
        case "+", [one, other]:
            return one + other
        case "-", [one, other]:
            return one - other
        case "*", [one, other]:
            return one * other
        case "/", [one, other]:
            return one / other
        case "^", [one, other]:
            if abs(other) * max(1.0, abs(float(mp.log(abs(one), 2))) if one else 1.0) > _LARGEST:
                raise _Unread("too large")
            return mp.power(one, other)
        case "!", [one]:
            if one != int(one) or not 0 <= one <= _LARGEST:
                raise _Unread("no factorial")
            return mp.factorial(one)
        case "negative", [one]:
            return -one
        case "abs", [one]:
            return abs(one)
        case "root", [one, other]:
            return mp.root(one, int(other))
        case "log", [one]:
            return mp.log10(one)
        case (("sqrt" | "sin" | "cos" | "tan" | "ln" | "exp"), [one]):
            return getattr(mp, name)(one)
    raise _Unread(name)


def _read(text: str) -> _Formula:
    if len(text) > 500:
        raise _Unread("too long")
    for pattern, replacement in _PRINT:
        text = pattern.sub(replacement, text)
    found: list[tuple[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Unread(text[at:])
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    parser = _Parser(found)
    formula = parser.whole()
    if parser.at < len(found):
        raise _Unread("more follows")
    return formula


class _Parser:
    """Reads a formula by the precedence of its operators."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def whole(self) -> _Formula:
        """A formula, an equation, or a list of them."""
        parts = [self._equation()]
        while self._takes(","):
            parts.append(self._equation())
        return parts[0] if len(parts) == 1 else _Formula("{", tuple(parts))

    def _equation(self) -> _Formula:
        left = self._sum()
        return _Formula("=", (left, self._sum())) if self._takes("=") else left

    def _sum(self) -> _Formula:
        left = self._product()
        while self._next() in ("+", "-"):
            sign = self._take()
            left = _Formula(sign, (left, self._product()))
        return left

    def _product(self) -> _Formula:
        left = self._signed()
        while True:
            after = self._next()
            if after in ("*", "cdot", "times", "/", "div"):
                self.at += 1
                left = _Formula("/" if after in ("/", "div") else "*", (left, self._signed()))
            elif after and (self.tokens[self.at][0] != "sign" or after == "("):
                if self.tokens[self.at][0] == "number":
                    raise _Unread("two numbers")  # 2 2/3
                left = _Formula("*", (left, self._power()))
            else:
                return left

    def _signed(self) -> _Formula:
        if self._takes("-"):
            return _Formula("negative", (self._signed(),))
        if self._takes("+"):
            return self._signed()
        if self._takes("pm"):
            return _Formula("pm", (self._product(),))
        return self._power()

    def _power(self) -> _Formula:
        left = self._atom()
        while self._takes("!"):
            left = _Formula("!", (left,))
        if self._next() in ("^", "**"):
            self.at += 1
            left = _Formula("^", (left, self._signed()))
        return left

    def _atom(self) -> _Formula:
        if self.at >= len(self.tokens):
            raise _Unread("it breaks off")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return _Formula("number", text=text)
        if text in ("(", "{", "["):
            return self._bracket(text)
        if text == "|":
            inner = self._sum()
            self._needs("|")
            return _Formula("abs", (inner,))
        if text in ("frac", "dfrac", "tfrac"):
            return _Formula("/", (self._atom(), self._atom()))
        if text == "sqrt":
            if self._takes("["):
                degree = self._sum()
                self._needs("]")
                return _Formula("root", (self._atom(), degree))
            return _Formula("sqrt", (self._atom(),))
        if text in ("sin", "cos", "tan", "log", "ln", "exp"):
            return _Formula(text, (self._power(),))
        if text in ("pi", "e"):
            return _Formula(text)
        if kind == "name" and len(text) == 1:
            return _Formula("letter", text=text)
        raise _Unread(text)

    def _bracket(self, opened: str) -> _Formula:
        parts = [self._equation()]
        while self._takes(","):
            parts.append(self._equation())
        closed = self._take()
        if closed not in (")", "}", "]"):
            raise _Unread("a bracket is missing")
        if len(parts) == 1:
            return parts[0]
        return _Formula("{", tuple(parts)) if opened == "{" else _Formula("(", tuple(parts), opened + closed)

    def _next(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        text = self._next()
        self.at += 1
        return text

    def _takes(self, text: str) -> bool:
        if self._next() == text:
            self.at += 1
            return True
        return False

    def _needs(self, text: str) -> None:
        if not self._takes(text):
            raise _Unread(f"{text} is missing")


def too_large(text: str) -> bool:
    """Whether a formula has a tower of powers, or a number or exponent that takes long to calculate."""
    powers = len(re.findall(r"\^|\*\*", text))
    exponents = re.findall(r"(?:\^|\*\*)\s*[{(]?\s*(\d+)", text)
    factorials = re.findall(r"(\d+)\s*!|!\s*!", text)
    return (
        powers > 3
        or bool(
            re.search(r"(?:\^|\*\*)[^+\-*/,=]*(?:\^|\*\*)", text)
            and any(len(one) > 1 or one > "3" for one in exponents)
        )
        or any(math.log10(int(one[:9]) + 1) > 3 for one in exponents)
        or any(len(one) > 4 for one in factorials)
        or bool(re.search(r"\d{60}", text))
    )
