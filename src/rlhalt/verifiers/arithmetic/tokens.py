"""The words and signs of a plain text, those between a number and what is done to it left out."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from fractions import Fraction

from rlhalt.verifiers.arithmetic.plain import NUMBER, plain
from rlhalt.verifiers.arithmetic.units import LETTERS, abbreviates, unit

_SPACED = r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?![.,]?\d)"
_TOKEN = re.compile(
    # Times of day, ordinals, and what only looks like thousands, are no numbers.
    rf"(?P<z>\d+:\d\d(?!\d)|0\d+|\d+(?:,\d+)*,(?:\d{{1,2}}|\d{{4,}})(?!\d)|\d+(?:st|nd|rd|th)\b|\d*\.\.\.)"
    rf"|(?P<n>{_SPACED}|\d*[¼½¾⅐-⅞]|{NUMBER.pattern})|(?P<p>%)|(?P<o>\*\*|[-+*/])|(?P<l>\()|(?P<r>\))"
    r"|(?P<e>(?<![<>!:=])=(?![=>]))"
    r"|(?P<w>[^\W\d_]+(?:['’][a-z]+)?)|(?P<c>[$€£¢])|(?P<f>√)|(?P<s>\s+)|(?P<y>.)",
    re.DOTALL,
)
_NO_UNIT = re.compile(
    r"is|are|was|were|be|has|have|had|does|do|did|will|would|so|and|or|because|since|as|then|than|if|when|means|meaning|"
    r"equals|gives|get|gets|got|makes|make|made|need|needs|that|which|who|she|he|they|it|we|this|these|there|but|by|to|"
    r"using|with|after|before|until|remainder",
    re.IGNORECASE,
)
# "60 minutes/hour * 2", "3 eggs + 4 eggs = 7"; after an operator a word is no unit.
_UNITS = re.compile(r"(?<=[nrp])w{0,4}(ow{1,3})?(?=[oer]|$)")
_MIXED = re.compile(r"nnon")
_COMPOUND = re.compile(r"nwy?nw")


@dataclasses.dataclass(frozen=True)
class Token:
    """A word or a sign.

    Attributes:
        kind: n number, o operator, l and r brackets, e equals sign, w word that may be a unit, y other word or sign,
            v letter that may be a variable, p per cent, z what cannot be read.
        text: as it stands there.
        value: of a number; of 20% it is 1/5.
        decimals: digits after the point of a number as it counts (20% has two), None where it is not written so.
        percent: whether it is a percentage.
        unit: dimension and size of the unit of a number.
        loose: whether a careful reader could take it otherwise.
        spaced: whether there is white space before a bracket.
    """

    kind: str
    text: str
    value: Fraction = Fraction(0)
    decimals: int | None = None
    percent: bool = False
    unit: tuple[str, int] | None = None
    loose: bool = False
    spaced: bool = False


def fraction(digits: str) -> Fraction:
    """The value of a number as it is written, with commas or spaces between thousands."""
    if not digits[-1].isascii():
        return Fraction(digits[:-1] or 0) + Fraction(unicodedata.numeric(digits[-1])).limit_denominator(10)
    # Fraction(str) of very many digits takes the square of their number.
    return Fraction(re.sub(r"[,\s]", "", digits)[:300])


def tokens(text: str) -> list[Token]:
    """The tokens of a text without what is between a number and what is done to it."""
    text = plain(text)
    letters = _letters(text)
    matches = [match for match in _TOKEN.finditer(text) if match.lastgroup != "s"]
    found: list[Token] = []
    for index, match in enumerate(matches):
        following = matches[index + 1].lastgroup or "z" if index + 1 < len(matches) else "z"
        before = matches[index - 1] if index else None
        glued = before is not None and before.lastgroup in ("n", "r") and before.end() == match.start()
        _read(found, match, following, glued, letters)
    return _without_units(_joined(found))


def _letters(text: str) -> frozenset[str]:
    """The single letters that are units here, because the text writes units in letters."""
    if not abbreviates(text):
        return frozenset()
    return frozenset(
        one for one in LETTERS if not re.search(rf"(?i:\blet )\s*{one}\b|(?<![\d/])(?<![\d/]\s)\b{one}\s*=", text)
    )


def _read(before: list[Token], match: re.Match[str], following: str, glued: bool, letters: frozenset[str]) -> None:
    """Add a token to those before it, or something to the last of them."""
    kind, text = match.lastgroup or "z", match[0]
    last = before[-1].kind if before else "z"
    if kind == "n":
        before.append(_number(before, text))
    elif kind == "c":
        if text == "$":
            before.append(Token("c", text))
        elif text == "¢" and last == "n":
            before[-1] = dataclasses.replace(before[-1], unit=unit("¢"))
    elif kind == "p":
        _percent(before, following, last)
    elif kind == "f":
        before.append(Token("f", text))
    elif kind == "w":
        before.append(_word(before, text, following, glued, letters))
    else:
        before.append(
            Token(kind, text, spaced=kind == "l" and match.string[match.start() - 1 : match.start()].isspace())
        )


def _number(before: list[Token], text: str) -> Token:
    decimals = len(text.partition(".")[2]) if text[-1].isascii() else None
    token = Token("n", text, fraction(text), decimals, loose=" " in text)
    if before and before[-1].kind == "c":
        before.pop()
        return dataclasses.replace(token, unit=unit("$"))
    if before and before[-1].kind == "f":
        before.pop()
        return _root(token)
    return token


def _root(token: Token) -> Token:
    if token.value.denominator != 1 or token.value > 10**12:
        return Token("z", token.text)
    root = round(float(token.value) ** 0.5)
    if root * root != token.value:
        return Token("z", token.text)
    return Token("n", f"√{token.text}", Fraction(root), loose=True)


def _percent(before: list[Token], following: str, last: str) -> None:
    if following in ("n", "l") and last in ("n", "r"):
        before.append(Token("o", "%"))
    elif last == "n":
        one = before.pop()
        decimals = 2 + (one.decimals or 0)
        before.append(
            dataclasses.replace(one, text=one.text + "%", value=one.value / 100, decimals=decimals, percent=True)
        )
        before.append(Token("p", "%"))
    else:
        before.append(Token("z", "%"))


def _word(before: list[Token], text: str, following: str, glued: bool, letters: frozenset[str]) -> Token:
    last = before[-1].kind if before else "z"
    if text in ("x", "X") and following in ("n", "l", "c") and last in ("n", "r", "w", "p"):
        return Token("o", "*")
    if text == "of" and following in ("n", "l", "c") and (last == "p" or _ends_in_fraction(before)):
        return Token("o", "*")
    if text in letters and (glued or last in ("n", "o")):
        return Token("w", text)
    if (len(text) == 1 and (glued or text not in "aAI")) or (glued and text[0].isupper() and unit(text) is None):
        return Token("v", text)
    return Token("y", text) if _NO_UNIT.fullmatch(text) else Token("w", text)


def _ends_in_fraction(before: list[Token]) -> bool:
    return [one.kind for one in before[-3:]] == ["n", "o", "n"] and before[-2].text == "/"


def _joined(found: list[Token]) -> list[Token]:
    """With mixed numbers ("2 1/2") and compound quantities ("1 hour 30 minutes") as one number."""
    kinds = "".join(one.kind for one in found)
    if "nn" in kinds:
        found = _replaced(found, _MIXED, kinds, _mixed)
        kinds = "".join(one.kind for one in found)
    if "nw" in kinds:
        found = _replaced(found, _COMPOUND, kinds, _compound)
    return found


def _replaced(found: list[Token], pattern: re.Pattern[str], kinds: str, make: object) -> list[Token]:
    made: list[Token] = []
    at = 0
    for match in pattern.finditer(kinds):
        new = make(found[match.start() : match.end()])  # type: ignore[operator]
        if new:
            made += [*found[at : match.start()], *new]
            at = match.end()
    return made + found[at:]


def _mixed(some: list[Token]) -> list[Token]:
    whole, above, sign, below = some
    parts = (whole.value, above.value, below.value)
    if sign.text != "/" or any(one.denominator != 1 for one in parts) or not 0 < above.value < below.value <= 100:
        return []
    value = whole.value + above.value / below.value
    return [Token("n", f"{whole.text} {above.text}/{below.text}", value, unit=whole.unit, loose=True)]


def _compound(some: list[Token]) -> list[Token]:
    large, small = unit(some[1].text), unit(some[-1].text)
    if len(some) == 5 and some[2].text != "and":
        return []
    if not large or not small or large[0] != small[0] or large[1] <= small[1]:
        return []
    number, other = some[0], some[-2]
    if other.value * small[1] >= large[1]:
        return []  # "2 hours 90 minutes": no one quantity
    value = number.value * Fraction(large[1], small[1]) + other.value
    text = f"{number.text} {some[1].text} {other.text}"
    return [Token("n", text, value, unit=small, loose=True), some[-1]]


def _without_units(found: list[Token]) -> list[Token]:
    kinds = "".join(one.kind for one in found)
    dropped: set[int] = set()
    for match in _UNITS.finditer(kinds):
        if match[1] is None or found[match.start(1)].text == "/":
            dropped |= set(range(*match.span()))
    made: list[Token] = []
    for index, one in enumerate(found):
        if index in dropped:
            if found[index - 1].kind == "n" and index - 1 not in dropped and made[-1].unit is None:
                # What no table knows is a unit of its own kind.
                named = (unit(one.text) or (one.text.lower(), 1)) if one.kind == "w" else None
                made[-1] = dataclasses.replace(made[-1], unit=named)
        elif one.kind not in ("p", "c"):
            made.append(one)
    return made
