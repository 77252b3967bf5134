"""Equations between numbers, found in the running text of a solution and checked exactly.

    "so 48/2 = $<<48/2=24>>24 in May" ─ plain ─► "so 48/2 = $24 in May", "48/2=24" ─ equations ─► left, right, status

Only what can be read without doubt is read: numbers (money, thousands separators, decimals, percentages), + - * / % **
and their signs in print, LaTeX and words, brackets, "20% of 50", and unit words between a number and an operator.
A letter that may be a variable spoils the side on which it stands.

What counts as equal:

- exactly equal as fractions, or to 12 significant digits (calculators print 2.3333333333333335);
- a right side with decimals that is the left one rounded, or cut off, at the last digit.

What is neither equal nor false (`unclear`): a whole number less than 1 away from a left side that is none ("10/3 =
3"), two sides within 1 % where one has decimals (rounding carried along), sides that differ by the factor of a unit or
a percentage that the text names ("5*20 = $1" in a text about cents), calculating on ("20 - 5 = 15 - 3"), a missing sign
in a comparison ("3-7 = 4 less"), conversions ("1 hour = 2*30 minutes") and shares ("2/5 = 12 pupils").
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

ANNOTATION = re.compile(r"<<([^<>]*)>>")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\d.])\.\d+")

_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:left|right|displaystyle|quad|qquad|[,;:! ])", " "),
        (r"\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\\boxed\s*\{([^{}]*)\}", r" \1 "),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])|[×·∙⋅✕]", "*"),
        (r"\\div(?![a-zA-Z])|÷", "/"),
        (r"\\([%$#&])", r"\1"),
        (r"[−–—]", "-"),
        (r"(?<=\d)\{,\}(?=\d)", ","),
        (r"\^\s*\{([^{}]*)\}", r"**(\1)"),
        (r"\^", "**"),
        (r"\*\*(?=[^\d(\s-])|(?<![\d)\s])\*\*", " "),  # bold print
        (r"½", "(1/2)"),
        (r"¼", "(1/4)"),
        (r"¾", "(3/4)"),
        (r"(?i)\b(?:times|multiplied by)(?=\s*[$(\d])", "*"),
        (r"(?i)\bdivided by(?=\s*[$(\d])", "/"),
        (r"(?i)\bplus(?=\s*[$(\d])", "+"),
        (r"(?i)\bminus(?=\s*[$(\d])", "-"),
        (r"(?i)\bpercent\b", "%"),
        (r"(?i)\bequals\b", "="),
        (r"\[", "("),
        (r"\]", ")"),
    ]
]
_TOKEN = re.compile(
    # Times of day, and what only looks like thousands, are no numbers.
    rf"(?P<z>\d+:\d\d(?!\d)|0\d+|\d+(?:,\d+)*,(?:\d{{1,2}}|\d{{4,}})(?!\d))|(?P<n>{NUMBER.pattern})|(?P<p>%)|(?P<o>\*\*|[-+*/])|(?P<l>\()|(?P<r>\))|(?P<e>(?<![<>!:=])=(?![=>]))"
    r"|(?P<w>[^\W\d_]+(?:['’][a-z]+)?)|(?P<c>[$€£¢])|(?P<s>\s+)|(?P<y>.)",
    re.DOTALL,
)
_NO_UNIT = re.compile(
    r"is|are|was|were|be|has|have|had|does|do|did|will|would|so|and|or|because|since|as|then|than|if|when|means|meaning|"
    r"equals|gives|get|gets|got|makes|make|made|need|needs|that|which|who|she|he|they|it|we|this|these|there|but|by|to|"
    r"using|with|after|before|until",
    re.IGNORECASE,
)
_JOINS = frozenset({"of", "in", "at", "per", "each", "for"})
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
_LONGEST = 400  # tokens of one side; no honest calculation is longer
_BITS = 1000  # of a number on the way to a result


@dataclasses.dataclass(frozen=True)
class Expression:
    """One side of an equation.

    Attributes:
        tree: its syntax, of numbers, signs and + - * / % ** only.
        value: exactly.
        operands: the numbers it is made of, percentages as they count (20% is 1/5).
        decimals: digits after the point, where it is a single number.
    """

    tree: ast.expr
    value: Fraction
    operands: tuple[Fraction, ...]
    decimals: int | None

    @property
    def calculates(self) -> bool:
        """Whether there is an operator in it."""
        return len(self.operands) > 1


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
    status: Literal["holds", "false", "unclear"]
    annotated: bool


def equations(text: str) -> list[Equation]:
    """The equations in a text, in order: those that a reader sees, then those of calculator annotations."""
    found = list(_of_part(ANNOTATION.sub("", text), text, annotated=False))
    for mark in ANNOTATION.finditer(text):
        found += _of_part(mark[1], text, annotated=True)
    return found


def numbers(text: str) -> list[Fraction]:
    """The numbers in a text, as they stand there; percentages also as hundredths."""
    found = []
    for match in NUMBER.finditer(text):
        found.append(_fraction(match[0]))
        if text[match.end() : match.end() + 8].lstrip().startswith(("%", "percent")):
            found.append(found[-1] / 100)
    return found


def evaluate(tree: ast.expr) -> Fraction:
    """The exact value of a syntax tree.

    Raises:
        ValueError: something else than numbers, signs and + - * / % **, a division by zero, or a number too large.
    """
    match tree:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(Fraction(str(value)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return evaluate(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(_apply(op, evaluate(left), evaluate(right)))
    raise ValueError(f"not arithmetic: {ast.unparse(tree)}")


def _apply(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() | ast.Mod() if right == 0:
            raise ValueError("division by zero")
        case ast.Div():
            return left / right
        case ast.Mod():
            return left % right
        case ast.Pow() if right.denominator == 1 and abs(right) <= 100 and (left or right >= 0):
            bits = max(left.numerator.bit_length(), left.denominator.bit_length())
            if bits * abs(right) <= _BITS:
                return Fraction(left**right.numerator)
    raise ValueError(f"no exact result of {type(op).__name__}")


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS:
        raise ValueError("too large")
    return value


def _fraction(digits: str) -> Fraction:
    # Fraction(str) of very many digits takes the square of their number.
    return Fraction(digits.replace(",", "")[:300])


@dataclasses.dataclass(frozen=True)
class _Token:
    kind: str  # the group of _TOKEN; v: a single letter that may be a variable, y: a word that is no unit
    text: str


def _of_part(part: str, context: str, annotated: bool) -> Iterator[Equation]:
    tokens = _tokens(part)
    for index in [index for index, token in enumerate(tokens) if token.kind == "e"]:
        sides = _side(tokens, index, -1), _side(tokens, index, 1)
        left, right = map(_expression, sides)
        if left and right and (left.calculates or right.calculates):
            yield Equation(" = ".join(map(_show, sides)), left, right, _status(left, right, context), annotated)


def _tokens(text: str) -> list[_Token]:
    """The tokens of a text without what is between a number and what is done to it."""
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    matches = [match for match in _TOKEN.finditer(text) if match.lastgroup not in ("s", "c")]
    raw = [_Token(match.lastgroup or "z", match[0]) for match in matches]
    tokens: list[_Token] = []
    for index, token in enumerate(raw):
        following = raw[index + 1] if index + 1 < len(raw) else _Token("z", "")
        glued = index > 0 and raw[index - 1].kind in "nr" and matches[index - 1].end() == matches[index].start()
        tokens += _read_word(tokens, token, following, glued)
    return _without_units(tokens)


def _read_word(before: list[_Token], token: _Token, following: _Token, glued: bool) -> list[_Token]:
    last = before[-1].kind if before else "z"
    if token.kind == "p" and following.kind in "nl" and last in "nr":
        return [_Token("o", "%")]
    if token.kind == "p":
        return [_Token("n", before.pop().text + "%"), token] if last == "n" else [_Token("z", "%")]
    if token.kind != "w":
        return [token]
    if token.text in "xX" and following.kind in "nl" and last in "nrwp":
        return [_Token("o", "*")]
    if token.text == "of" and following.kind in "nl" and (last == "p" or _ends_in_fraction(before)):
        return [_Token("o", "*")]
    if (len(token.text) == 1 and (glued or token.text not in "aAI")) or (glued and token.text[0].isupper()):
        return [_Token("v", token.text)]
    return [_Token("y", token.text)] if _NO_UNIT.fullmatch(token.text) else [token]


def _ends_in_fraction(tokens: list[_Token]) -> bool:
    return [one.kind for one in tokens[-3:]] == ["n", "o", "n"] and tokens[-2].text == "/"


def _without_units(tokens: list[_Token]) -> list[_Token]:
    kinds = "".join(token.kind for token in tokens)
    dropped: set[int] = set()
    # "60 minutes/hour * 2", "3 eggs + 4 eggs = 7"; after an operator a word is no unit.
    for match in re.finditer(r"(?<=[nrp])w{0,4}(ow{1,3})?(?=[oer]|$)", kinds):
        if match[1] is None or tokens[match.start(1)].text == "/":
            dropped |= set(range(*match.span()))
    return [token for index, token in enumerate(tokens) if index not in dropped and token.kind != "p"]


def _side(tokens: list[_Token], sign: int, step: Literal[-1, 1]) -> list[_Token]:
    """The tokens on one side of "=" up to the first that belongs to no calculation; empty where that one spoils it."""
    side: list[_Token] = []
    depth = 0
    index = sign + step
    while 0 <= index < len(tokens) and len(side) < _LONGEST:
        token = tokens[index]
        if token.kind not in "nolr":
            break
        depth += {"l": step, "r": -step}.get(token.kind, 0)
        if depth < 0:
            if step == -1 and index > 0 and tokens[index - 1].kind in "no":
                return []  # "100+(100*.1 = 110": the other bracket is missing
            break
        if token.kind == "n" and side and side[-1].kind == "n":
            # "= 5 3 more": two numbers beside each other; a mixed number or two statements, nobody knows.
            return []
        side.append(token)
        index += step
    if len(side) == _LONGEST or (0 <= index < len(tokens) and tokens[index].kind == "v"):
        return []
    if step == -1:
        if _joins_on(tokens, index):
            return []
        side.reverse()
        # "Box A + 4 = 9", "the cost - 5*2 = 3": what it begins with is missing.
        if side and side[0].kind == "o" and (side[0].text != "-" or (index >= 0 and tokens[index].kind in "wz")):
            return []
    elif side and side[-1].kind == "o":
        side.pop()  # "= 7 - a lot"
        if index < len(tokens) and tokens[index].kind == "l":
            return []
    return side


def _joins_on(tokens: list[_Token], index: int) -> bool:
    """Whether the words before a calculation tie it to another number: 8 packs of 5 bags * $4."""
    words: list[str] = []
    while index >= 0 and tokens[index].kind == "w":
        words.append(tokens[index].text)
        index -= 1
    return len(words) <= 4 and index >= 0 and tokens[index].kind in "nr" and not _JOINS.isdisjoint(words)


def _show(side: list[_Token]) -> str:
    text = "".join(f" {token.text} " if token.kind == "o" and token.text != "**" else token.text for token in side)
    return text.strip().replace("  ", " ")


def _expression(side: list[_Token]) -> Expression | None:
    source = "".join(_source(token) for token in side)
    source = re.sub(r"(?<=[\d)])\(", "*(", source)
    try:
        tree = ast.parse(source.strip(), mode="eval").body
        value = evaluate(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    plain = [token for token in side if token.kind == "n"]
    alone = plain[0].text if len(side) == len(plain) == 1 or (len(side) == 2 and side[0].text == "-") else None
    return Expression(tree, value, tuple(_operands(tree)), _decimals(alone) if alone else None)


def _source(token: _Token) -> str:
    if token.kind != "n":
        return token.text
    digits = token.text.replace(",", "").rstrip("%").lstrip("0")
    digits = f"0{digits}" if not digits or digits[0] == "." else digits
    return f"({digits}*.01)" if token.text.endswith("%") else digits


def _decimals(digits: str) -> int:
    return len(digits.rstrip("%").partition(".")[2]) + 2 * digits.endswith("%")


def _operands(tree: ast.expr) -> Iterator[Fraction]:
    match tree:
        case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=ast.Constant(value=0.01)):
            yield evaluate(tree)  # a percentage
        case ast.BinOp(left=left, right=right):
            yield from _operands(left)
            yield from _operands(right)
        case ast.UnaryOp(operand=operand):
            yield from _operands(operand)
        case _:
            yield evaluate(tree)


def close(one: Fraction, other: Fraction) -> bool:
    """Whether two numbers are equal to 12 significant digits."""
    return abs(one - other) <= abs(other) / 10**12


def _status(left: Expression, right: Expression, context: str) -> Literal["holds", "false", "unclear"]:
    if _agree(left.value, right):
        return "holds"
    return "unclear" if _may_be_meant(left, right, context) else "false"


def _agree(value: Fraction, right: Expression) -> bool:
    """Whether a value is the right side, up to how that one is rounded."""
    if close(value, right.value):
        return True
    last = Fraction(1, 10 ** (right.decimals or 0))
    return bool(right.decimals) and (
        abs(value - right.value) <= last / 2 or 0 <= abs(value) - abs(right.value) < last  # rounded, or cut off
    )


def _may_be_meant(left: Expression, right: Expression, context: str) -> bool:
    """Whether sides that differ can be what a careful writer puts down."""
    a, b = left.value, right.value
    decimals = any(one.denominator != 1 for one in (*left.operands, *right.operands))
    return (
        (right.decimals == 0 and a.denominator != 1 and abs(a - b) < 1)
        or (decimals and abs(a - b) <= abs(b) / 100)
        or (left.calculates and right.calculates and close(a, right.operands[0]))
        or (close(a, -b) and bool(_COMPARED.search(context)))
        or not left.calculates
        or _is_share(left.tree)
        or any(
            _agree(a * factor, right) or _agree(a / factor, right)
            for named, factors in _FACTORS
            if named.search(context)
            for factor in factors
        )
    )


def _is_share(tree: ast.expr) -> bool:
    """Whether it is a proper fraction, as in "2/5 = 12 pupils"."""
    match tree:
        case ast.BinOp(left=ast.Constant(value=int() as part), op=ast.Div(), right=ast.Constant(value=int() as whole)):
            return part < whole
    return False
