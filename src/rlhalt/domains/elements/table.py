"""The table of chemical elements that answers are judged by.

Names, symbols and atomic masses are those of the package periodictable; groups, periods and categories follow from the
atomic number.
"""

from __future__ import annotations

import functools

import periodictable

from rlhalt.verifiers.table import Amount, Entry, Relation, Table, plain

_NOBLE = (2, 10, 18, 36, 54, 86, 118)
_NAMES = {13: ("aluminium",), 55: ("caesium",), 16: ("sulfur", "sulphur")}
_STATES = {"gas": (1, 2, 7, 8, 9, 10, 17, 18, 36, 54, 86), "liquid": (35, 80)}
_CATEGORIES = {
    "noble gas": _NOBLE, "halogen": (9, 17, 35, 53, 85, 117), "alkali metal": (3, 11, 19, 37, 55, 87),
    "alkaline earth metal": (4, 12, 20, 38, 56, 88), "metalloid": (5, 14, 32, 33, 51, 52),
    "lanthanide": tuple(range(57, 72)), "actinide": tuple(range(89, 104)),
    "transition metal": (*range(21, 31), *range(39, 49), *range(72, 81), *range(104, 113)),
    "post transition metal": (13, 31, 49, 50, 81, 82, 83), "nonmetal": (1, 6, 7, 8, 15, 16, 34, *_NOBLE, 9, 17, 35, 53),
}  # fmt: skip
# Drawn differently by different books.
_DISPUTED = {"transition metal": (30, 48, 80, 112, 57, 71, 89, 103), "metalloid": (34, 84, 85), "nonmetal": (85, 117),
             "post transition metal": (30, 48, 80, 84), "halogen": (117,), "noble gas": (118,)}  # fmt: skip
_IS = r"{is} (?:classified as |considered )?(?:an? )?(?:member of )?(?:(?:reactive|soft|dense|rare|colorless|inert) )*"
_RELATIONS = (
    Relation("symbol", (r"{own}(?:chemical |atomic )?symbol{of} {is}", r"{value} is (?:chemical |atomic )?symbol{OF}",
                        r"{subject}(?:{is} )?(?:with |has |, )?(?:represented by |denoted by )?"
                        r"(?:chemical )?symbol(?: of)?"),
             labels="(?:chemical )?symbol", cased=True, invented=r"(?<!\w)([A-Z][A-Za-z]?)(?!\w)", words=("symbol",)),
    Relation("category", (rf"{{subject}}{_IS}(?=[a-z])", r"{subject}belongs to(?= )"), labels="category|type",
             tidy=lambda value: [value, value.removesuffix("s"), value.removesuffix("es")]),
    Relation("state", (r"{subject}{is} (?:an? )?(?:\w+ )?(?P<value>solid|liquid|gas)(?: metal)? (?:at|under) "
                       r"(?:room temperature|standard conditions|standard temperature and pressure)",),
             labels="state(?: at room temperature)?"),
    *(Relation(fact, (rf"{{own}}{noun}{{of}} {{is}} {{amount}}",
                      rf"{{subject}}(?:has |with )?(?:an? )?{noun}(?: of)? {{amount}}",
                      rf"{{subject}}(?:{{is}} |lies |belongs )?(?:located )?(?:in|to) {noun} {{amount}}"),
               labels=noun, units={"": (1.0, 0.0), "u|amu|da|g/mol": (1.0, 0.0)}, single=True)
      for fact, noun in {"atomic number": "atomic number", "group": "group", "period": "period",
                         "atomic mass": "(?:relative |standard )?atomic (?:mass|weight)"}.items()),
)  # fmt: skip


def _place(number: int) -> dict[str, int]:
    period = 1 + sum(number > last for last in _NOBLE)
    width = (2, 8, 8, 18, 18, 32, 32)[period - 1]
    column = number - (0, *_NOBLE)[period - 1]
    group = {"group": column if column < 3 and number != 2 else column + 18 - width}
    return {"period": period, **({} if width == 32 and 2 < column < 17 else group)}


@functools.cache
def facts() -> Table:
    """What is known about 118 elements, by English name."""
    entries: dict[str, Entry] = {}
    for number, element in ((one.number, one) for one in periodictable.elements if one.number):
        states = [state for state, numbers in _STATES.items() if number in numbers] or ["solid"] * (number < 100)
        disputed = frozenset(name for name, numbers in _DISPUTED.items() if number in numbers)
        categories = [name for name, numbers in _CATEGORIES.items() if number in numbers and name not in disputed]
        amounts = {"atomic number": number, **_place(number)}
        names = (*_NAMES.get(number, ()), plain(element.name))
        values = {"symbol": [element.symbol], "category": categories, "state": states}
        entries[names[0].title()] = Entry(
            names=names,
            facts={fact: {value: value for value in some} for fact, some in values.items()},
            amounts={fact: Amount((float(value),)) for fact, value in amounts.items()}
            | {"atomic mass": Amount((float(element.mass),), tolerance=0.01)},
            disputed={"category": disputed},
        )
    noise = frozenset({"a", "element", "chemical"})
    return Table(entries, _RELATIONS, nouns=("chemical element", "element"), noise=noise)
