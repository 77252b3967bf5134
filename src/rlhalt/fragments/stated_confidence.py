"""Sentences in which a response says how sure it is: R-Tuning's, and those of Alignment for Honesty.

    I am about 60% sure of this answer. A is in Asia. I am sure. Its capital is B. I am unsure.
    └────────── confidence ───────────┘               └────────┘                    └──────────┘

They state nothing about the world. A verifier can only call them unverifiable, but they are no claims: none is counted,
none costs what cannot be checked or is said again. They are no halts either: what follows them counts.
"""

from __future__ import annotations

import re

from rlhalt.fragments.halting_phrase import normal_form
from rlhalt.records import Fragment

SURE = "I am sure."
UNSURE = "I am unsure."
# For an expected accuracy up to 0.2, 0.4, 0.6, 0.8 and 1.
VERBAL = (
    "I am really not sure about this.",
    "I am not completely sure about this.",
    "I have no strong feelings either way.",
    "I am fairly confident of this.",
    "I am absolutely certain of this.",
)
_WORDS = frozenset(normal_form(one) for one in (SURE, UNSURE, *VERBAL))
_PERCENT = re.compile(r"i am about \d{1,3} sure of this answer")


def percent(value: int) -> str:
    """The sentence that states a confidence in per cent.

    >>> percent(60)
    'I am about 60% sure of this answer.'
    """
    return f"I am about {value}% sure of this answer."


def is_confidence(fragment: Fragment) -> bool:
    """Whether a fragment says how sure the response is and nothing else, and its verdict is no other.

    >>> [is_confidence(Fragment(0, len(one), "sentence", one)) for one in ("**I am sure!**", "I am sure of Lima.")]
    [True, False]
    """
    if fragment.label in ("correct", "incorrect") or not fragment.text.lstrip(' *_"“>').startswith(("I ", "i ")):
        return False
    said = normal_form(fragment.text)
    return said in _WORDS or _PERCENT.fullmatch(said) is not None
