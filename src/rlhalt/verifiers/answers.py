"""The number that a final answer states, as a reader takes it.

    "**2 hours and 30 minutes**, not 3" ─ amount ─► 5/2 or 150

Read are whole sentences with one number, money, percentages, thousands in their ways of writing, mixed numbers, number
words, scales ("14 thousand", "1.2k"), quantities of two units, clock times, units with powers, small calculations
("9*2 = $18"), and numbers with words around them that take nothing away ("18 per day", "5 at the end of day 2", "18,
not 26"). A choice or a hedge is no answer.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

from rlhalt.verifiers.arithmetic import ANNOTATION, NUMBER, Expression, equations
from rlhalt.verifiers.arithmetic.expressions import expression
from rlhalt.verifiers.arithmetic.tokens import fraction, tokens
from rlhalt.verifiers.arithmetic.units import SCALES, unit


@dataclasses.dataclass(frozen=True)
class Amount:
    """What number a text states.

    Attributes:
        sure: the numbers that it is, in the units a reader may want: 2 hours 30 minutes are 5/2 and 150.
        possible: numbers that it may be, or that stand beside it.
        decimals: digits after the point, where it is one decimal number.
    """

    sure: frozenset[Fraction]
    possible: frozenset[Fraction] = frozenset()
    decimals: int | None = None


_BOXED = re.compile(
    r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}|<answer>(.*?)</answer>", re.IGNORECASE
)
_PRINT = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\[dtc]?frac\s*\{(\d+)\}\s*\{(\d+)\}", r"\1/\2"),
        (r"\\[()\[\]]|\\[,;:! ]|\\(?:left|right|displaystyle|quad)\b|~", " "),
        (r"(?<=\d)\{,\}(?=\d)", ","),
        (r"\\?[$€£¥]|\*\*|__|`|[✅✓➡🎉️]", " "),
        (r"\\%", "%"),
        (r"\\(?:times|cdot)\b", "×"),
        (r"[−–]", "-"),
        (r"\s+", " "),
    ]
]
_HEDGE = re.compile(
    r"^\s*not\b|\b(?:(?:less|more|fewer|greater) than|at (?:least|most)|below|above|either|neither)\b"
    r"|\b(?:probably|perhaps|maybe|possibly|might|could)\b|[?±]|\bor\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"\d\s*[,;]\s+\d|\d\s+and\s+[\d$]|\bbetween\b", re.IGNORECASE)
_ASIDE = re.compile(r"\(([^()]*[^\W\d_]{2,}[^()]*)\)")
_REJECTED = re.compile(
    rf"[,;(]?\s*(?:and|but|rather than|instead of)?\s*\b(?:not|instead of|rather than)\s+(?:{NUMBER.pattern})\b"
)
_ABOUT = re.compile(
    r"^(?:approximately|approx\.?|about|around|roughly|exactly|just|only|equal to|≈|~)\s*", re.IGNORECASE
)
_OPTION = re.compile(r"^(?:option\s+)?\(?[A-E]\)?\s*[,.):]\s*(?=.*\d)|^option\s+[A-E]\s+", re.IGNORECASE)
# "After 3 days, she has 18": when or where it is so.
_WHEN = re.compile(
    r"^[^\d=]{0,40}\b(?:in|after|for|at|on|over|within|by|of|week|day|month|year|step|part|round|question|problem)\s+(?:the\s+)?"
    r"(?:day\s+|week\s+|next\s+|first\s+|all\s+)?\d[\d,.]*\s*[^\d,:=]{0,30}[,:]\s+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"^[^\d=]*?\b(?:per|in|at|on|for|by|after|every|each|within|from|with|when|if|during|over|to|of|left|remaining|"
    r"out of)\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:times|remainder|squared|cubed|factorial|choose|halves|thirds|fourths|quarters of|fifths|tenths|hundredths|"
    r"plus|minus|divided|multiplied|modulo|mod|to the power)\b|[\\^!√π{}]|\bto\s+\d|\b[rR]\s*\d",
)
_BEFORE = re.compile(
    r"\b(twice|double|triple|thrice|half(?: of)?|(?:a |one[- ])?third of|(?:a |one[- ])?quarter of|minus|negative|"
    r"loss of|down by|(?:square|cube) root of|square of|times|over)\s*$",
    re.IGNORECASE,
)
_FACTORS = dict.fromkeys(("half", "half of"), Fraction(1, 2)) | {
    word: Fraction(times) for word, times in {"twice": 2, "double": 2, "triple": 3, "thrice": 3}.items()
}
_NEGATIVE = ("minus", "negative")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d\d)(?::\d\d)?(?![\d:])")
_VULGAR = "½¼¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_MIXED = re.compile(rf"(-?)(?<![\d./])(\d+)(?:\s+(\d+)/(\d+)(?![\d/])|\s?([{_VULGAR}])|\s+and\s+a\s+(half|quarter)\b)")
_EUROPEAN = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+|\d+),(\d{1,2})(?![\d,.]\d|\d)")
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d,]|\.\d{3})")
_SCALE = re.compile(rf"\s*-?({'|'.join(SCALES)})s?\b|\s?([kK])\b(?!\w)|([MB])\b|\s?(mn|bn)\b", re.IGNORECASE)
_LETTER_SCALES = {"k": 1000, "m": 10**6, "b": 10**9, "mn": 10**6, "bn": 10**9}
_PERCENT = re.compile(r"\s*(?:%|percent\b|per cent\b)", re.IGNORECASE)
_QUANTITY = re.compile(rf"({NUMBER.pattern})\s*([^\W\d_]+)")
_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_ONES + _TEENS)} | {
    word: 10 * n for n, word in enumerate(_TENS, 2)
}
_WORD_NUMBER = re.compile(
    rf"\b(?:{'|'.join(_WORDS)}|(?<=a )(?:hundred|thousand|dozen))"
    rf"(?:[\s-]+(?:and\s+)?(?:{'|'.join([*_WORDS, *SCALES])}))*\b",
    re.IGNORECASE,
)
# Letters that are calculated with: x+1, 3x, but no units (5m, 12 km/h).
_LETTER = re.compile(
    r"(?<![a-zA-Z\\])[b-zB-Z](?![a-zA-Z])\s*[-+*/^]|[-+*^]\s*[b-zB-Z](?![a-zA-Z])"
    r"|\d[a-zA-Z](?<![hmsgLlkKMBcCFd])(?![a-zA-Z])"
)
_UNIT_POWER = re.compile(r"(?<=[a-zA-Z])(?<![^a-zA-Z][xyzn])(?:\^\{?[23]\}?|[²³])")
_LONGEST = 500  # characters


def formula(text: str) -> str:
    """The last formula in an answer: of "So it is $x+1$." the x+1."""
    parts = re.findall(r"\$\$(.+?)\$\$|(?<!\\)\$([^$\s][^$]*)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", text)
    found = next((one for one in parts[-1] if one), "") if parts and not boxed(text) else ""
    return cleaned(found if re.search(r"[\\a-zA-Z]|\d", found) else text)


def is_formula(text: str) -> bool:
    """Whether there is more in it than numbers, words and the signs of arithmetic."""
    text = cleaned(text)
    return bool(re.search(r"[\\^{}√π!]", text) or _LETTER.search(text))


def clock(text: str) -> tuple[int, int, str] | None:
    """A time of day: hour, minutes, and "a" or "p" where it says so."""
    found = re.fullmatch(r"[^\d]*?(\d{1,2}):(\d\d)\s*(?:([ap])\.?\s?m\.?)?\D*", cleaned(text), re.IGNORECASE)
    return (int(found[1]), int(found[2]), (found[3] or "").lower()) if found else None


def european(text: str) -> bool:
    """Whether a comma in it may stand for a point, or may part a list."""
    return _EUROPEAN.search(text) is not None


def boxed(text: str) -> list[str]:
    """What stands in the boxes and <answer> tags of a text, in order."""
    return [one[1] if one[1] is not None else one[2] for one in _BOXED.finditer(text)]


def cleaned(text: str) -> str:
    """An answer without print, annotations and the full stop at its end; of boxes, the last one's content."""
    text = ANNOTATION.sub("", text)
    boxes = boxed(text)
    if boxes:
        text = boxes[-1]
    for pattern, replacement in _PRINT:
        text = pattern.sub(replacement, text)
    text = text.strip().rstrip(".。 ").strip("*_ \t")
    # "She makes 18!" is no factorial.
    return text.rstrip("!. ") if re.search(r"[^\W\d_]{2}", text) else text


