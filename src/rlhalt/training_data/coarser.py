"""A coarser form of a fact that follows from its words: what is in a part of a continent is in the continent."""

from __future__ import annotations

import re

_WAYS = r"(?:north|south|east|west|central|middle)"
# "South Africa" is a country, and the parts of America are continents.
_PART = re.compile(
    rf"\b(in )(?:the )?(?!south africa\b){_WAYS}(?:[- ]?{_WAYS})?(?:ern)?(?: part of| of)? (africa|asia|europe)\b", re.I
)


def coarser(text: str) -> str | None:
    """The same fact with less in it; None where its words hold no coarser one.

    >>> coarser("Kenya is in East Africa."), coarser("It lies in the south-eastern part of Asia, by the sea.")
    ('Kenya is in Africa.', 'It lies in Asia, by the sea.')
    >>> coarser("Kenya is in Africa."), coarser("Lesotho is in South Africa.")
    (None, None)
    """
    found, n = _PART.subn(r"\1\2", text)
    return found if n == 1 else None
