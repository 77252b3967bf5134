"""Sentences of any language: English by rules of our own, others by sentencex.

sentencex (Wikimedia, MIT) knows the abbreviations, quotes and stops of about 300 languages and gives offsets. It is an
optional package (`pip install 'rlhalt[languages]'`). Lines, lists, tables and code fences are read as in English, see
`rlhalt.fragments.markdown`. Where English is split, our rules are nearer to a reader: `benchmarks/sentences.py` counts
the inputs of a file of hard cases that are split as expected.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import re
from collections.abc import Iterator

from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment
from rlhalt.running.packages import Packages, require

ENGLISH = "en"
# Raised where the same text is split otherwise.
_VERSION = 2
_LINE_END = re.compile(r"[\n\r]")


@dataclasses.dataclass(frozen=True)
class SentenceSplitter:
    """Cuts a response into sentences of a language; called as `rlhalt.fragments.sentences.sentences` is.

    Args:
        language: a code of ISO 639 ("en", "de", "hi").
        phrase: what the domain halts with.

    Raises:
        InputError: no such language, or its packages are not installed.
    """

    language: str = ENGLISH
    phrase: str = HALT_PHRASE

    def __post_init__(self) -> None:
        if self.language != ENGLISH:
            _check(self.language)

    @property
    def name(self) -> str:
        """`sentences/VERSION`, for another language than English with what splits it; other rules split otherwise."""
        if self.language == ENGLISH:
            return f"sentences/{_VERSION}"
        return f"sentences/{_VERSION}-{self.language}-sentencex-{importlib.metadata.version('sentencex')}"

    def __call__(self, text: str) -> list[Fragment]:
        """The sentences of a text, in its order, and its halting phrases, of kind `halt`."""
        if self.language == ENGLISH:
            return sentences(text, self.phrase)
        return sentences(text, self.phrase, functools.partial(_ends, self.language))


def _check(language: str) -> None:
    require(f"the language {language!r}", Packages(("sentencex", "babel"), 'pip install "rlhalt[languages]"'))
    # sentencex takes any code and splits what it does not know as English.
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(language.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        raise InputError(
            f"expected the code of a language, as en, de or hi, found {language!r}", field="language"
        ) from None


def _ends(language: str, text: str, begin: int, end: int) -> Iterator[int]:
    """Where sentences of a part of a text end."""
    from sentencex import get_sentence_boundaries

    # A wrapped line end is a space.
    for one in get_sentence_boundaries(language, _LINE_END.sub(" ", text[begin:end])):
        yield begin + int(one["end_index"])