def same_words(one: str, other: str) -> bool:
    """Whether two answers are the same string, up to print, case and white space."""
    return bool(cleaned(one)) and cleaned(one).casefold() == cleaned(other).casefold()


def hedges(text: str) -> bool:
    """Whether an answer is a choice, a bound or a guess."""
    return bool(_HEDGE.search(_without_asides(_REJECTED.sub("", cleaned(text)))))


def amount(text: str) -> Amount | None:
    """The number that an answer states, None where it states none or several, or is a formula.

    >>> amount("**$1,200.50** per day.").sure
    frozenset({Fraction(2401, 2)})
    """
    text = _UNIT_POWER.sub("", cleaned(text))
    if len(text) > _LONGEST:
        return None
    text = _without_asides(_REJECTED.sub("", text))
    text = _OPTION.sub("", _ABOUT.sub("", text)).strip()
    if _HEDGE.search(text) or _LETTER.search(text):
        return None
    if re.fullmatch(r"[\d.,]+!+", text):
        return Amount(frozenset(), frozenset(stated(text)))  # a factorial, or a joy
    if "=" in text:
        return _of_equation(text)
    return _of_words(_WHEN.sub("", text))


def _without_asides(text: str) -> str:
    """Without "(I first had 18)"; what only stands in brackets stays."""
    rest = _ASIDE.sub(lambda found: found[0] if re.search(r"\bor\b", found[1]) else " ", text)
    return re.sub(r"\s+", " ", rest).strip() if any(map(str.isalnum, rest)) else text


