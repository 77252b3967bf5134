"""The normal form of a text in which tables look for values, and the numbers in it."""

from __future__ import annotations

import functools
import re
import unicodedata

_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
_QUOTES = re.compile("[’‘ʻʼ`´]")
# Dropped: accents, invisible characters, emoji.
_DROPPED = ("Mn", "Cf", "So", "Co", "Cs")
_INLINE = r"b|i|u|em|strong|sup|sub|span|code|mark|small|a"
_MARKUP = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (rf"</?(?:{_INLINE})(?: [^<>]{{0,200}})?>", ""),
        (r"</?[a-zA-Z][^<>]{0,200}>", " ; "),
        (r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}\)", r"\1"),
        (r"\s?\[(?:\d{1,3}|citation needed|note \d)\]", ""),
        (r"\\(?=[^\w\s])", ""),
    ]
]
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\b(is|are|was|were|does|do|did|has)n't\b", r"\1 not"),
        (r"\bhave\b", "has"),
        (r"\bcannot\b|\bcan't\b", "can not"),
        (r"(?<=\w)'s\b|(?<=s)'(?=\s)", " 's"),
        (r"[\"“”«»*_']+(?!s\b)", ""),
        (r"(?<=\d) ?[-‐‑–—−] ?(?=\d)", " to "),
        (r"(?<![\w)])[-–−](?=\.?\d)", "minus "),
        (r"(?<=\w)\s+[-‐‑–—−]+\s+|—+", ", "),
        (r"[-‐‑–—−]+", " "),
        (r"\s*/\s*", "/"),
        (r"\b(?:ca|approx|est|circa)\.? ?(?=\d)|\bc\. ?(?=\d)|[~≈] ?(?=\d)", "about "),
        (r"(?<=\b[a-z])\.(?=[a-z]\b|\s|,|$)", ""),
        (r"\bst\.", "st"),
        (r"\b(saint)\b", "st"),
        (r"&", " and "),
        (r"\b(south|north) (east|west)(ern)?\b", r"\1\2\3"),
        (r"\bthe\b", ""),
        (r"[\s.!?…]+$", ""),
        (r"\s+", " "),
        (r" (?=[,;:)])", ""),
        (r"(?<=[:;]) (?=[:;])", ""),
    ]
]
_SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})++(?![\d.,]\d)")


def plain(text: str) -> str:
    """Text as patterns and values see it.

    Lower case; without accents, articles, quotes, markup and invisible characters; hyphens as spaces, dashes as commas,
    a range as "50 to 55", a negative number as "minus 5".

    >>> plain("**Côte d’Ivoire’s** capital — Yamoussoukro [1]")
    "cote divoire 's capital, yamoussoukro"
    """
    for pattern, replacement in _MARKUP if any(sign in text for sign in "<[\\") else ():
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFKD", _QUOTES.sub("'", text).casefold().translate(_LETTERS))
    if not text.isascii():
        text = "".join(char for char in text if char == "°" or unicodedata.category(char) not in _DROPPED)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return _SPACED.sub(lambda number: number[0].replace(" ", ""), text).strip(" ;")


_SCALES = {
    "k": 1e3, "thousand": 1e3, "lakh": 1e5, "m": 1e6, "mn": 1e6, "mio": 1e6, "million": 1e6, "crore": 1e7, "b": 1e9,
    "bn": 1e9, "billion": 1e9, "trillion": 1e12,
}  # fmt: skip
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SINGLE = {word: float(index) for index, word in enumerate(_SMALL)}
_SINGLE |= {word: 20.0 + 10 * index for index, word in enumerate(_TENS)}
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_LARGE = "|".join(word for word in _SCALES if len(word) > 3)
_COUNT = "|".join([*_TENS, *reversed(_SMALL)])
_WORD = rf"(?:{_COUNT}|hundred|{_LARGE})s?\b"
# A pattern of numbers on plain text, in figures or in words; without groups.
NUMBER = (
    rf"(?:(?:minus |negative )?\d(?:[\d,.]{{0,24}}\d)?(?: ?(?:{_SCALE})s?(?![a-z\d]))?|"
    rf"(?:half |an? )?(?:an? )?{_WORD}(?:(?: and)? {_WORD}){{0,8}}+)"
)
_FIGURES = re.compile(rf"(minus |negative )?(\d(?:[\d,.]*\d)?) ?({_SCALE})?s?")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")


@functools.lru_cache(maxsize=4096)
def number(text: str) -> float | None:
    """The number that a match of `NUMBER` stands for; none where it cannot be told ("5,3").

    >>> number("1.4 billion"), number("minus 38.83"), number("fifty five million")
    (1400000000.0, -38.83, 55000000.0)
    """
    match = _FIGURES.fullmatch(text)
    if match is None:
        return _in_words(text)
    digits = match[2]
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "") if "," in digits else digits.replace(".", "")
    try:
        found = float(digits) * _SCALES[match[3] or "k"] / (1 if match[3] else 1e3)
    except ValueError:
        return None
    return -found if match[1] else found


def _in_words(text: str) -> float | None:
    total, current = 0.0, 0.0
    for word in text.split():
        word = word if word in _SINGLE else word.removesuffix("s")
        if word in _SINGLE:
            current += _SINGLE[word]
        elif word == "half":
            current = 0.5
        elif word == "hundred":
            current = (current or 1) * 100
        elif word in _SCALES:
            total, current = total + (current or 1) * _SCALES[word], 0.0
        elif word not in ("a", "an", "and"):
            return None
    return total + current
