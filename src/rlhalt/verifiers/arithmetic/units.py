"""Units of measure that a calculation may mix: what dimension each measures, and how many of the smallest it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

# Of each dimension: the names of a unit by bars, and how many of the first one it is. Words may have a plural s.
_DIMENSIONS: Mapping[str, Mapping[str, int]] = {
    "time": {
        "second|sec|secs|s": 1,
        "minute|min|mins": 60,
        "hour|hr|hrs|h": 3600,
        "day": 86_400,
        "week|wk|wks": 604_800,
    },
    "calendar": {"month|mo": 1, "year|yr|yrs": 12, "decade": 120},
    "length": {"inch|inches|in": 1, "foot|feet|ft": 12, "yard|yd|yds": 36, "mile|mi": 63_360},
    "metric length": {
        "millimeter|millimetre|mm": 1,
        "cm|centimeter|centimetre": 10,
        "m|meter|metre": 1000,
        "km": 10**6,
    },
    "weight": {"ounce|oz": 1, "pound|lb|lbs": 16, "ton": 32_000},
    "metric weight": {"mg|milligram": 1, "g|gram": 1000, "kg|kilogram|kilo": 10**6},
    "volume": {"cup": 1, "pint|pt": 2, "quart|qt": 4, "gallon|gal": 16},
    "metric volume": {"ml|milliliter|millilitre": 1, "l|liter|litre": 1000},
    "money": {"cent|penny|pennies|¢": 1, "nickel": 5, "dime": 10, "quarter": 25, "dollar|buck|$": 100},
    "count": {"dozen": 12, "hundred": 100, "thousand|k": 1000, "million|mn": 10**6, "billion|bn": 10**9},
}
UNITS: Mapping[str, tuple[str, int]] = {
    name: (dimension, size)
    for dimension, units in _DIMENSIONS.items()
    for names, size in units.items()
    for name in names.split("|")
}
# Single letters that are a unit where others of its kind stand beside them, and else a variable.
LETTERS = frozenset("hmsglLk")
_ABBREVIATION = re.compile(r"\d\s?(?:km|cm|mm|kg|mg|ml|mL|mph)\b|\bkm/h\b|\bm/s\b")

SCALES: Mapping[str, int] = {
    name: size for names, size in _DIMENSIONS["count"].items() for name in names.split("|") if len(name) > 1
}


def unit(word: str) -> tuple[str, int] | None:
    """Dimension and size of a unit, None where the word is none: `hours` is ("time", 3600)."""
    low = word.lower()
    return UNITS.get(low) or (UNITS.get(low[:-1]) if low.endswith("s") and len(low) > 2 else None)


def abbreviates(text: str) -> bool:
    """Whether a text writes its units in letters: then `h`, `m`, `s`, `g` and `l` are units too."""
    return _ABBREVIATION.search(text) is not None


def scaled(number: Fraction, name: str) -> Fraction:
    """A number of dozens, hundreds, thousands, … as a plain number."""
    return number * SCALES[name.lower()]