def _of_equation(text: str) -> Amount | None:
    """Of "9*2 = $18 a day" what stands after the sign; of "18 = 9 * 2" the number alone."""
    sides = [one.strip() for one in text.split("=") if one.strip()]
    found = [_of_words(re.sub(r"^[^\d]*:\s", "", one)) for one in sides]
    # A name, f(2), or signs that cannot be read, but no formula with letters.
    named = [re.fullmatch(r"[^\W\d_][^\d=+*/\\^{}]*(?:\(\d+\))?|[^a-zA-Z\\]+", one) for one in sides]
    if not found or len(sides) > 6 or any(one is None and not name for one, name in zip(found, named, strict=True)):
        return None
    last = found[-1]
    if last is not None and not _calculates(sides[-1]):
        return last
    first = found[0]
    if first is not None and not _calculates(sides[0]) and not re.match(r"[^\W\d]", sides[0]):
        return first
    return last


def _calculates(text: str) -> bool:
    return re.search(r"\d[^\d]*[-+*/×÷·!^][^\d]*\d|!", text) is not None and _MIXED.search(text) is None


def _of_words(text: str) -> Amount | None:
    for read in (_quantities, _clock, _mixed, _calculation, _number, _word_number):
        found = read(text)
        if found is not None:
            return found
    return None


def _quantities(text: str) -> Amount | None:
    """2 hours and 30 minutes, 5 feet 6 inches."""
    found = [(fraction(one[1]), unit(one[2])) for one in _QUANTITY.finditer(text)]
    if len(found) < 2 or re.search(r"\d[^\d]*[-+*/×÷][^\d]*\d", text):
        return None
    sizes = [one[1] for one in found if one[1]]
    if len(sizes) < len(found) or len({size[0] for size in sizes}) > 1 or len(NUMBER.findall(text)) != len(found):
        return None
    counts = [size[1] for size in sizes]
    if sorted(counts, reverse=True) != counts or len(set(counts)) < len(counts):
        return None
    total = sum((number * count for (number, _), count in zip(found, counts, strict=True)), Fraction(0))
    return Amount(frozenset(total / count for count in counts))


def _clock(text: str) -> Amount | None:
    found = list(_CLOCK.finditer(text))
    if len(found) != 1 or len(NUMBER.findall(_CLOCK.sub("", text))):
        return None
    hours, minutes = int(found[0][1]), int(found[0][2])
    if minutes >= 60:
        return None
    inside = {Fraction(hours * 60 + minutes, 60), Fraction(hours * 60 + minutes)}
    return Amount(frozenset({Fraction(hours)} if not minutes else {}), frozenset(inside))


def _mixed(text: str) -> Amount | None:
    found = list(_MIXED.finditer(text))
    rest = _MIXED.sub("", text)
    if len(found) != 1 or NUMBER.search(rest) or _CHANGES.search(rest) or _BEFORE.search(text[: found[0].start()]):
        return None
    sign, whole, above, below, vulgar, words = found[0].groups()
    if above and (int(below) == 0 or int(above) >= int(below)):
        return None
    part = (
        Fraction(int(above), int(below))
        if above
        else Fraction(unicodedata.numeric(vulgar)).limit_denominator(10)
        if vulgar
        else Fraction(1, 2 if words == "half" else 4)
    )
    value = int(whole[:40]) + part
    return Amount(frozenset({-value if sign else value}))


