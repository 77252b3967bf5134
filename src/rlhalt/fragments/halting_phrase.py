"""Whether a piece of text is the halting phrase, as a person or a model may write it.

A model that halts rarely copies the phrase character for character: "**unsure from here**", "Unsure from here!",
"“Unsure  from here.”". All of these are the phrase. Two texts are the same phrase where their normal forms are equal:

    NFKC ─► case folded ─► no apostrophes, no invisible marks ─► words of letters (with their marks) and digits,
    one space between them
"""

from __future__ import annotations

import functools
import re
import unicodedata

from rlhalt.records import HALT_PHRASE

_FIRST = re.compile(r"[^\W_]")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ"))


def normal_form(text: str) -> str:
    """A text as it is compared with the halting phrase: its words in lower case, one space between them.

    >>> normal_form("**Unsure  from here!**")
    'unsure from here'
    """
    if text.isascii():
        return " ".join(_ASCII_WORD.findall(text.replace("'", "").lower()))
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_APOSTROPHES)
    return " ".join("".join(map(_kept, plain)).split())


def _kept(char: str) -> str:
    category = unicodedata.category(char)
    # Cf: zero-width and direction marks; Mn after an emoji is a variation selector, not the mark of a letter.
    if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    return char if category[0] in "LNM" else " "


def named(phrase: str) -> dict[str, str]:
    """The phrase as a part of what a stage is configured with; nothing for the default.

    So what was made before domains had phrases of their own is not made again.
    """
    return {} if phrase == HALT_PHRASE else {"phrase": phrase}


def is_halt(text: str, phrase: str = HALT_PHRASE) -> bool:
    """Whether a fragment is the halting phrase and nothing else.

    Args:
        text: the fragment, with its punctuation, white space and markdown.
        phrase: what the domain halts with.

    >>> is_halt("… _unsure from here_"), is_halt("I am unsure from here.")
    (True, False)
    """
    form = _phrase_form(phrase)
    first = _FIRST.search(text)
    # Nearly all fragments begin with another letter.
    if first is None or form == "" or _base(first[0]) != _base(form[0]):
        return False
    return normal_form(text) == form


def _base(char: str) -> str:
    """A letter or digit without case and marks."""
    return char.lower() if char.isascii() else unicodedata.normalize("NFKD", char.casefold())[0]


@functools.lru_cache(maxsize=64)
def _phrase_form(phrase: str) -> str:
    return normal_form(phrase)
