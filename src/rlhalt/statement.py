"""Whether two fragments state the same fact, as far as their words tell: the one place that decides it.

Two statements are the same where the same words stand in the same order. Case, punctuation, markdown, invisible
characters, accents, articles and the commas of thousands do not count: each of them would otherwise be a way to say one
fact twice and to be paid twice. A minus sign before a number does count. Other wordings of the same fact are for the
verifier to see (`rlhalt.verifiers.knowledge`), and a comparison of meanings is an NLI model
(`rlhalt.uncertainty.nli`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rlhalt.fragments.stated_confidence import is_confidence
from rlhalt.records import Fragment

_WORD = re.compile(r"(?:(?<![^\W_])[-−])?\d+(?:[.,]\d+)*|[^\W_]+(?:['’][^\W_]+)*")
_THOUSANDS = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ARTICLES = frozenset({"a", "an", "the"})


def words(text: str) -> list[str]:
    """The words of a text that tell what it states.

    >>> words("The area of _Peru_ is 1,285,216 km²!")
    ['area', 'of', 'peru', 'is', '1285216', 'km2']
    """
    plain = text if text.isascii() else "".join(map(_kept, unicodedata.normalize("NFKD", text)))
    return [_spelt(one) for one in _WORD.findall(plain.casefold()) if one not in _ARTICLES]


def _kept(char: str) -> str:
    # Cf: zero-width and direction marks. Mn, Me: accents, variation selectors, circles around a letter.
    return "" if unicodedata.category(char) in ("Cf", "Mn", "Me") else char


def _spelt(word: str) -> str:
    if _THOUSANDS.fullmatch(word):
        word = word.replace(",", "")
    return word.replace("’", "'").replace("−", "-")


def statement(fragment: Fragment) -> str:
    """What a fragment states, to be compared: two fragments state the same fact where this is equal.

    >>> one, other = "Peru is in South America.", "**The PERU** is in South America"
    >>> statement(Fragment(0, len(one), "sentence", one)) == statement(Fragment(0, len(other), "sentence", other))
    True
    """
    return " ".join(words(fragment.claim or fragment.text))


def said_before(fragments: Sequence[Fragment]) -> list[bool]:
    """For each fragment of a response, whether one before it states the same; a halt and a stated confidence are no
    statements.

    >>> texts = "Peru is big.", "Lima is old.", "PERU is big!"
    >>> said_before([Fragment(0, len(one), "sentence", one) for one in texts])
    [False, False, True]
    """
    said: set[str] = set()
    found = []
    for one in fragments:
        its = statement(one)
        states = one.label != "halt" and not is_confidence(one)
        found.append(states and its in said)
        if states:
            said.add(its)
    return found