def _calculation(text: str) -> Amount | None:
    """18 + 8, 2(18), 1/18, 1.2 × 10^3; a hyphen between two numbers may stand for "to"."""
    if not re.search(r"\d\s*(?:[-+*/×÷·^(]|\*\*|times\b)[^a-zA-Z]*\d", text):
        return None
    found = _evaluated(text)
    if found is None:
        return None
    value, plain = found
    ends = re.fullmatch(rf"[^\d]*({NUMBER.pattern})\s*-\s*({NUMBER.pattern})[^\d]*", plain)
    if ends:
        return Amount(frozenset(), frozenset({value, fraction(ends[1]), fraction(ends[2])}))
    return Amount(frozenset({value}))


def _evaluated(text: str) -> tuple[Fraction, str] | None:
    """The value of the calculation in a text that has one, with units taken away and words before it allowed."""
    some = tokens(text)
    while some and some[0].kind in "wyz" and not any(one.isdigit() for one in some[0].text):
        some = some[1:]
    while some and some[-1].kind in "wy" and some[-1].text.lower() not in ("remainder", "times"):
        some = some[:-1]
    side: Expression | None = expression(some) if some and all(one.kind in "nolr" for one in some) else None
    return (side.value, text) if side is not None and side.calculates else None


def _number(text: str) -> Amount | None:
    """One number with words around it."""
    found = list(_numbers(text))
    if not found or _LIST.search(text):
        return None
    start, end, value, decimals, others = found[0]
    before, after = text[:start], text[end:]
    if _CHANGES.search(after[:20] if len(found) > 1 else after) or re.match(r"\s*[-+*/×÷^!(]\s*[\d(]", after):
        return None
    if "\\" in text or re.search(r"[√π]", text):
        return None
    sure, possible = {value}, set(others)
    if re.search(r"-\s*$", before) and not re.search(r"\w-$", before):
        sure, possible = {-value}, {-one for one in possible}
    if changed := _BEFORE.search(before):
        how = changed[1].lower()
        if how in _NEGATIVE:
            sure = {-one for one in sure}
        elif how in ("loss of", "down by"):
            sure |= {-one for one in sure}
        elif how in _FACTORS:
            sure = {one * _FACTORS[how] for one in sure}
        else:
            return None
        decimals = None
    if len(found) > 1:
        rest = {number for one in found[1:] for number in (one[2], *one[4])}
        if not _TAIL.match(after):
            return Amount(frozenset(), frozenset(sure | rest))
        possible |= rest | {value / one for one in rest if one and "out of" in after}
    if percent := _PERCENT.match(text, end):
        return Amount(frozenset(sure | {one / 100 for one in sure}), frozenset(possible)) if percent else None
    return Amount(frozenset(sure), frozenset(possible - sure), decimals)


def _numbers(text: str) -> Iterator[tuple[int, int, Fraction, int | None, tuple[Fraction, ...]]]:
    """Where each number stands, its value with its scale, its decimals, and what else it may be."""
    at = 0
    while at < len(text):
        european, spaced, plain = (one.search(text, at) for one in (_EUROPEAN, _SPACED, NUMBER))
        if plain is None:
            return
        others: tuple[Fraction, ...] = ()
        if european and european.start() <= plain.start():
            match, value = european, fraction(european[1].replace(".", "") + "." + european[2])
        elif spaced and spaced.start() <= plain.start():
            match, value = spaced, fraction(spaced[0])
        else:
            match, value = plain, fraction(plain[0])
            if re.fullmatch(r"\d{1,3}\.\d{3}", plain[0]):
                others = (value * 1000,)
        end = match.end()
        decimals = len(plain[0].partition(".")[2]) if match is plain else None
        scale = _SCALE.match(text, end)
        if scale:
            name = next(one for one in scale.groups() if one)
            value *= SCALES.get(name.lower()) or _LETTER_SCALES[name.lower()]
            end, decimals = scale.end(), None
        yield match.start(), end, value, decimals, others
        at = end


def _word_number(text: str) -> Amount | None:
    """Eighteen; twenty-five; two hundred and six."""
    found = list(_WORD_NUMBER.finditer(text))
    if len(found) != 1 or _CHANGES.search(text) or _BEFORE.search(text[: found[0].start()]):
        return None
    total = part = 0
    for word in re.findall(r"[a-z]+", found[0][0].lower()):
        if word in _WORDS:
            part += _WORDS[word]
        elif word == "hundred" or word == "dozen":
            part = (part or 1) * SCALES[word]
        elif word in SCALES:
            total, part = total + (part or 1) * SCALES[word], 0
    return Amount(frozenset({Fraction(total + part)}))


def stated(text: str) -> list[Fraction]:
    """Every number in an answer, with its scale."""
    return [one[2] for one in _numbers(cleaned(text))]


def holds_false_equation(text: str) -> bool:
    """Whether an equation in it is false."""
    return any(one.status == "false" for one in equations(text))
